"""One server a data folder: a lock that ends with the last process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from unhub.image.errors import RefusedError, UnhubError


class DataFolderBusy(RefusedError):
    """A server uses the data folder."""

    code = "data-folder-busy"


class DataLock:
    """The lock of a data folder; inherited by child processes, so that it is free only when all of them are gone."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._descriptor: int | None = None

    def take(self, note: str = "") -> None:
        """Take it, or raise :class:`DataFolderBusy`. ``note`` is a line for those who come later: who holds it."""
        make_private(self._data)
        make_private(self._data / "run")
        descriptor = os.open(self._data / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise DataFolderBusy(
                f"cannot use the data folder {self._data}: a server holds it{f' ({holder})' if holder else ''}",
                hint="Stop that server first, or give this one a folder of its own: --data DIR",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode()[:200], 0)
        self._descriptor = descriptor

    def note(self, text: str) -> None:
        """Change the line for those who come later."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode()[:200], 0)

    def release(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def make_private(folder: Path) -> None:
    """Make a folder and those above it, for this user alone. Raises :class:`UnhubError` where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not folder.is_dir():
            raise NotADirectoryError(20, "it is no folder")
    except OSError as error:
        raise UnhubError(f"cannot make the folder {folder}: {error.strerror or error}", hint="Give another one: --data DIR") from None
