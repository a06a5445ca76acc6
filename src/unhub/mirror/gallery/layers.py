"""Layers through the API: whether they are there, and their upload in parts, into the store that the registry serves.

An upload is a session as the registry has them, see :mod:`unhub.mirror.uploads`, of whoever began it through this door.
Each part must join the one before it. A part that comes again, since its answer was lost, is answered as it was.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, ServeError
from unhub.mirror.gallery.quotas import Quotas
from unhub.mirror.gallery.refusals import Refusals
from unhub.mirror.gallery.registry_errors import in_api_words
from unhub.mirror.open_upload import OpenUpload
from unhub.mirror.push import Push
from unhub.mirror.upload_parts import PartList
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records_identity import Registration

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LayerState:
    """A layer that was asked for; ``size`` (bytes) is ``None`` where it is not available, ``media_type`` where nothing tells it."""

    digest: str
    size: int | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class LayerFailure:
    """A digest that is none; ``code`` is one of AWS's failure codes."""

    digest: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a layer: its bytes, and the places of the first and the last of them in the layer."""

    first: int
    last: int
    data: bytes


class Layers:
    """The layers of repositories."""

    def __init__(self, push: Push, metadata: MetadataStore, blobs: BlobStore, refusals: Refusals, quotas: Quotas) -> None:
        self._push = push
        self._metadata = metadata
        self._blobs = blobs
        self._refusals = refusals
        self._quotas = quotas

    async def check(self, repository: Registration, digests: Sequence[str]) -> tuple[list[LayerState], list[LayerFailure]]:
        """Which layers a repository has, each digest once."""
        states: list[LayerState] = []
        failures: list[LayerFailure] = []
        types: dict[Digest, str] = {}
        for text in dict.fromkeys(digests):
            try:
                states.append(await self._state(repository, Digest.parse(text), types))
            except InvalidDigest:
                code = "InvalidLayerDigest" if text else "MissingLayerDigest"
                failures.append(LayerFailure(text, code, self._refusals.reason(code)))
        return states, failures

    async def begin(self, repository: Registration, owner: str) -> tuple[str, int]:
        """A new upload: its id, and how many bytes a part should have. Raises :class:`ApiRefused`."""
        with in_api_words(self._refusals, repository):
            session = await self._push.uploads.begin(repository.key, _door(owner))
        return str(uuid.UUID(session.id)), self._quotas.part_max

    async def add_part(self, repository: Registration, owner: str, upload_id: str, part: Part) -> int:
        """Take a part; the place of the last byte that has come. Raises :class:`ApiRefused`."""
        async with self._opened(repository, owner, upload_id) as upload:
            parts = upload.parts()
            if await _came_before(upload, parts, part):
                return part.last
            self._check_part(repository, upload_id, part, parts)
            await upload.add_part(parts, part.data)
        return part.last

    async def complete(self, repository: Registration, owner: str, upload_id: str, digests: Sequence[str]) -> Digest:
        """Make an upload a layer of the repository, under the first of its digests; each of them must be right.

        Raises :class:`ApiRefused`. An upload whose digest is wrong, or whose layer the repository has, is over.
        """
        named = [self._digest(text) for text in dict.fromkeys(digests)]
        async with self._opened(repository, owner, upload_id) as upload:
            self._check_parts(upload_id, upload.parts())
            for digest in named:
                self._push.uploads.check(digest)
                if not await upload.is_right(digest):
                    await upload.forget()
                    raise self._refusals.make("invalid-layer", digest=digest)
            new = not await self._has(repository, named[0]) and await upload.commit(named[0])
            if not new:
                await upload.forget()
                words = {"digest": named[0], "name": repository.key.path, "registry": repository.account}
                raise self._refusals.make("layer-already-exists", **words)
        return named[0]

    async def _state(self, repository: Registration, digest: Digest, types: dict[Digest, str]) -> LayerState:
        size = await self._metadata.blobs.size(digest) if await self._has(repository, digest) else None
        if size is None or self._is_blocked(digest):
            return LayerState(str(digest))
        if digest not in types:
            types |= await self._types_beside(repository, digest)
        return LayerState(str(digest), size, types.get(digest))

    async def _has(self, repository: Registration, digest: Digest) -> bool:
        return await self._metadata.blobs.linked(repository.key, digest) and await self._blobs.stat(digest) is not None

    def _is_blocked(self, digest: Digest) -> bool:
        try:
            self._push.uploads.check(digest)
        except ServeError:
            return True
        return False

    async def _types_beside(self, repository: Registration, digest: Digest) -> Mapping[Digest, str]:
        """The media types of all blobs of an image that has this one."""
        naming = await self._metadata.images.naming(repository.key, digest)
        stored = None if naming is None else await self._metadata.manifests.get(repository.key, naming)
        if stored is None:
            return {}
        manifest = stored.manifest
        rows = [*manifest.layers, *([manifest.config] if manifest.config else [])]
        return {row.digest: row.media_type for row in rows if row.media_type}

    def _check_part(self, repository: Registration, upload_id: str, part: Part, parts: PartList) -> None:
        """Raise :class:`ApiRefused` where a part does not fit to those before it."""
        size, quotas = len(part.data), self._quotas
        wrong: tuple[str, dict[str, object]] | None = None
        if part.first != parts.reached:
            wrong = "part-not-consecutive", {"first": part.first, "expected": parts.reached}
        elif not size or size != part.last - part.first + 1:
            wrong = "part-size", {"size": size, "expected": max(part.last - part.first + 1, 1)}
        elif size > quotas.part_max:
            wrong = "part-too-large", {"size": size, "most": quotas.part_max}
        if wrong is not None:
            members: dict[str, str | int] = {"registryId": repository.account, "repositoryName": repository.key.path, "uploadId": upload_id}
            if parts.reached:
                members["lastValidByteReceived"] = parts.reached - 1
            raise self._refusals.detailed(*wrong, members=members)
        if len(parts.ends) >= quotas.parts:
            raise self._refusals.make("too-many-parts", upload=upload_id, most=quotas.parts)
        if part.last >= quotas.layer_max:
            raise self._refusals.make("layer-too-large", upload=upload_id, most=quotas.layer_max)

    def _check_parts(self, upload_id: str, parts: PartList) -> None:
        """Raise :class:`ApiRefused` where an upload cannot be a layer."""
        if not parts.ends:
            raise self._refusals.make("empty-upload", upload=upload_id)
        smallest, least = parts.smallest_but_last, self._quotas.part_min
        if smallest is not None and smallest < least:
            raise self._refusals.make("part-too-small", least=f"{least // MIB}MB" if least % MIB == 0 else f"{least} bytes")

    def _digest(self, text: str) -> Digest:
        try:
            return Digest.parse(text)
        except InvalidDigest as error:
            raise self._refusals.make("invalid-parameter", parameter="layerDigests", constraint=error.reason) from None

    @asynccontextmanager
    async def _opened(self, repository: Registration, owner: str, upload_id: str) -> AsyncGenerator[OpenUpload]:
        """The upload for this request alone."""
        session = upload_id.replace("-", "").lower()
        with in_api_words(self._refusals, repository, upload_id):
            async with self._push.uploads.opened(repository.key, _door(owner), session) as upload:
                yield upload


async def _came_before(upload: OpenUpload, parts: PartList, part: Part) -> bool:
    """Whether this is the last part once more, with the same bytes."""
    if not parts.ends or part.first != parts.last_start or part.last + 1 != parts.reached:
        return False
    return len(part.data) == part.last - part.first + 1 and await upload.has(part.first, part.data)


def _door(owner: str) -> str:
    """Whose session it is: what one identity began through the API, it goes on with through the API."""
    return f"api {owner}"
