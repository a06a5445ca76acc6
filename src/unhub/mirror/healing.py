"""Mending what a check has found: fetched again from upstream by digest, or removed, and said which.

What was pushed here has no upstream. Where its bytes are damaged they are removed all the same, since wrong bytes are worse
than none; it is then told as lost, and pushing it again brings it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from unhub.image.digest import Digest
from unhub.image.errors import UnhubError
from unhub.mirror.source import Gone, Unavailable
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import Priority, RepositoryKey, StoredManifest, StoredTag


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done, in words, and whether all is well now."""

    action: str
    mended: bool = True


class Transfer(Protocol):
    """A blob on its way; see :class:`unhub.mirror.blobs.BlobFlight`."""

    def progress(self) -> AsyncIterator[int]:
        """Bytes that came; ends when it is stored, raises what it failed of."""
        ...


class Upstreams(Protocol):
    """Who can fetch again; see :class:`unhub.mirror.fetcher.Fetcher`."""

    async def digest(self, key: RepositoryKey, digest: Digest, *, priority: Priority = Priority.CLIENT) -> StoredManifest:
        """A manifest, stored."""
        ...

    async def blob(self, key: RepositoryKey, digest: Digest) -> Transfer:
        """A blob's flight."""
        ...


class Healer:
    """Mends one thing at a time. ``upstreams`` ``None``: nothing can be fetched (``--offline``)."""

    def __init__(
        self, metadata: MetadataStore, blobs: BlobStore, upstreams: Upstreams | None, aliases: frozenset[str], *, now: Callable[[], float]
    ) -> None:
        """``aliases`` are those that are pulled through; ``now`` is seconds since 1970."""
        self._metadata = metadata
        self._blobs = blobs
        self._upstreams = upstreams
        self._aliases = aliases
        self._now = now

    async def replace_blob(self, digest: Digest) -> Mended:
        """Remove what is there of a blob, and fetch it again for whoever links it."""
        await self._blobs.delete(digest)
        await self._metadata.blobs.forget(digest)
        keys = await self._metadata.blobs.repositories(digest)
        pushed = [key for key in keys if key.alias not in self._aliases]
        for key in keys:
            if key not in pushed and await self._fetched(self._blob(key, digest)):
                return Mended(f"fetched again through {key}")
        if pushed:
            return Mended(f"lost: push it again to {', '.join(map(str, pushed[:3]))}", mended=False)
        return Mended("removed: it will be fetched when it is asked for")

    async def settle_file(self, digest: Digest, size: int) -> Mended:
        """Take a file in where a repository may serve it, else delete it."""
        if await self._metadata.blobs.repositories(digest, limit=1):
            await self._metadata.blobs.add(digest, size, self._now())
            return Mended("taken in: its bytes are right, and a repository has it")
        await self._blobs.delete(digest)
        return Mended("removed")

    async def note_size(self, digest: Digest, size: int) -> Mended:
        """Write down how large a blob is."""
        await self._metadata.blobs.add(digest, size, self._now())
        return Mended("noted anew")

    async def link(self, key: RepositoryKey, digest: Digest) -> Mended:
        """Let a repository serve a blob that its manifest names."""
        await self._metadata.blobs.link(key, digest, self._now())
        return Mended("linked")

    async def replace_manifest(self, digest: Digest) -> Mended:
        """Remove a manifest everywhere, and fetch it again with the tags that meant it."""
        keys = await self._metadata.blobs.repositories(digest)
        tags = {key: await self._tags(key, digest) for key in keys}
        for key in keys:
            await self._metadata.manifests.delete(key, digest)
        lost = [key for key in keys if key.alias not in self._aliases or not await self._restore(key, digest, tags[key])]
        if not lost:
            return Mended("fetched again")
        pushed = [key for key in lost if key.alias not in self._aliases]
        if pushed:
            return Mended(f"lost: push it again to {', '.join(map(str, pushed[:3]))}", mended=False)
        return Mended("removed: it will be fetched when it is asked for")

    async def restore_tag(self, tag: StoredTag, *, own: bool) -> Mended:
        """Fetch what a tag means, or remove the tag."""
        if not own and await self._restore(tag.repository, tag.digest, [tag]):
            return Mended("fetched again")
        await self._metadata.manifests.delete_tag(tag.repository, tag.name)
        return Mended("removed: push it again", mended=False) if own else Mended("removed: it will be fetched when it is asked for")

    async def remove_file(self, path: Path) -> Mended:
        """Remove what a transfer left."""
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return Mended("removed")

    async def end_upload(self, upload_id: str) -> Mended:
        """Forget an upload: its client begins anew."""
        await self._metadata.uploads.end(upload_id)
        return Mended("ended: its client begins anew")

    async def _tags(self, key: RepositoryKey, digest: Digest) -> list[StoredTag]:
        names = await self._metadata.manifests.tags(key)
        found = [await self._metadata.manifests.tag(key, name) for name in names]
        return [tag for tag in found if tag is not None and tag.digest == digest]

    async def _restore(self, key: RepositoryKey, digest: Digest, tags: list[StoredTag]) -> bool:
        """Fetch a manifest again, and point its tags at it as they were."""
        if not await self._fetched(self._manifest(key, digest)):
            return False
        stored = await self._metadata.manifests.get(key, digest)
        if stored is None:
            return False
        for tag in tags:
            put = self._metadata.manifests.put
            await put(key, stored.manifest, now=tag.checked_at, tags=[tag.name], source=tag.source, link_blobs=True)
        return True

    async def _manifest(self, key: RepositoryKey, digest: Digest) -> None:
        if self._upstreams is None:
            raise Unavailable("nothing is fetched")
        await self._upstreams.digest(key, digest, priority=Priority.PREFETCH)

    async def _blob(self, key: RepositoryKey, digest: Digest) -> None:
        if self._upstreams is None:
            raise Unavailable("nothing is fetched")
        async for _ in (await self._upstreams.blob(key, digest)).progress():
            pass

    async def _fetched(self, work: Awaitable[None]) -> bool:
        try:
            await work
        except (UnhubError, Gone, Unavailable, OSError):
            return False
        return True
