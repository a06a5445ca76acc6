"""Uploads of blobs: files that grow by chunks, hashed while they come, and become blobs when their digest is right.

A session's file is the truth about how far it is, so that several workers may serve the chunks of one upload; a lock on
the file keeps two of them from writing at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey, Upload

BLOB_SIZE_MAX: Final = 512 * 1024**3
"""Bytes of the largest blob that is taken."""

HASHES_MAX: Final = 1000
"""Sessions whose hash is carried on in memory; others are hashed again at their end."""

WRITE: Final = 1024 * 1024
"""Bytes that are gathered before they are written and hashed."""

READ: Final = 4 * 1024 * 1024

TOUCHED: Final = 300.0
"""Seconds between notes that a session is still used: they are written to the disk, and the file tells how far it is."""

LOCK_PATIENCE: Final = 5.0
"""Seconds to wait for another request of the same session: the one whose connection broke may not have noticed yet."""

_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What comes with a request: its bytes, the place where they belong, and their number, where those are said."""

    pieces: AsyncIterator[bytes]
    start: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """An upload: its id and how many bytes it has."""

    id: str
    offset: int


class OutOfOrder(ServeError):
    """416: a chunk does not begin where ``session`` ends; the session goes on."""

    def __init__(self, session: Session) -> None:
        message = f"cannot take the chunk: the next byte of the upload is {session.offset}"
        super().__init__(message, status=416, registry_code="BLOB_UPLOAD_INVALID")
        self.session = session


