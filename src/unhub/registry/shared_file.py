"""A small file that several programs read and write: whole reads, and changes that no one loses."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

from unhub.image.errors import CredentialsError

LARGEST = 8 * 1024 * 1024
"""Bytes of a credential file at most; real ones have a few thousand."""

LOCK_SECONDS = 10.0
_ROUNDS = 20


def read(path: Path, shown: str) -> bytes | None:
    """The bytes of a file, ``None`` where there is none; raises :class:`CredentialsError`."""
    try:
        with path.open("rb") as handle:
            data = handle.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CredentialsError(f"cannot read {shown}: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise CredentialsError(f"cannot read {shown}: it has more than {LARGEST // 1024 // 1024} MiB, which no credential file has")
    return data


def change(path: Path, shown: str, edit: Callable[[bytes | None], bytes | None]) -> None:
    """Put ``edit`` of a file's bytes in its place by a rename; ``None`` from ``edit`` leaves it alone.

    Other unhubs wait; where another program wrote in between, ``edit`` is asked again with the new
    bytes. A new file has mode 0600, an old one keeps its mode and owner; a symbolic link stays one.
    Raises :class:`CredentialsError`, and what ``edit`` raises; the file is then as it was.
    """
    real = Path(os.path.realpath(path))
    try:
        _make_folder(real.parent)
        with _locked(real.parent, shown):
            _remove_leftovers(real)
            for _ in range(_ROUNDS):
                before = read(real, shown)
                after = edit(before)
                if after is None or after == before or _replaced(real, shown, before, after):
                    return
    except OSError as error:
        raise CredentialsError(f"cannot write {shown}: {error.strerror or error}; nothing was changed there") from None
    raise CredentialsError(f"cannot write {shown}: another program keeps changing it", hint="Try again when it is done")


def _make_folder(folder: Path) -> None:
    """Make a folder and what is missing above it, for the user alone, as docker makes them."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)


@contextlib.contextmanager
def _locked(folder: Path, shown: str) -> Generator[None]:
    """Hold the folder against other unhubs; no lock file is left in somebody else's folder."""
    try:
        import fcntl
    except ImportError:
        yield  # no advisory locks on this system; the second look before the rename remains
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise CredentialsError(f"cannot write {shown}: another unhub has been writing it for {LOCK_SECONDS:.0f} s") from None
                time.sleep(0.01)
            except OSError:
                break  # a file system without locks
        yield
    finally:
        os.close(handle)


def _prefix(real: Path) -> str:
    return f".{real.name[:100]}.unhub-"


def _remove_leftovers(real: Path) -> None:
    """Remove what a killed unhub left: it may hold a password."""
    for leftover in real.parent.glob(f"{_prefix(real)}*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def _replaced(real: Path, shown: str, before: bytes | None, after: bytes) -> bool:
    """Put new bytes in place of ``before``; false where the file is no longer that."""
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=_prefix(real))  # mode 0600
    partial = Path(name)
    try:
        with open(descriptor, "wb") as handle:
            handle.write(after)
            handle.flush()
            os.fsync(handle.fileno())
        _like(real, partial)
        if read(real, shown) != before:
            return False
        os.replace(partial, real)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return True


def _like(real: Path, partial: Path) -> None:
    """Give the new file mode and owner of the old one."""
    try:
        status = real.stat()
    except FileNotFoundError:
        return
    made = partial.stat()
    if (status.st_uid, status.st_gid) != (made.st_uid, made.st_gid):
        os.chown(partial, status.st_uid, status.st_gid)
    partial.chmod(status.st_mode & 0o7777)
