"""The journal: what each run changed, with the bytes from before, so that `unhub undo` can put them back.

It lives outside the tree: in the git directory (``.git/unhub/``), else in a folder of the
user's state directory. A run is a folder ``runs/ID/`` with ``run.json`` and one file of old
bytes for each file changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from unhub.image.errors import RefusedError, UsageError


class State(StrEnum):
    """How far a run came: ``writing`` is what a kill in the middle leaves behind."""

    WRITING = "writing"
    DONE = "done"
    UNDONE = "undone"
    ROLLED_BACK = "rolled-back"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a run: its absolute path, the digests of its bytes before and after, where the old bytes are, its mode."""

    path: str
    shown: str
    before: str
    after: str
    kept: str
    mode: int = 0o644


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run that wrote: its ID, when (ISO 8601, UTC), how far it came, and what it changed."""

    id: str
    time: str
    state: State
    changes: tuple[Change, ...]

    @property
    def files(self) -> list[str]:
        """The changed files as they were shown."""
        return [change.shown for change in self.changes]


def sha256(data: bytes) -> str:
    """The digest under which the journal knows bytes."""
    return hashlib.sha256(data).hexdigest()


def locate(base: Path, state_folder: Path) -> Path:
    """The journal's folder for work in ``base``: in the git directory if there is one, else below ``state_folder``."""
    git = _git_directory(base)
    if git is not None and os.access(git, os.W_OK):
        return git / "unhub"
    return state_folder / "unhub" / hashlib.sha256(os.fsencode(os.path.realpath(base))).hexdigest()[:16]


def _git_directory(base: Path) -> Path | None:
    try:
        done = subprocess.run(["git", "-C", str(base), "rev-parse", "--absolute-git-dir"], capture_output=True, check=False)
    except OSError:
        return None
    path = os.fsdecode(done.stdout).removesuffix("\n")
    return Path(path) if done.returncode == 0 and path else None


@dataclass(frozen=True, slots=True)
class Journal:
    """The runs kept in one folder."""

    folder: Path

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the journal against other processes; raises :class:`RefusedError` where another holds it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("ab") as handle:
            try:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:
                pass  # no advisory locks on this system
            except OSError:
                raise RefusedError(f"cannot write: another unhub is writing here ({self.folder})", hint="Wait for it to end") from None
            yield

    def runs(self) -> list[Run]:
        """Every run that can be read, the oldest first."""
        found: list[Run] = []
        with contextlib.suppress(OSError):
            for path in sorted((self.folder / "runs").iterdir()):
                with contextlib.suppress(OSError, ValueError):
                    found.append(msgspec.convert(json.loads((path / "run.json").read_bytes()), Run))
        return sorted(found, key=lambda run: run.id)

    def taken(self) -> set[str]:
        """Every ID in use, also of a run that was killed before it was noted."""
        with contextlib.suppress(OSError):
            return {path.name for path in (self.folder / "runs").iterdir()}
        return set()

    def run(self, run_id: str) -> Run:
        """The run called ``run_id``; raises :class:`UsageError` where there is none."""
        for run in self.runs():
            if run.id == run_id:
                return run
        raise UsageError(f"there is no run {run_id!r}", hint="`unhub undo --list` shows the runs")

    def kept_bytes(self, run: Run, change: Change) -> bytes:
        """The bytes of a file from before a run; raises :class:`RefusedError` where they are lost or damaged."""
        path = self.folder / "runs" / run.id / change.kept
        try:
            data = path.read_bytes()
        except OSError as error:
            raise RefusedError(f"cannot undo {change.shown}: its old bytes at {path} cannot be read ({error.strerror})") from None
        if sha256(data) != change.before:
            raise RefusedError(f"cannot undo {change.shown}: its old bytes at {path} are damaged")
        return data

    def begin(self, run: Run, before: list[bytes]) -> None:
        """Keep the old bytes and note the run, on disk, before anything is changed."""
        folder = self.folder / "runs" / run.id
        folder.mkdir(parents=True, mode=0o700)
        for change, data in zip(run.changes, before, strict=True):
            _write_durably(folder / change.kept, data)
        self.note(run)

    def note(self, run: Run) -> None:
        """Write a run's state, whole or not at all."""
        path = self.folder / "runs" / run.id / "run.json"
        partial = path.with_suffix(".partial")
        _write_durably(partial, _json(run))
        os.replace(partial, path)
        sync_folder(path.parent)


def _json(run: Run) -> bytes:
    """ASCII throughout: a file name that is not UTF-8 is kept as lone surrogates, which only escapes can carry."""
    return json.dumps(msgspec.to_builtins(run), indent=2).encode("ascii")


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
