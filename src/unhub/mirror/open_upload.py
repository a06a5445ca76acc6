"""An upload that one request has for itself: its bytes come, are hashed, and become a blob where their digest is right."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.hashing import Hashes, Hashing
from unhub.mirror.upload_files import Tail, TooLong, UploadFiles, disk, in_thread
from unhub.mirror.upload_parts import PartList
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey


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


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGround:
    """Where uploads lie, and what they become. ``now`` is seconds since 1970, ``size_max`` bytes of the largest blob.

    ``create`` says whether a push may make its repository.
    """

    metadata: MetadataStore
    blobs: BlobStore
    files: UploadFiles
    hashes: Hashes
    now: Callable[[], float]
    size_max: int
    create: bool


class OpenUpload:
    """The upload ``id`` of a repository, open for one request."""

    def __init__(self, ground: UploadGround, key: RepositoryKey, upload_id: str, descriptor: int) -> None:
        """``descriptor`` is that of its file, which nobody else writes to."""
        self._ground = ground
        self._key = key
        self._descriptor = descriptor
        self.id = upload_id

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return os.fstat(self._descriptor).st_size

    async def receive(self, chunk: Chunk, algorithm: str | None = None) -> int:
        """Append a chunk; the size after it. A chunk that is not as long as it said is taken back.

        Raises :class:`OutOfOrder` and :class:`ServeError`.
        """
        start, most_of_all = self.size, self._ground.size_max
        if chunk.start not in (None, start):
            raise OutOfOrder(Session(self.id, start))
        tail = Tail(self._descriptor, start, self._hashing(start, algorithm))
        most = most_of_all - start if chunk.length is None else min(chunk.length, most_of_all - start)
        try:
            await tail.take(chunk.pieces, most)
        except TooLong:
            await self._take_back(start)
            raise _too_long(most_of_all) if most == most_of_all - start else _not_as_said() from None
        if chunk.length is not None and tail.reached - start != chunk.length:
            await self._take_back(start)
            raise _not_as_said()
        self._remember(tail)
        return tail.reached

    def parts(self) -> PartList:
        """The parts that have come; what is left of one that was cut is cut off. Only for uploads that come in parts."""
        found = PartList(self._ground.files.parts(self.id))
        if found.settle(self._descriptor):
            self._ground.hashes.forget(self.id)
        return found

    async def add_part(self, parts: PartList, data: bytes) -> None:
        """Append the next part. Raises :class:`ServeError` where the disk has no room: then it was not taken.

        The hash is remembered only once the part is listed: what is cut off must not be in it.
        """
        tail = Tail(self._descriptor, parts.reached, self._hashing(parts.reached, None))
        self._ground.hashes.forget(self.id)

        def write() -> None:
            tail.write(data)
            parts.add(tail.reached)

        await in_thread(write)
        self._remember(tail)

    async def has(self, start: int, data: bytes) -> bool:
        """Whether these bytes are at that place."""
        return await in_thread(lambda: os.pread(self._descriptor, len(data), start) == data)

    async def is_right(self, digest: Digest) -> bool:
        """Whether the bytes that have come are those of a digest."""
        hashing, size = self._ground.hashes.get(self.id), self.size
        if hashing is None or hashing.reached != size or hashing.algorithm != digest.algorithm:
            hashing = await in_thread(lambda: Hashing.of(self._descriptor, digest.algorithm))
        return secrets.compare_digest(hashing.hexdigest(), digest.encoded)

    async def commit(self, digest: Digest) -> bool:
        """Make it a blob of the repository, and end the upload; whether the repository did not have that blob.

        First the bytes, then the rows: whatever is acknowledged outlives a kill at any point.
        """
        ground, size = self._ground, self.size
        with disk():
            await ground.blobs.commit(ground.files.path(self.id), digest)
        new = await ground.metadata.blobs.push(self._key, digest, size, ground.now(), upload=self.id, create=ground.create)
        ground.files.remove(self.id)
        ground.hashes.forget(self.id)
        return new

    async def forget(self) -> None:
        """End the upload, and throw its bytes away."""
        self._ground.hashes.forget(self.id)
        self._ground.files.remove(self.id)
        await self._ground.metadata.uploads.end(self.id)

    def _hashing(self, start: int, algorithm: str | None) -> Hashing | None:
        """The hash to carry on from ``start``; ``None`` where only the file can tell it."""
        hashing = self._ground.hashes.get(self.id)
        if start == 0 and (hashing is None or algorithm not in (None, hashing.algorithm)):
            return Hashing.new(algorithm or "sha256")
        return hashing if hashing and hashing.reached == start else None

    def _remember(self, tail: Tail) -> None:
        if tail.hashing is not None:
            self._ground.hashes.remember(self.id, tail.hashing)

    async def _take_back(self, start: int) -> None:
        self._ground.hashes.forget(self.id)
        await in_thread(lambda: os.ftruncate(self._descriptor, start))


def _not_as_said() -> ServeError:
    return ServeError("cannot take the chunk: it is not as long as it said", status=400, registry_code="SIZE_INVALID")


def _too_long(most: int) -> ServeError:
    return ServeError(f"cannot take the blob: it is larger than {most} bytes", status=413, registry_code="SIZE_INVALID")
