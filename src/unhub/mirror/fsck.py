"""Checking a cache that no server uses: every byte is hashed again, and every row is held against what is there.

Two sorts of things are found. What is wrong would be served wrongly or not at all though it was acknowledged; what is left
over (a file without a row, a transfer that was cut) is what a kill may leave, harms nobody, and only takes space.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest
from unhub.image.manifest import Descriptor, Manifest
from unhub.mirror.healing import Healer, Mended
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import BlobInfo, RepositoryKey, StoredManifest, StoredRepository

PAGE: Final = 500
"""Rows that are read at once."""

TOLD_MAX: Final = 100_000
"""Lost blobs that are remembered, so that each is told once."""

_FOREIGN: Final = ("application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable.")
"""Layers that registries do not keep (OCI image specification 1.1, layer.md, "Non-Distributable Layers")."""


class Kind(StrEnum):
    """What can be found."""

    DAMAGED_BLOB = "damaged blob"
    LOST_BLOB = "lost blob"
    WRONG_SIZE = "wrong size"
    DAMAGED_MANIFEST = "damaged manifest"
    MISSING_LINK = "missing link"
    TAG_WITHOUT_MANIFEST = "tag without manifest"
    SHORT_UPLOAD = "short upload"
    FILE_WITHOUT_ROW = "file without row"
    TRANSFER = "cut transfer"
    UPLOAD = "abandoned upload"

    @property
    def is_wrong(self) -> bool:
        """Whether something would be served wrongly, or not at all; the others are left over and harmless."""
        return self not in (Kind.FILE_WITHOUT_ROW, Kind.TRANSFER, Kind.UPLOAD)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is not as it should be. ``action`` says what was done about it, ``None``: nothing.

    ``mended`` says that all is well now: the content is there again, or will be fetched when it is asked for.
    """

    kind: Kind
    what: str
    note: str = ""
    action: str | None = None
    mended: bool = False


@dataclass(slots=True)
class Looked:
    """How much was looked at."""

    blobs: int = 0
    bytes: int = 0
    manifests: int = 0
    tags: int = 0


class Progress(Protocol):
    """Is told how many bytes of how many were hashed."""

    def __call__(self, done: int, total: int, /) -> None:
        """See the class."""
        ...


