"""Blobs in a folder: ``sha256/ab/abcdef…``, each whole or not there.

A blob gets its name by a rename after its bytes and before its folder are on the disk. It is unlinked only after
a grace period, since the server that sends a file by its path does not say when it has done so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from unhub.image.digest import HEX_LENGTHS, Digest
from unhub.store.records import BlobInfo

CHUNK = 1024 * 1024
"""Bytes that are read at once."""

_DOOMED = ".deleted"


class FilesystemBlobs:
    """See :class:`unhub.store.protocols.BlobStore`."""

    def __init__(self, folder: Path, *, grace: float = 60.0, clock: Callable[[], float] = time.time) -> None:
        """``grace`` is in seconds: how long a deleted blob's bytes stay for those who are being sent them."""
        self._folder = folder
        self._grace = grace
        self._clock = clock
        self._made: set[Path] = set()

    def path(self, digest: Digest) -> Path:
        """Where a blob of this digest lies, if it is there."""
        return self._folder / digest.algorithm / digest.encoded[:2] / digest.encoded

    async def stat(self, digest: Digest) -> BlobInfo | None:
        """See the protocol."""
        path = self.path(digest)
        try:
            return BlobInfo(os.stat(path).st_size, path)
        except OSError:
            return None

    @asynccontextmanager
    async def open(self, digest: Digest, start: int = 0, end: int | None = None) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See the protocol."""
        handle = await asyncio.to_thread(self.path(digest).open, "rb", 0)
        try:
            yield _pieces(handle.fileno(), start, end)
        finally:
            await asyncio.to_thread(handle.close)

    async def commit(self, partial: Path, digest: Digest) -> BlobInfo:
        """See the protocol."""
        return await asyncio.to_thread(self._commit, partial, digest)

    async def put(self, data: bytes, digest: Digest) -> BlobInfo:
        """See the protocol."""
        return await asyncio.to_thread(self._put, data, digest)

    async def delete(self, digest: Digest, *, stored_before: float | None = None) -> bool:
        """See the protocol. The name is free at once; the bytes go after the grace period, see :meth:`sweep`."""
        return await asyncio.to_thread(self._delete, digest, stored_before)

    async def all(self) -> AsyncIterator[tuple[Digest, BlobInfo]]:
        """See the protocol."""
        for algorithm in HEX_LENGTHS:
            top = self._folder / algorithm
            for folder in await asyncio.to_thread(_listed, top):
                for name in await asyncio.to_thread(_listed, top / folder):
                    path = top / folder / name
                    with contextlib.suppress(OSError):
                        if len(name) == HEX_LENGTHS[algorithm]:
                            yield Digest(algorithm, name), BlobInfo(path.stat().st_size, path)

    async def sweep(self, grace: float | None = None) -> int:
        """Remove the bytes of blobs that were deleted longer ago than the grace period (or another one); how many files."""
        return await asyncio.to_thread(self._sweep, self._grace if grace is None else grace)

    def _commit(self, partial: Path, digest: Digest) -> BlobInfo:
        path = self.path(digest)
        self._make(path.parent)
        with partial.open("rb") as handle:
            os.utime(handle.fileno(), (self._clock(), self._clock()))  # when it was stored, which :meth:`delete` asks for
            os.fsync(handle.fileno())
            size = os.fstat(handle.fileno()).st_size
        os.replace(partial, path)
        _sync(path.parent)
        return BlobInfo(size, path)

    def _put(self, data: bytes, digest: Digest) -> BlobInfo:
        path = self.path(digest)
        self._make(path.parent)
        partial = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}")
        try:
            with partial.open("xb") as handle:
                handle.write(data)
                handle.flush()
                os.utime(handle.fileno(), (self._clock(), self._clock()))
                os.fsync(handle.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync(path.parent)
        return BlobInfo(len(data), path)

    def _delete(self, digest: Digest, stored_before: float | None) -> bool:
        path = self.path(digest)
        doomed = path.with_name(f"{path.name}{_DOOMED}-{self._clock():.3f}")
        try:
            if stored_before is not None and path.stat().st_mtime >= stored_before:
                return False
            os.rename(path, doomed)
            if stored_before is not None and doomed.stat().st_mtime >= stored_before:
                os.rename(doomed, path)  # stored between the two calls above: the same bytes, so what is there may be replaced
                return False
        except FileNotFoundError:
            return False
        return True

    def _make(self, folder: Path) -> None:
        """Make a folder, and its place in the folders above it, last beyond a power cut."""
        if folder in self._made:
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for above in (folder.parent, folder.parent.parent):
            _sync(above)
        self._made.add(folder)

    def _sweep(self, grace: float) -> int:
        gone, before = 0, self._clock() - grace
        for algorithm in HEX_LENGTHS:
            for path in (self._folder / algorithm).glob(f"*/*{_DOOMED}-*"):
                with contextlib.suppress(ValueError, OSError):
                    if float(path.name.rpartition("-")[2]) <= before:
                        path.unlink()
                        gone += 1
        return gone


async def _pieces(descriptor: int, start: int, end: int | None) -> AsyncIterator[bytes]:
    at = start
    while end is None or at < end:
        wanted = CHUNK if end is None else min(CHUNK, end - at)
        piece = await asyncio.to_thread(os.pread, descriptor, wanted, at)
        if not piece:
            return
        yield piece
        at += len(piece)


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
