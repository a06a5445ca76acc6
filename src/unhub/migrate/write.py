"""Writing: every file of a plan or none, each by a rename, with a journal that outlives a kill."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import stat
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from unhub.image.errors import ChangedSince, RefusedError, WriteFailed
from unhub.migrate.journal import Change, Journal, Run, State, sha256, sync_folder
from unhub.migrate.plan import Plan


@dataclass(frozen=True, slots=True)
class Replacement:
    """New bytes for one file, and the bytes it must have now (``None``: it is gone and will be made, with ``mode``).

    ``shown`` is its path for messages.
    """

    path: Path
    shown: str
    expected: bytes | None
    new: bytes
    mode: int = 0o644


def write_plan(plan: Plan, base: Path, journal: Journal, now: datetime.datetime) -> Run | None:
    """Write every changed file of ``plan`` or none; ``None`` where nothing changes.

    Raises :class:`ChangedSince` where a file is no longer what was looked at, also because a
    killed run had to be put back (:func:`put_back_killed` does so before planning), and
    :class:`WriteFailed` where one cannot be written; the tree is then as it was.
    """
    replacements = [
        Replacement(real := Path(os.path.realpath(base / path)), path, plan.before[path], plan.after[path], _mode(real))
        for path in sorted(plan.after)
        if plan.after[path] != plan.before[path]
    ]
    if not replacements:
        return None
    with _explained(journal), journal.locked():
        if recover(journal):
            raise ChangedSince(
                "cannot write: files of a run that was killed in the middle were put back just now", hint="Run the command again"
            )
        run = _new_run(journal, replacements, now)
        _check(replacements)
        done = msgspec.structs.replace(run, state=State.DONE)
        journal.begin(run, [plan.before[replacement.shown] for replacement in replacements])
        try:
            replace_all(replacements, run.id, finish=lambda: journal.note(done))
        except BaseException:
            with contextlib.suppress(OSError):
                journal.note(msgspec.structs.replace(run, state=State.ROLLED_BACK))
            raise
    for item in plan.items:
        item.applied = item.fix is not None
    return done


def _mode(path: Path) -> int:
    """The permissions of a file; the usual ones where it cannot be asked, which a later check will tell."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0o644


@contextlib.contextmanager
def _explained(journal: Journal) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"cannot write the journal at {journal.folder}: {error.strerror or error}; no file was changed") from None


def _new_run(journal: Journal, replacements: Sequence[Replacement], now: datetime.datetime) -> Run:
    stamp = now.astimezone(datetime.UTC)
    taken = journal.taken()
    names = (f"{stamp:%Y%m%dT%H%M%SZ}-{number:03d}" for number in range(1000))
    run_id = next(name for name in names if name not in taken)
    changes = tuple(
        Change(
            path=str(replacement.path),
            shown=replacement.shown,
            before=sha256(replacement.expected or b""),
            mode=replacement.mode,
            after=sha256(replacement.new),
            kept=f"{number:05d}",
        )
        for number, replacement in enumerate(replacements)
    )
    return Run(id=run_id, time=stamp.isoformat(timespec="seconds"), state=State.WRITING, changes=changes)


def _check(replacements: Sequence[Replacement]) -> None:
    for replacement in replacements:
        try:
            now = replacement.path.read_bytes()
            mode = replacement.path.stat().st_mode
        except OSError as error:
            raise ChangedSince(
                f"cannot write {replacement.shown}: it cannot be read any more ({error.strerror}); no file was changed"
            ) from None
        if now != replacement.expected:
            raise ChangedSince(
                f"cannot write {replacement.shown}: it changed since it was looked at; no file was changed", hint="Run the command again"
            )
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(replacement.path, os.W_OK):
            raise WriteFailed(
                f"cannot write {replacement.shown}: it is read-only; no file was changed",
                hint=f"Make it writable: chmod u+w {replacement.shown}",
            )


