"""Uploads of blobs: files that grow by chunks, hashed while they come, and become blobs when their digest is right.

A session's file is the truth about how far it is, so that several workers may serve the chunks of one upload; a lock on
the file keeps two of them from writing at once.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.hashing import Hashes, Hashing
from unhub.mirror.open_upload import Chunk, OpenUpload, Session, UploadGround
from unhub.mirror.upload_files import UploadFiles, unknown_upload
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey, Upload
from unhub.store.refusals import NoSuchRepository

BLOB_SIZE_MAX: Final = 512 * 1024**3
"""Bytes of the largest blob that is taken."""

TOUCHED: Final = 300.0
"""Seconds between notes that a session is still used: they are written to the disk, and the file tells how far it is."""

_ID: Final = re.compile(r"[0-9a-f]{32}")


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
        create: bool = True,
        check: Callable[[Digest], None] = lambda _: None,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """``folder`` holds the growing files, ``now`` is seconds since 1970, ``new_id`` makes ids that nobody can guess.

        ``check`` raises :class:`ServeError` for digests that must not be taken, ``create`` says whether a push may make its
        repository.
        """
        self._metadata = metadata
        self._files = UploadFiles(folder)
        self._hashes = Hashes()
        self._now = now
        self._check_digest = check
        self._new_id = new_id
        self._ground = UploadGround(
            metadata=metadata, blobs=blobs, files=self._files, hashes=self._hashes, now=now, size_max=size_max, create=create
        )

    async def begin(self, key: RepositoryKey, owner: str, algorithm: str = "sha256") -> Session:
        """A new session; ``algorithm`` is that of the digest that will probably be named at its end. Raises :class:`ServeError`."""
        upload_id, now = self._new_id(), self._now()
        self._files.create(upload_id)
        with _repository_there():
            await self._metadata.uploads.begin(Upload(upload_id, key, owner, 0, now, now), create=self._ground.create)
        self._hashes.remember(upload_id, Hashing.new(algorithm))
        return Session(upload_id, 0)

    async def status(self, key: RepositoryKey, owner: str, upload_id: str) -> Session:
        """How far a session is. Raises :class:`ServeError`, ``BLOB_UPLOAD_UNKNOWN``."""
        await self._check(key, owner, upload_id)
        try:
            return Session(upload_id, self._files.path(upload_id).stat().st_size)
        except OSError:
            raise unknown_upload() from None

    async def append(self, key: RepositoryKey, owner: str, upload_id: str, chunk: Chunk) -> Session:
        """Add bytes. What came before a client left stays. Raises :class:`OutOfOrder` and :class:`ServeError`."""
        async with self.opened(key, owner, upload_id) as upload:
            return Session(upload_id, await upload.receive(chunk))

    async def finish(self, key: RepositoryKey, owner: str, upload_id: str, digest: Digest, chunk: Chunk) -> None:
        """Add the last bytes, verify, and make it a blob of the repository.

        Raises :class:`OutOfOrder`, and :class:`ServeError` ``DIGEST_INVALID``: then the session is over and nothing is kept.
        """
        await self._check(key, owner, upload_id)
        self._check_digest(digest)
        async with self._open(key, upload_id) as upload:
            await upload.receive(chunk, digest.algorithm)
            if not await upload.is_right(digest):
                await upload.forget()
                raise _wrong(digest)
            await upload.commit(digest)

    async def whole(self, key: RepositoryKey, digest: Digest, chunk: Chunk) -> None:
        """A blob in one request. Raises :class:`ServeError`."""
        self._check_digest(digest)
        upload_id = self._new_id()
        self._files.create(upload_id)
        try:
            async with self._open(key, upload_id) as upload:
                await upload.receive(chunk, digest.algorithm)
                if not await upload.is_right(digest):
                    raise _wrong(digest)
                await upload.commit(digest)
        finally:
            self._hashes.forget(upload_id)
            self._files.remove(upload_id)

    async def cancel(self, key: RepositoryKey, owner: str, upload_id: str) -> None:
        """Forget a session and its bytes. Raises :class:`ServeError`, ``BLOB_UPLOAD_UNKNOWN``."""
        await self._check(key, owner, upload_id)
        async with self._open(key, upload_id) as upload:
            await upload.forget()

    @asynccontextmanager
    async def opened(self, key: RepositoryKey, owner: str, upload_id: str) -> AsyncGenerator[OpenUpload]:
        """A session for one request alone, noted as used. Raises :class:`ServeError`.

        Whoever makes it a blob asks :meth:`check` first.
        """
        found = await self._check(key, owner, upload_id)
        async with self._open(key, upload_id) as upload:
            yield upload
        if self._now() - found.touched_at > TOUCHED:
            await self._metadata.uploads.advance(upload_id, self._size(upload_id), self._now())

    def check(self, digest: Digest) -> None:
        """Raise :class:`ServeError` where a blob must not be taken."""
        self._check_digest(digest)

    async def clean(self, before: float) -> int:
        """Forget sessions and files that nobody has touched since ``before`` (seconds since 1970); how many."""
        gone = 0
        for upload in await self._metadata.uploads.abandoned(before):
            if self._files.touched(upload.id) < before:
                self._hashes.forget(upload.id)
                self._files.remove(upload.id)
                await self._metadata.uploads.end(upload.id)
                gone += 1
        return gone + await asyncio.to_thread(self._files.sweep, before)

    async def _check(self, key: RepositoryKey, owner: str, upload_id: str) -> Upload:
        """The grammar of the id stands before any path is made of it."""
        found = await self._metadata.uploads.get(key, upload_id) if _ID.fullmatch(upload_id) else None
        if found is None or not secrets.compare_digest(found.owner.encode("utf-8"), owner.encode("utf-8")):
            raise unknown_upload()
        return found

    @asynccontextmanager
    async def _open(self, key: RepositoryKey, upload_id: str) -> AsyncGenerator[OpenUpload]:
        async with self._files.opened(upload_id) as descriptor:
            with _repository_there():
                yield OpenUpload(self._ground, key, upload_id, descriptor)

    def _size(self, upload_id: str) -> int:
        path = self._files.path(upload_id)
        return path.stat().st_size if path.exists() else 0


@contextmanager
def _repository_there() -> Generator[None]:
    """A repository that was deleted meanwhile is said to the client."""
    try:
        yield
    except NoSuchRepository as error:
        message = f"cannot take the blob: there is no repository {error.key}"
        raise ServeError(message, status=404, registry_code="NAME_UNKNOWN") from None


def _wrong(digest: Digest) -> ServeError:
    return ServeError(f"cannot keep the blob: its bytes are not {digest}", status=400, registry_code="DIGEST_INVALID")
