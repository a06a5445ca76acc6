"""From the cache to a layout: whole images only, every byte hashed once more on its way out. Reads while a server runs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.mirror.eviction import DEPTH_MAX
from unhub.mirror.fsck import kept_blobs
from unhub.mirror.referring import Referred
from unhub.mirror.transfer import layout
from unhub.mirror.transfer.layout import Entry, Index, Moved
from unhub.mirror.transfer.writing import Writer
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey, StoredManifest, StoredTag

PAGE: Final = 500


class _Incomplete(Exception):
    """An image cannot be exported; the text says why."""


class Exporter:
    """Copies images into a layout. ``hosts`` are how aliases are called outside of the mirror (``docker`` -> ``docker.io``)."""

    def __init__(self, metadata: MetadataStore, blobs: BlobStore, writer: Writer, hosts: Mapping[str, str]) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._writer = writer
        self._hosts = hosts
        self._entries: dict[tuple[str, ...], Entry] = {}
        self._blocked: set[Digest] = set()
        self.written = 0
        """Bytes of blobs that were written."""

    async def everything(self) -> AsyncIterator[Moved]:
        """Every image of every repository: what tags mean, then what was only pulled by digest."""
        await self._begin()
        after: RepositoryKey | None = None
        while page := await self._metadata.repositories.names(after=after, limit=PAGE):
            after = page[-1]
            for key in page:
                async for moved in self._repository(key):
                    yield moved

    async def these(self, wanted: Sequence[Referred]) -> AsyncIterator[Moved]:
        """The images that are named."""
        await self._begin()
        for one in wanted:
            yield await self._one(one.key, one.which)

    def finish(self) -> int:
        """Complete the layout; how many images are in it."""
        self._writer.finish(msgspec.json.encode(Index(2, list(self._entries.values()))))
        return len(self._entries)

    async def _begin(self) -> None:
        self._blocked = {block.digest for block in await self._metadata.policy.blocks()}

    async def _repository(self, key: RepositoryKey) -> AsyncIterator[Moved]:
        seen: set[Digest] = set()
        after = ""
        while page := await self._metadata.manifests.tags(key, after=after, limit=PAGE):
            after = page[-1]
            for name in page:
                yield await self._one(key, name, seen)
        after = ""
        while digests := await self._metadata.manifests.digests(key, after=after, limit=PAGE):
            after = str(digests[-1])
            for digest in digests:
                if digest not in seen:
                    yield await self._one(key, digest, seen)

    async def _one(self, key: RepositoryKey, which: str | Digest, seen: set[Digest] | None = None) -> Moved:
        name = f"{key}@{which}" if isinstance(which, Digest) else f"{key}:{which}"
        tag, stored = await self._find(key, which)
        if stored is None:
            return Moved(name, "", skipped="it is not here")
        before, seen = self.written, set[Digest]() if seen is None else seen
        try:
            count, note = await self._tree(key, stored, seen, 0)
        except _Incomplete as incomplete:
            return Moved(name, str(stored.digest), skipped=str(incomplete))
        await self._enter(key, stored, tag)
        return Moved(name, str(stored.digest), count, self.written - before, note)

    async def _find(self, key: RepositoryKey, which: str | Digest) -> tuple[StoredTag | None, StoredManifest | None]:
        if isinstance(which, Digest):
            return None, await self._metadata.manifests.get(key, which)
        return await self._metadata.manifests.resolve(key, which) or (None, None)

    async def _tree(self, key: RepositoryKey, stored: StoredManifest, seen: set[Digest], depth: int) -> tuple[int, str | None]:
        """Copy a manifest and what is below it; how many blobs it has, and what is lacking of an index.

        An index keeps its bytes; platforms that were never pulled are not in the layout. What is attached comes along.
        """
        if depth > DEPTH_MAX:
            raise _Incomplete("its indexes are nested too deep")
        self._check_blocked(stored.digest)
        manifest, count, note = stored.manifest, 0, None
        if manifest.is_index:
            count, there = await self._children(key, manifest, seen, depth)
            if manifest.children and not there:
                raise _Incomplete("no platform of it is here whole")
            if there < len(manifest.children):
                note = f"{there} of {len(manifest.children)} manifests"
        else:
            count = await self._layers(manifest)
        await self._data(stored.digest, stored.data)
        seen.add(stored.digest)
        await self._attached(key, stored.digest, seen, depth)
        return count, note

    async def _children(self, key: RepositoryKey, manifest: Manifest, seen: set[Digest], depth: int) -> tuple[int, int]:
        count = there = 0
        for child in manifest.children:
            stored = await self._metadata.manifests.get(key, child.digest)
            if stored is None:
                continue
            try:
                blobs, _ = await self._tree(key, stored, seen, depth + 1)
            except _Incomplete:
                continue
            count, there = count + blobs, there + 1
        return count, there

    async def _attached(self, key: RepositoryKey, digest: Digest, seen: set[Digest], depth: int) -> None:
        """Signatures and the like, each with a row of its own, since nothing in the image points at them."""
        for referrer in await self._metadata.manifests.referrers(key, digest):
            stored = await self._metadata.manifests.get(key, referrer.digest)
            if stored is None or stored.digest in seen:
                continue
            try:
                await self._tree(key, stored, seen, depth + 1)
            except _Incomplete:
                continue
            await self._enter(key, stored, None)

    async def _layers(self, manifest: Manifest) -> int:
        wanted = list(dict.fromkeys(descriptor.digest for descriptor in kept_blobs(manifest)))
        for digest in wanted:
            self._check_blocked(digest)
            if await self._blobs.stat(digest) is None:
                raise _Incomplete(f"its blob {digest} is not here")
        for digest in wanted:
            await self._blob(digest)
        return len(wanted)

    async def _blob(self, digest: Digest) -> None:
        info = await self._blobs.stat(digest)
        if self._writer.has(digest):
            return
        if info is None:
            raise _Incomplete(f"its blob {digest} went away")
        hash_ = hashlib.new(digest.algorithm, usedforsecurity=False)
        growing = await asyncio.to_thread(self._writer.begin, digest, info.size)
        size = 0
        try:
            async with self._blobs.open(digest) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    await asyncio.to_thread(hash_.update, piece)
                    await asyncio.to_thread(growing.write, piece)
        except FileNotFoundError:
            growing.drop()
            raise _Incomplete(f"its blob {digest} went away") from None
        except BaseException:
            growing.drop()
            raise
        if hash_.hexdigest() != digest.encoded or size != info.size:
            growing.drop()
            raise _Incomplete(f"its blob {digest} is damaged; `unhub cache fsck --heal` mends it")
        await asyncio.to_thread(growing.keep)
        self.written += size

    async def _data(self, digest: Digest, data: bytes) -> None:
        if not self._writer.has(digest):
            growing = self._writer.begin(digest, len(data))
            growing.write(data)
            await asyncio.to_thread(growing.keep)

    async def _enter(self, key: RepositoryKey, stored: StoredManifest, tag: StoredTag | None) -> None:
        """Add a row to the index."""
        repository = await self._metadata.repositories.get(key)
        annotations = {layout.ALIAS: key.alias, layout.PATH: key.path}
        if repository is not None and repository.own:
            annotations[layout.OWN] = "true"
        if tag is not None:
            shown = f"{self._hosts.get(key.alias, key.alias)}/{key.path}:{tag.name}"
            annotations |= {layout.NAME: shown, layout.TAG: tag.name, layout.CHECKED: f"{tag.checked_at:.0f}"}
        name = tag.name if tag else str(stored.digest)
        self._entries[key.alias, key.path, name] = Entry(stored.media_type, str(stored.digest), len(stored.data), annotations)

    def _check_blocked(self, digest: Digest) -> None:
        if digest in self._blocked:
            raise _Incomplete(f"{digest} is blocked here")
