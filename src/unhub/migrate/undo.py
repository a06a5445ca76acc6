"""Undoing a run: every file back to the byte, all or none."""

from __future__ import annotations

from pathlib import Path

import msgspec

from unhub.image.errors import ChangedSince, RefusedError, UsageError
from unhub.migrate.journal import Journal, Run, State, sha256
from unhub.migrate.write import Replacement, recover, replace_all


def undo(journal: Journal, run_id: str | None = None, *, force: bool = False) -> Run:
    """Put back the files of a run; without ``run_id`` of the last one that is not undone.

    A run that was killed in the middle counts as the last one and is put back first.
    Raises :class:`ChangedSince` where a file was changed since the run (``force`` restores
    it all the same), :class:`UsageError` where there is no such run.
    """
    if not journal.runs():
        raise UsageError(
            "cannot undo: no run of unhub is on record here", hint="Runs are kept for the repository, or folder, they were made in"
        )
    with journal.locked():
        recovered = recover(journal)
        if recovered and run_id in (None, recovered[-1].id):
            return recovered[-1]
        run = journal.run(run_id) if run_id else _last(journal)
        if run.state is not State.DONE:
            raise RefusedError(f"cannot undo run {run.id}: it is {run.state} already")
        replacements = [_replacement(journal, run, number, force) for number in range(len(run.changes))]
        undone = msgspec.structs.replace(run, state=State.UNDONE)
        replace_all(replacements, f"{run.id}-undo", finish=lambda: journal.note(undone))
    return undone


def _last(journal: Journal) -> Run:
    done = [run for run in journal.runs() if run.state is State.DONE]
    if not done:
        raise UsageError("cannot undo: every run on record is undone already", hint="`unhub undo --list` shows them")
    return done[-1]


def _replacement(journal: Journal, run: Run, number: int, force: bool) -> Replacement:
    change = run.changes[number]
    path = Path(change.path)
    try:
        now: bytes | None = path.read_bytes()
    except FileNotFoundError:
        if not force:
            raise ChangedSince(
                f"cannot undo {change.shown}: it is gone since run {run.id}; no file was changed",
                hint="`unhub undo --force` makes it anew as it was before the run",
            ) from None
        return Replacement(path, change.shown, None, journal.kept_bytes(run, change), change.mode)
    except OSError as error:
        raise ChangedSince(f"cannot undo {change.shown}: it cannot be read ({error.strerror}); no file was changed") from None
    if sha256(now) not in (change.after, change.before) and not force:
        raise ChangedSince(
            f"cannot undo {change.shown}: it changed since run {run.id}; no file was changed",
            hint="`unhub undo --force` restores it all the same and loses those changes",
        )
    return Replacement(path, change.shown, now, journal.kept_bytes(run, change))