def _nothing() -> None:
    return None


def replace_all(replacements: Sequence[Replacement], run_id: str, *, finish: Callable[[], None] = _nothing) -> None:
    """Put every new file in its place by a rename, then ``finish``; or put everything back.

    All new bytes are on disk before the first rename, so a full disk changes nothing.
    Raises :class:`WriteFailed`.
    """
    staged: list[Path] = []
    placed: list[Replacement] = []
    try:
        for replacement in replacements:
            staged.append(_stage(replacement.path, replacement.new, run_id, replacement.mode))
        for replacement, partial in zip(replacements, staged, strict=True):
            os.replace(partial, replacement.path)
            placed.append(replacement)
        for folder in {replacement.path.parent for replacement in replacements}:
            sync_folder(folder)
        finish()
    except OSError as error:
        lost = _put_back(placed, run_id)
        where = replacements[min(len(placed) if len(staged) == len(replacements) else len(staged), len(replacements) - 1)].shown
        after = f"these files could not be put back: {', '.join(lost)}" if lost else "every file is as it was"
        raise WriteFailed(f"cannot write {where}: {error.strerror or error}; {after}") from None
    except BaseException:
        _put_back(placed, run_id)
        raise
    finally:
        for partial in staged:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


def partial_name(path: Path, run_id: str) -> Path:
    """Where the new bytes of a file stand until the rename."""
    return path.with_name(f".{path.name[:100]}.unhub-{run_id}")


def _stage(path: Path, data: bytes, run_id: str, mode: int) -> Path:
    partial = partial_name(path, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        _like(path, partial, mode)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial


def _like(path: Path, partial: Path, mode: int) -> None:
    """Give the new file the mode, owner and attributes of the one it replaces."""
    if not path.exists():
        partial.chmod(mode)
        return
    shutil.copystat(path, partial)
    os.utime(partial)
    status, made = path.stat(), partial.stat()
    if (status.st_uid, status.st_gid) != (made.st_uid, made.st_gid):
        os.chown(partial, status.st_uid, status.st_gid)


def _put_back(placed: Sequence[Replacement], run_id: str) -> list[str]:
    lost: list[str] = []
    for replacement in placed:
        try:
            if replacement.expected is None:
                replacement.path.unlink()
            else:
                os.replace(_stage(replacement.path, replacement.expected, run_id, replacement.mode), replacement.path)
        except OSError:
            lost.append(replacement.shown)
    return lost


def put_back_killed(journal: Journal) -> list[Run]:
    """Put back what killed runs left, before a plan is made of the tree; cheap where there was none."""
    if all(run.state is not State.WRITING for run in journal.runs()):
        return []
    with _explained(journal), journal.locked():
        return recover(journal)


def recover(journal: Journal) -> list[Run]:
    """Put back what runs that were killed in the middle had changed, and say which runs those were.

    Raises :class:`RefusedError` where a file of such a run was changed by somebody since.
    """
    recovered: list[Run] = []
    for run in journal.runs():
        if run.state is not State.WRITING:
            continue
        replacements: list[Replacement] = []
        for change in run.changes:
            path = Path(change.path)
            partial_name(path, run.id).unlink(missing_ok=True)
            now = path.read_bytes() if path.is_file() else b""
            if sha256(now) == change.after:
                replacements.append(Replacement(path, change.shown, now, journal.kept_bytes(run, change)))
            elif sha256(now) != change.before:
                raise RefusedError(
                    f"cannot put back {change.shown}: the run {run.id} was killed in the middle and the file changed since",
                    hint=f"Compare it with {journal.folder / 'runs' / run.id / change.kept}, then delete that run's folder",
                )
        replace_all(replacements, f"{run.id}-recovery")
        rolled_back = msgspec.structs.replace(run, state=State.ROLLED_BACK)
        journal.note(rolled_back)
        recovered.append(rolled_back)
    return recovered