class Uploads:
    """The sessions of all repositories. A session belongs to a repository and to whoever began it."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        folder: Path,
        *,
        now: Callable[[], float],
        size_max: int = BLOB_SIZE_MAX,
        check: Callable[[Digest], None] = lambda _: None,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """``folder`` holds the growing files, ``now`` is seconds since 1970, ``new_id`` makes ids that nobody can guess.

        ``check`` raises :class:`ServeError` for digests that must not be taken.
        """
        self._metadata = metadata
        self._blobs = blobs
        self._folder = folder
        self._now = now
        self._size_max = size_max
        self._check_digest = check
        self._new_id = new_id
        self._hashes: OrderedDict[str, _Hashing] = OrderedDict()

    async def begin(self, key: RepositoryKey, owner: str, algorithm: str = "sha256") -> Session:
        """A new session; ``algorithm`` is that of the digest that will probably be named at its end."""
        upload_id, now = self._new_id(), self._now()
        with _disk():
            self._create(upload_id)
        await self._metadata.uploads.begin(Upload(upload_id, key, owner, 0, now, now))
        self._remember(upload_id, _Hashing.new(algorithm))
        return Session(upload_id, 0)

    async def status(self, key: RepositoryKey, owner: str, upload_id: str) -> Session:
        """How far a session is. Raises :class:`ServeError`, ``BLOB_UPLOAD_UNKNOWN``."""
        await self._check(key, owner, upload_id)
        try:
            return Session(upload_id, self._path(upload_id).stat().st_size)
        except OSError:
            raise _unknown() from None

    async def append(self, key: RepositoryKey, owner: str, upload_id: str, chunk: Chunk) -> Session:
        """Add bytes. What came before a client left stays. Raises :class:`OutOfOrder` and :class:`ServeError`."""
        found = await self._check(key, owner, upload_id)
        async with self._opened(upload_id) as descriptor:
            size = await self._receive(descriptor, upload_id, chunk)
        if self._now() - found.touched_at > TOUCHED:
            await self._metadata.uploads.advance(upload_id, size, self._now())
        return Session(upload_id, size)

    async def finish(self, key: RepositoryKey, owner: str, upload_id: str, digest: Digest, chunk: Chunk) -> None:
        """Add the last bytes, verify, and make it a blob of the repository.

        Raises :class:`OutOfOrder`, and :class:`ServeError` ``DIGEST_INVALID``: then the session is over and nothing is kept.
        """
        await self._check(key, owner, upload_id)
        self._check_digest(digest)
        async with self._opened(upload_id) as descriptor:
            size = await self._receive(descriptor, upload_id, chunk, digest.algorithm)
            if not await self._is_right(descriptor, upload_id, digest):
                await self._forget(upload_id)
                raise _wrong(digest)
            await self._commit(key, upload_id, digest, size)
        self._hashes.pop(upload_id, None)

    async def whole(self, key: RepositoryKey, digest: Digest, chunk: Chunk) -> None:
        """A blob in one request. Raises :class:`ServeError`."""
        self._check_digest(digest)
        upload_id = self._new_id()
        with _disk():
            self._create(upload_id)
        try:
            async with self._opened(upload_id) as descriptor:
                size = await self._receive(descriptor, upload_id, chunk, digest.algorithm)
                if not await self._is_right(descriptor, upload_id, digest):
                    raise _wrong(digest)
                await self._commit(key, upload_id, digest, size)
        finally:
            self._hashes.pop(upload_id, None)
            self._path(upload_id).unlink(missing_ok=True)

    async def cancel(self, key: RepositoryKey, owner: str, upload_id: str) -> None:
        """Forget a session and its bytes. Raises :class:`ServeError`, ``BLOB_UPLOAD_UNKNOWN``."""
        await self._check(key, owner, upload_id)
        async with self._opened(upload_id):
            await self._forget(upload_id)

    async def clean(self, before: float) -> int:
        """Forget sessions and files that nobody has touched since ``before`` (seconds since 1970); how many."""
        gone = 0
        for upload in await self._metadata.uploads.abandoned(before):
            if self._touched(upload.id) < before:
                await self._forget(upload.id)
                gone += 1
        return gone + await asyncio.to_thread(self._sweep, before)

    def _touched(self, upload_id: str) -> float:
        """When the last byte of a session came (seconds since 1970); 0 where it has no file."""
        try:
            return self._path(upload_id).stat().st_mtime
        except OSError:
            return 0.0

    def _sweep(self, before: float) -> int:
        """Files without a session: a process ended in the middle of a request."""
        gone = 0
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    gone += 1
        return gone

    def _path(self, upload_id: str) -> Path:
        return self._folder / upload_id

    def _create(self, upload_id: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self._path(upload_id), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))

    async def _check(self, key: RepositoryKey, owner: str, upload_id: str) -> Upload:
        """The grammar of the id stands before any path is made of it."""
        found = await self._metadata.uploads.get(key, upload_id) if _ID.fullmatch(upload_id) else None
        if found is None or not secrets.compare_digest(found.owner.encode("utf-8"), owner.encode("utf-8")):
            raise _unknown()
        return found

    async def _forget(self, upload_id: str) -> None:
        self._hashes.pop(upload_id, None)
        self._path(upload_id).unlink(missing_ok=True)
        await self._metadata.uploads.end(upload_id)

    @asynccontextmanager
    async def _opened(self, upload_id: str) -> AsyncGenerator[int]:
        """The file of a session, for this request alone."""
        try:
            descriptor = os.open(self._path(upload_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _unknown() from None
        try:
            await _lock(descriptor)
            if not _is_at(descriptor, self._path(upload_id)):  # another request has ended the session meanwhile
                raise _unknown()
            yield descriptor
        finally:
            os.close(descriptor)

    async def _receive(self, descriptor: int, upload_id: str, chunk: Chunk, algorithm: str | None = None) -> int:
        """Append a chunk; the size after it. A chunk that is not as long as it said is taken back."""
        start = os.fstat(descriptor).st_size
        if chunk.start not in (None, start):
            raise OutOfOrder(Session(upload_id, start))
        hashing = self._hashes.get(upload_id)
        if start == 0 and (hashing is None or algorithm not in (None, hashing.algorithm)):
            hashing = _Hashing.new(algorithm or "sha256")
        tail = _Tail(descriptor, start, hashing if hashing and hashing.reached == start else None)
        most = self._size_max - start if chunk.length is None else min(chunk.length, self._size_max - start)
        try:
            await tail.take(chunk.pieces, most)
        except _TooLong:
            await self._take_back(descriptor, upload_id, start)
            raise _too_long(self._size_max) if most == self._size_max - start else _not_as_said() from None
        if chunk.length is not None and tail.reached - start != chunk.length:
            await self._take_back(descriptor, upload_id, start)
            raise _not_as_said()
        if tail.hashing is not None:
            self._remember(upload_id, tail.hashing)
        return tail.reached

    async def _take_back(self, descriptor: int, upload_id: str, start: int) -> None:
        self._hashes.pop(upload_id, None)
        await asyncio.to_thread(os.ftruncate, descriptor, start)

    def _remember(self, upload_id: str, hashing: _Hashing) -> None:
        self._hashes[upload_id] = hashing
        self._hashes.move_to_end(upload_id)
        while len(self._hashes) > HASHES_MAX:
            self._hashes.popitem(last=False)

    async def _is_right(self, descriptor: int, upload_id: str, digest: Digest) -> bool:
        hashing, size = self._hashes.get(upload_id), os.fstat(descriptor).st_size
        if hashing is None or hashing.reached != size or hashing.algorithm != digest.algorithm:
            hashing = await asyncio.to_thread(_hashed_again, descriptor, digest.algorithm)
        return secrets.compare_digest(hashing.hexdigest(), digest.encoded)

    async def _commit(self, key: RepositoryKey, upload_id: str, digest: Digest, size: int) -> None:
        """First the bytes, then the rows: whatever is acknowledged outlives a kill at any point."""
        with _disk():
            await self._blobs.commit(self._path(upload_id), digest)
        await self._metadata.blobs.push(key, digest, size, self._now(), upload=upload_id)


class _Hashing:
    """A hash that is carried on from chunk to chunk."""

    def __init__(self, algorithm: str, hash_: Any, reached: int) -> None:
        self.algorithm = algorithm
        self.reached = reached
        self._hash = hash_

    @classmethod
    def new(cls, algorithm: str) -> _Hashing:
        return cls(algorithm, hashlib.new(algorithm, usedforsecurity=False), 0)

    def update(self, data: bytes) -> None:
        self._hash.update(data)
        self.reached += len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class _Tail:
    """The end of a file that grows."""

    def __init__(self, descriptor: int, reached: int, hashing: _Hashing | None) -> None:
        self._descriptor = descriptor
        self.reached = reached
        self.hashing = hashing

    async def take(self, pieces: AsyncIterator[bytes], most: int) -> None:
        """Write what comes, at most ``most`` bytes; what came before a failure is written too."""
        gathered: list[bytes] = []
        waiting = 0
        try:
            async for piece in pieces:
                waiting += len(piece)
                gathered.append(piece)
                if waiting > most:
                    raise _TooLong
                if waiting >= WRITE:
                    most -= waiting
                    ready, gathered, waiting = gathered, [], 0
                    await asyncio.to_thread(self._write, b"".join(ready))
        finally:
            if waiting <= most:
                self._write(b"".join(gathered))

    def _write(self, data: bytes) -> None:
        view, written = memoryview(data), 0
        with _disk():
            while written < len(view):
                written += os.pwrite(self._descriptor, view[written:], self.reached + written)
        if self.hashing is not None:
            self.hashing.update(data)
        self.reached += written


class _TooLong(Exception):
    pass


async def _lock(descriptor: int) -> None:
    """Raises :class:`ServeError` 409 where another request keeps the session."""
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


def _hashed_again(descriptor: int, algorithm: str) -> _Hashing:
    hashing = _Hashing.new(algorithm)
    while piece := os.pread(descriptor, READ, hashing.reached):
        hashing.update(piece)
    return hashing


@contextmanager
def _disk() -> Generator[None]:
    """A full or broken disk is said to the client, not hidden in a traceback."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS):
            raise
        message = f"cannot keep the blob: {error.strerror}"
        raise ServeError(message, status=507, registry_code="UNAVAILABLE", hint="The mirror's volume needs room") from None


def _unknown() -> ServeError:
    return ServeError("cannot go on: there is no such upload here", status=404, registry_code="BLOB_UPLOAD_UNKNOWN")


def _wrong(digest: Digest) -> ServeError:
    return ServeError(f"cannot keep the blob: its bytes are not {digest}", status=400, registry_code="DIGEST_INVALID")


def _not_as_said() -> ServeError:
    return ServeError("cannot take the chunk: it is not as long as it said", status=400, registry_code="SIZE_INVALID")


def _too_long(most: int) -> ServeError:
    return ServeError(f"cannot take the blob: it is larger than {most} bytes", status=413, registry_code="SIZE_INVALID")
