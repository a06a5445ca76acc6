"""The files of uploads: each grows by one request at a time, and is the truth about how far its upload is.

Beside the file of an upload in parts lies the list of its parts, see :mod:`unhub.mirror.upload_parts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from unhub.image.errors import ServeError
from unhub.mirror.hashing import Hashing

WRITE: Final = 1024 * 1024
"""Bytes that are gathered before they are written and hashed."""

LOCK_PATIENCE: Final = 5.0
"""Seconds to wait for another request of the same upload: the one whose connection broke may not have noticed yet."""

T = TypeVar("T")

PARTS: Final = ".parts"
"""How the name of the list of an upload's parts ends."""


class UploadFiles:
    """The files of a folder, by the ids of their uploads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, upload_id: str) -> Path:
        """Where the bytes of an upload lie."""
        return self._folder / upload_id

    def parts(self, upload_id: str) -> Path:
        """Where the list of an upload's parts lies."""
        return self._folder / f"{upload_id}{PARTS}"

    def create(self, upload_id: str) -> None:
        """An empty file. Raises :class:`ServeError` where the disk has no room."""
        with disk():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path(upload_id), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))

    def remove(self, upload_id: str) -> None:
        """Remove all that is there of an upload."""
        for path in (self.path(upload_id), self.parts(upload_id)):
            path.unlink(missing_ok=True)

    def touched(self, upload_id: str) -> float:
        """When the last byte came (seconds since 1970); 0 where there is no file."""
        try:
            return self.path(upload_id).stat().st_mtime
        except OSError:
            return 0.0

    def sweep(self, before: float) -> int:
        """Remove files that nobody has touched since ``before`` (seconds since 1970); how many."""
        gone = 0
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    gone += 1
        return gone

    @asynccontextmanager
    async def opened(self, upload_id: str) -> AsyncGenerator[int]:
        """The descriptor of a file, for one request alone. Raises :class:`ServeError`."""
        try:
            descriptor = os.open(self.path(upload_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise unknown_upload() from None
        try:
            await _lock(descriptor)
            if not _is_at(descriptor, self.path(upload_id)):  # another request has ended the upload meanwhile
                raise unknown_upload()
            yield descriptor
        finally:
            os.close(descriptor)


class Tail:
    """The end of a file that grows."""

    def __init__(self, descriptor: int, reached: int, hashing: Hashing | None) -> None:
        """``reached`` is where the next byte belongs; what is written goes into ``hashing``, too."""
        self._descriptor = descriptor
        self.reached = reached
        self.hashing = hashing

    async def take(self, pieces: AsyncIterator[bytes], most: int) -> None:
        """Write what comes, at most ``most`` bytes; what came before a failure is written too. Raises :class:`TooLong`."""
        gathered: list[bytes] = []
        waiting = 0
        try:
            async for piece in pieces:
                waiting += len(piece)
                gathered.append(piece)
                if waiting > most:
                    raise TooLong
                if waiting >= WRITE:
                    most -= waiting
                    ready, gathered, waiting = gathered, [], 0
                    await in_thread(lambda ready=ready: self.write(b"".join(ready)))
        finally:
            if waiting <= most:
                self.write(b"".join(gathered))

    def write(self, data: bytes) -> None:
        """Write and hash the next bytes. Raises :class:`ServeError` where the disk has no room."""
        view, written = memoryview(data), 0
        with disk():
            while written < len(view):
                written += os.pwrite(self._descriptor, view[written:], self.reached + written)
        if self.hashing is not None:
            self.hashing.update(data)
        self.reached += written


async def in_thread(work: Callable[[], T]) -> T:
    """Work on a file in a thread, and see its end however often the request is cancelled: the file must not be closed before."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):  # the first one is raised below
                await asyncio.wait([running])
        raise


class TooLong(Exception):
    """More bytes came than may come."""


@contextmanager
def disk() -> Generator[None]:
    """A full or broken disk is said to the client, not hidden in a traceback."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS):
            raise
        message = f"cannot keep the blob: {error.strerror}"
        raise ServeError(message, status=507, registry_code="UNAVAILABLE", hint="The mirror's volume needs room") from None


def unknown_upload() -> ServeError:
    """404: nobody began such an upload, or not this client, or it has ended."""
    return ServeError("cannot go on: there is no such upload here", status=404, registry_code="BLOB_UPLOAD_UNKNOWN")


async def _lock(descriptor: int) -> None:
    """Raises :class:`ServeError` 409 where another request keeps the upload."""
    for _ in range(int(LOCK_PATIENCE / 0.05)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.05)
        else:
            return
    raise ServeError("cannot go on with the upload: another request is at it", status=409, registry_code="BLOB_UPLOAD_INVALID")


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