class Checker:
    """Looks at everything once. Nothing is changed without a ``healer``."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        *,
        spool: Path,
        uploads: Path,
        healer: Healer | None = None,
        progress: Progress | None = None,
    ) -> None:
        """``spool`` and ``uploads`` are the folders of transfers and uploads under way."""
        self._metadata = metadata
        self._blobs = blobs
        self._spool = spool
        self._uploads = uploads
        self._healer = healer
        self._progress = progress
        self._told: set[Digest] = set()
        self.looked = Looked()

    async def run(self) -> AsyncIterator[Found]:
        """Everything that is found, as it is found and dealt with."""
        for part in (self._files, self._rows, self._repositories, self._transfers, self._open_uploads):
            async for found in part():
                yield found

    async def _files(self) -> AsyncIterator[Found]:
        total = await self._metadata.eviction.usage()
        async for digest, info in self._blobs.all():
            self.looked.blobs += 1
            right = await self._hash(digest)
            self.looked.bytes += info.size
            if self._progress is not None:
                self._progress(self.looked.bytes, max(total, self.looked.bytes))
            found = await self._file(digest, info, right)
            if found is not None:
                yield found

    async def _file(self, digest: Digest, info: BlobInfo, right: bool | None) -> Found | None:
        if right is None:
            return None  # it went away while we looked: an export or another reader does not do that, a person may
        row = await self._metadata.blobs.size(digest)
        if not right:
            self._tell(digest)
            return await self._dealt(
                Kind.DAMAGED_BLOB, str(digest), "its bytes are not what its name says", lambda h: h.replace_blob(digest)
            )
        if row is None:
            return await self._dealt(Kind.FILE_WITHOUT_ROW, str(digest), "", lambda h: h.settle_file(digest, info.size))
        if row != info.size:
            note = f"noted as {row} bytes, it has {info.size}"
            return await self._dealt(Kind.WRONG_SIZE, str(digest), note, lambda h: h.note_size(digest, info.size))
        return None

    async def _hash(self, digest: Digest) -> bool | None:
        """Whether the bytes of a file are right; ``None`` where there is none any more."""
        hash_ = hashlib.new(digest.algorithm, usedforsecurity=False)
        try:
            async with self._blobs.open(digest) as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(hash_.update, piece)
        except FileNotFoundError:
            return None
        except OSError:
            return False
        return hash_.hexdigest() == digest.encoded

    async def _rows(self) -> AsyncIterator[Found]:
        after = ""
        while page := await self._metadata.blobs.stored(after, PAGE):
            after = str(page[-1][0])
            for digest, _size in page:
                if digest not in self._told and await self._blobs.stat(digest) is None:
                    self._tell(digest)
                    note = "it is noted as stored, and there is no file"
                    yield await self._dealt(Kind.LOST_BLOB, str(digest), note, lambda h, lost=digest: h.replace_blob(lost))

    async def _repositories(self) -> AsyncIterator[Found]:
        after: RepositoryKey | None = None
        while page := await self._metadata.repositories.names(after=after, limit=PAGE):
            after = page[-1]
            for key in page:
                repository = await self._metadata.repositories.get(key)
                if repository is None:
                    continue
                async for found in self._manifests(repository):
                    yield found
                async for found in self._tags(repository):
                    yield found

    async def _manifests(self, repository: StoredRepository) -> AsyncIterator[Found]:
        after = ""
        while page := await self._metadata.manifests.digests(repository.key, after=after, limit=PAGE):
            after = str(page[-1])
            for digest in page:
                stored = await self._metadata.manifests.get(repository.key, digest)
                if stored is None:
                    continue
                self.looked.manifests += 1
                async for found in self._manifest(repository, stored):
                    yield found

    async def _manifest(self, repository: StoredRepository, stored: StoredManifest) -> AsyncIterator[Found]:
        digest, key = stored.digest, repository.key
        if hashlib.new(digest.algorithm, stored.data, usedforsecurity=False).hexdigest() != digest.encoded:
            what, note = f"{key}@{digest}", "its bytes are not what its name says"
            yield await self._dealt(Kind.DAMAGED_MANIFEST, what, note, lambda h: h.replace_manifest(digest))
            return
        for descriptor in kept_blobs(stored.manifest):
            blob = descriptor.digest
            linked = await self._metadata.blobs.linked(key, blob)
            if not linked and not repository.own:
                what, note = f"{key}@{digest}", f"its blob {blob} could not be served"
                yield await self._dealt(Kind.MISSING_LINK, what, note, lambda h, lost=blob: h.link(key, lost))
            elif linked and repository.own and blob not in self._told and await self._metadata.blobs.size(blob) is None:
                self._tell(blob)
                note = f"{key}@{digest} needs it, and it is not stored"
                yield await self._dealt(Kind.LOST_BLOB, str(blob), note, lambda h, lost=blob: h.replace_blob(lost))

    async def _tags(self, repository: StoredRepository) -> AsyncIterator[Found]:
        key, after = repository.key, ""
        while page := await self._metadata.manifests.tags(key, after=after, limit=PAGE):
            after = page[-1]
            for name in page:
                tag = await self._metadata.manifests.tag(key, name)
                if tag is None:
                    continue
                self.looked.tags += 1
                if await self._metadata.manifests.get(key, tag.digest) is None:
                    note = f"it means {tag.digest}, which is not here"
                    yield await self._dealt(
                        Kind.TAG_WITHOUT_MANIFEST, f"{key}:{name}", note, lambda h, lost=tag: h.restore_tag(lost, own=repository.own)
                    )

    async def _transfers(self) -> AsyncIterator[Found]:
        for path in await asyncio.to_thread(lambda: list(_files_below(self._spool))):
            note = f"{path.stat().st_size} bytes came" if path.exists() else ""
            yield await self._dealt(Kind.TRANSFER, _digest_of(path) or str(path), note, lambda h, lost=path: h.remove_file(lost))

    async def _open_uploads(self) -> AsyncIterator[Found]:
        uploads = {upload.id: upload for upload in await self._metadata.uploads.abandoned(float("inf"))}
        paths = await asyncio.to_thread(lambda: list(_files_below(self._uploads)))
        for path in paths:
            known = next((upload for upload in uploads.values() if upload.id in path.name), None)
            if known is None:
                yield await self._dealt(Kind.UPLOAD, path.name, "nobody can go on with it", lambda h, lost=path: h.remove_file(lost))
        for upload in uploads.values():
            mine = [path for path in paths if upload.id in path.name]
            size = sum(path.stat().st_size for path in mine if path.exists())
            what = f"{upload.repository} {upload.id}"
            if not mine and upload.offset:
                note = "it has no file: it became a blob, and its row was not taken away any more"
                yield await self._dealt(Kind.UPLOAD, what, note, lambda h, lost=upload.id: h.end_upload(lost))
            elif size < upload.offset:
                note = f"{upload.offset} bytes were acknowledged, {size} are there"
                yield await self._dealt(Kind.SHORT_UPLOAD, what, note, lambda h, lost=upload.id: h.end_upload(lost))

    async def _dealt(self, kind: Kind, what: str, note: str, heal: Callable[[Healer], Coroutine[Any, Any, Mended]]) -> Found:
        """What was found, with what was done about it where that is wanted."""
        if self._healer is None:
            return Found(kind, what, note)
        done = await heal(self._healer)
        return Found(kind, what, note, done.action, done.mended)

    def _tell(self, digest: Digest) -> None:
        if len(self._told) < TOLD_MAX:
            self._told.add(digest)


def kept_blobs(manifest: Manifest) -> list[Descriptor]:
    """The blobs of a manifest that a registry keeps."""
    config = [manifest.config] if manifest.config else []
    return [descriptor for descriptor in [*config, *manifest.layers] if not descriptor.media_type.startswith(_FOREIGN)]


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest_of(path: Path) -> str | None:
    """The digest that a growing file is named after, ``None`` where it is not named so."""
    try:
        return str(Digest.parse(f"{path.parent.name}:{path.name}"))
    except InvalidDigest:
        return None
