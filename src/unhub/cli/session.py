"""From the options of a command to a plan: settings found, files chosen, everything looked at."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from unhub.cli.configuration import Configuration, load, start_folder
from unhub.cli.options import Selection, Wishes
from unhub.cli.output import Progress
from unhub.config.settings import Migrate
from unhub.data.facts import builtin, overridden
from unhub.image.errors import UsageError
from unhub.image.source import FormatSettings, KubernetesPosition
from unhub.migrate.changed import changed_since
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run, plan_text

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Session:
    """What one call of ``scan`` or ``migrate`` works with. ``base`` is what shown paths are relative to."""

    base: Path
    selection: Selection
    migrate: Migrate
    mapper: Mapper
    formats: FormatSettings

    @functools.cached_property
    def standard_input(self) -> bytes:
        """The bytes on standard input, read once."""
        return sys.stdin.buffer.read()

    @classmethod
    def open(cls, selection: Selection, wishes: Wishes) -> Session:
        """Read the settings and put flags and environment over them. Raises :class:`UsageError`."""
        base = Path.cwd()
        for path in selection.paths:
            if path != STANDARD_INPUT and not os.path.lexists(base / path):
                raise UsageError(f"cannot look at {path}: there is no such file or folder")
        found = load(start_folder(base, selection.paths), selection.config)
        migrate = effective(found.settings.migrate, wishes)
        return cls(base, selection, migrate, _mapper(migrate, found, base), _format_settings(migrate, found))

    @property
    def reads_standard_input(self) -> bool:
        """Whether ``-`` takes the place of a tree."""
        return STANDARD_INPUT in self.selection.paths

    def plan(self, *, proven: bool = True) -> Plan:
        """Look at everything that was selected; ``proven`` adds the self-check of every edit."""
        if self.reads_standard_input:
            return self._plan_standard_input()
        progress = Progress("looking")
        try:
            return plan_run(self._run_options(), self.formats, self.mapper, progress, proven=proven)
        finally:
            progress.end()

    def _run_options(self) -> RunOptions:
        selection = self.selection
        paths = selection.paths or (".",)
        since = selection.changed_since
        return RunOptions(
            base=self.base,
            paths=paths,
            use_gitignore=selection.use_gitignore,
            only=frozenset(selection.only),
            include=self.migrate.paths,
            exclude=self.migrate.not_paths,
            below=self.mapper.options.below,
            max_file_size=self.migrate.max_file_size,
            changed=None if since is None else changed_since(since, self.base),
            cores=selection.jobs or _processors(),
        )

    def _plan_standard_input(self) -> Plan:
        name = self.selection.stdin_name
        if self.selection.paths != (STANDARD_INPUT,):
            raise UsageError("cannot mix - (standard input) with other paths")
        if self.selection.changed_since is not None:
            raise UsageError("cannot use --changed-since with standard input")
        if not name:
            raise UsageError("cannot tell the format of standard input", hint="Say what the file is called: --stdin-name Dockerfile")
        return plan_text(name.replace(os.sep, "/"), self.standard_input, self._run_options(), self.formats, self.mapper)


def effective(migrate: Migrate, wishes: Wishes) -> Migrate:
    """The settings with every wish over them; an empty wish leaves what the file says."""
    said = {name: getattr(wishes, name) for name in Wishes.__dataclass_fields__}
    return msgspec.structs.replace(migrate, **{name: value for name, value in said.items() if value not in (None, ())})


def _below(base: Path, found: Configuration) -> str:
    """Where ``base`` lies below the folder of the settings file, whose path globs start there."""
    if found.folder is None or base == found.folder or not base.is_relative_to(found.folder):
        return ""
    return base.relative_to(found.folder).as_posix() + "/"


def _mapper(migrate: Migrate, found: Configuration, base: Path) -> Mapper:
    data = found.settings.data.file
    knowledge = builtin() if data is None else overridden((found.folder or Path()) / data)
    options = MappingOptions(
        origin=migrate.from_,
        targets=migrate.to,
        rules=migrate.rule,
        unsafe=migrate.unsafe,
        require_login=migrate.require_login,
        gitlab_alias=migrate.gitlab_alias,
        short_names=migrate.short_names,
        accept=frozenset(migrate.accept),
        below=_below(base, found),
    )
    return Mapper(options, knowledge)


def _format_settings(migrate: Migrate, found: Configuration) -> FormatSettings:
    positions = found.settings.kubernetes.positions
    return FormatSettings(
        kubernetes_positions=tuple(KubernetesPosition(position.kind, position.path) for position in positions),
        helm_defaults=migrate.helm_defaults,
        include_comments=migrate.include_comments,
        docs=migrate.docs,
        build_outputs=migrate.build_outputs,
    )


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
