"""A whole run on a tree: walk, look at every file, plan, check. Nothing is written here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from unhub.formats._choice import wanted_by
from unhub.formats._format import by_name
from unhub.image.errors import UsageError
from unhub.image.source import FormatSettings, Source
from unhub.migrate.collecting import paused
from unhub.migrate.item import FilePlan
from unhub.migrate.look import LookedAt, SkippedFile, look
from unhub.migrate.mapping import Mapper, applies_to_path
from unhub.migrate.parallel import spread
from unhub.migrate.plan import Plan, make_plan, open_questions
from unhub.migrate.selfcheck import prove
from unhub.migrate.verification.question import Question
from unhub.migrate.walk import Walk, walk

Ask = Callable[[Sequence[Question]], None]
"""Lets verification answer questions; the mapper's proof knows the answers afterwards."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to look at.

    ``max_file_size`` is in bytes; ``only`` names formats, empty means all; ``changed`` are the
    only files that the plan is about (``None`` means all); ``cores`` is how many processors
    may be used; ``below`` is where paths start, seen from the folder that ``include`` and
    ``exclude`` are relative to. What a file declares counts in any case, since it says what others mean.
    """

    base: Path
    paths: tuple[str, ...] = (".",)
    use_gitignore: bool = True
    only: frozenset[str] = frozenset()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    below: str = ""
    max_file_size: int = 10_000_000
    changed: frozenset[str] | None = None
    cores: int = 1


class TooLarge(Exception):
    """A file has more bytes than are looked at; the text says how many."""


class Tree:
    """The files of a run, by the paths that findings show."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._top = str(base)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, ``None`` where it cannot be read."""
        try:
            return self.content(path)
        except OSError:
            return None

    def content(self, path: str, most: int | None = None) -> bytes:
        """The bytes of a file. Raises :class:`OSError`, and :class:`TooLarge` for one of more than ``most`` bytes."""
        with open(os.path.join(self._top, path), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if most is not None and size > most:
                raise TooLarge(f"too large: {size} bytes, more than {most}")
            return file.readall()

    def tracked(self, path: str) -> bool:
        """Whether git tracks a file; true outside a git work tree."""
        target = self.base / path
        folder = str(target.parent)
        inside = _git(folder, "rev-parse", "--is-inside-work-tree")
        if inside is None or inside.strip() != b"true":
            return True
        return _git(folder, "ls-files", "--error-unmatch", "--", target.name) is not None


def _git(folder: str, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def look_at_tree(
    options: RunOptions, settings: FormatSettings, walked: Walk, progress: Callable[[int, int], None] | None = None
) -> list[LookedAt | SkippedFile]:
    """Look at every walked file. ``progress`` is told how many of how many are done."""
    tree = Tree(options.base)
    files = [path for path in walked.files if applies_to_path(options.below + path, options.include, options.exclude)]
    return spread(
        lambda path: look_at_file(tree, path, options, settings),
        files,
        cores=options.cores,
        done=lambda count: progress(min(count, len(files)), len(files)) if progress else None,
    )


def look_at_file(tree: Tree, path: str, options: RunOptions, settings: FormatSettings) -> LookedAt | SkippedFile | None:
    """Look at one file, within the size limit, unless no format wants one of its name under these settings."""
    wanted = wanted_by(path, settings)
    if not wanted.entries:
        return None
    try:
        data = tree.content(path, options.max_file_size)
    except TooLarge as error:
        return SkippedFile(path, str(error))
    except OSError as error:
        return SkippedFile(path, f"cannot be read: {error.strerror or error}")
    source = Source(path, data, settings, tree.read)
    entry = wanted.choose(source)
    result = None if entry is None else look(source, entry)
    return result if not isinstance(result, SkippedFile) or _counts(result, options) else None


def _counts(result: FilePlan | SkippedFile, options: RunOptions) -> bool:
    wanted = not options.only or result.format in options.only
    return wanted and (options.changed is None or result.path in options.changed)


def plan_run(
    options: RunOptions,
    settings: FormatSettings,
    mapper: Mapper,
    progress: Callable[[int, int], None] | None = None,
    *,
    proven: bool = True,
    ask: Ask | None = None,
) -> Plan:
    """Walk, look and plan. ``proven`` adds the self-check, which a plan that is only shown as a list does not need.

    With ``ask``, everything that would move is asked about before.
    """
    _check_formats(options.only)
    walked = walk(options.paths, options.base, use_gitignore=options.use_gitignore)
    tree = Tree(options.base)
    with paused():
        looked: Sequence[LookedAt | SkippedFile] = look_at_tree(options, settings, walked, progress)
    results, tracked = [*looked, *walked.skipped], cache(tree.tracked)
    plan = _asked(
        lambda: make_plan(results, mapper, read=tree.read, may_edit=tracked, counts=lambda file: _counts(file, options)),
        ask,
    )
    plan.ignored_files = walked.ignored
    if proven:
        prove(plan, mapper, settings, tree.read, cores=options.cores)
    return plan


def _asked(make: Callable[[], Plan], ask: Ask | None) -> Plan:
    """Plan, ask about what would move, and plan again, until nothing would move that was not asked about.

    An answer may let another reference move than before: one that shares its bytes, or one with a second target.
    """
    with paused():
        plan = make()
    before: set[Question] = set()
    while ask is not None and (questions := [question for question in open_questions(plan) if question not in before]):
        ask(questions)
        before.update(questions)
        plan = make()
    return plan


def plan_text(
    path: str, data: bytes, options: RunOptions, settings: FormatSettings, mapper: Mapper, *, proven: bool = True, ask: Ask | None = None
) -> Plan:
    """Plan for bytes that are no file, as if they stood at ``path``; neighbours are read and never edited."""
    _check_formats(options.only)
    tree = Tree(options.base)
    result = look(Source(path, data, settings, tree.read))
    if result is None:
        result = SkippedFile(path, "no format wants a file of this name and content")
    results = [result]
    plan = _asked(lambda: make_plan(results, mapper, read=tree.read, may_edit=lambda _: False), ask)
    if proven:
        prove(plan, mapper, settings, tree.read)
    return plan


def _check_formats(names: frozenset[str]) -> None:
    for name in sorted(names):
        if by_name(name) is None:
            raise UsageError(f"there is no format {name!r}", hint="`unhub formats` lists them")
