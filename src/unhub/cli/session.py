"""From the options of a command to a plan: settings found, files chosen, everything looked at."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass, replace
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
from unhub.migrate.run import Ask, RunOptions, plan_run, plan_text
from unhub.migrate.verification.question import Proof

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Session:
    """What one call of ``scan`` or ``migrate`` works with.

    ``base`` is what shown paths are relative to, ``configuration`` the settings file that was found.
    """

    base: Path
    selection: Selection
    migrate: Migrate
    mapper: Mapper
    formats: FormatSettings
    configuration: Configuration

    @functools.cached_property
    def standard_input(self) -> bytes:
        """The bytes on standard input, read once."""
        return sys.stdin.buffer.read()

    @classmethod
    def open(cls, selection: Selection, wishes: Wishes, *, remember: bool = True) -> Session:
        """Read the settings and put flags and environment over them. Raises :class:`UsageError`.

        ``remember`` lets the lock file have its say: what it knows not to be the same at a target stays where it is.
        """
        base = Path.cwd()
        for path in selection.paths:
            if path != STANDARD_INPUT and not os.path.lexists(base / path):
                raise UsageError(f"cannot look at {path}: there is no such file or folder")
        found = load(start_folder(base, selection.paths), selection.config)
        migrate = effective(found.settings.migrate, wishes)
        session = cls(base, selection, migrate, _mapper(migrate, found, base), _format_settings(migrate, found), found)
        return session.remembering() if remember and migrate.verify else session

    def proving(self, proof: Proof, *, pin: bool = False) -> Session:
        """The same session, whose decisions rest on what ``proof`` knows; ``pin`` writes verified digests into references."""
        mapper = self.mapper
        return replace(self, mapper=Mapper(replace(mapper.options, pin=pin), mapper.knowledge, proof))

    @property
    def lock_path(self) -> Path:
        """Where the lock file lies, or would."""
        from unhub.cli.lock_file import lock_path

        return lock_path(self.configuration, start_folder(self.base, self.selection.paths))

    def remembering(self, path: Path | None = None, *, pin: bool = False) -> Session:
        """The same session with what the lock file at ``path`` (default: the usual place) knows, if there is one."""
        path = path or self.lock_path
        if not path.exists():
            return self
        from unhub.migrate.verification.lock import Lock

        return self.proving(Lock.read(path), pin=pin)

    @property
    def reads_standard_input(self) -> bool:
        """Whether ``-`` takes the place of a tree."""
        return STANDARD_INPUT in self.selection.paths

    def plan(self, *, proven: bool = True, ask: Ask | None = None) -> Plan:
        """Look at everything that was selected; ``proven`` adds the self-check of every edit, ``ask`` verifies what would move."""
        if self.reads_standard_input:
            return self._plan_standard_input(proven=proven, ask=ask)
        progress = Progress("looking")
        try:
            return plan_run(self._run_options(), self.formats, self.mapper, progress, proven=proven, ask=ask)
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

    def _plan_standard_input(self, *, proven: bool, ask: Ask | None) -> Plan:
        name = self.selection.stdin_name
        if self.selection.paths != (STANDARD_INPUT,):
            raise UsageError("cannot mix - (standard input) with other paths")
        if self.selection.changed_since is not None:
            raise UsageError("cannot use --changed-since with standard input")
        if not name:
            raise UsageError("cannot tell the format of standard input", hint="Say what the file is called: --stdin-name Dockerfile")
        path = name.replace(os.sep, "/")
        return plan_text(path, self.standard_input, self._run_options(), self.formats, self.mapper, proven=proven, ask=ask)


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
