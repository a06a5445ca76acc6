"""Fetching manifests: the fewest pulls that are possible, and an answer whenever anybody has one.

The order is that of docs/contracts.md, freshness and order: HEAD at the upstream, which costs nothing; the search for the
digest (:mod:`unhub.mirror.search`); and where the upstream says nothing, a fallback by tag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.mirror.counts import Counts
from unhub.mirror.freshness import BY_TAG
from unhub.mirror.prospect import Prospect
from unhub.mirror.publicity import Publicity
from unhub.mirror.search import Search, Wanted
from unhub.mirror.source import Gone, Unavailable
from unhub.mirror.sources import Upstream
from unhub.registry.answers import Head
from unhub.store.protocols import MetadataStore
from unhub.store.records import Priority, RepositoryKey, StoredManifest, StoredTag

HEAD_SECONDS: Final = 8.0
"""Seconds after which an upstream that does not answer HEAD is passed over where a fallback could be asked."""

GONE_APART: Final = 600.0
"""Seconds between two answers that count as two: something is gone."""


@dataclass(frozen=True, slots=True)
class FetchedTag:
    """A tag with what it means."""

    tag: StoredTag
    manifest: StoredManifest


class ManifestFetcher:
    """Fetches into the store. ``now`` is seconds since 1970, ``clock`` seconds that never go back."""

    def __init__(
        self,
        metadata: MetadataStore,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._metadata = metadata
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self.counts = Counts()
        self.publicity = Publicity(metadata, now=now)

    async def tag(self, upstream: Upstream, key: RepositoryKey, name: str, priority: Priority, prospect: Prospect) -> FetchedTag:
        """What a tag means now, stored. Raises :class:`Gone` and :class:`Unavailable`."""
        try:
            await self.publicity.check(upstream, key, name)
        except Gone:
            await self._note_gone(key, name)
            raise
        try:
            head = await self._head(upstream, key, name)
        except Unavailable as unavailable:
            return await self._by_tag(upstream, key, name, priority, unavailable)
        known = await self._metadata.manifests.get(key, head.digest)
        if known is None:
            manifest, source = await self._search(upstream, Wanted(key, head.digest, priority), prospect).find()
            await self._store(key, manifest, source, [name])
        else:
            await self._point(key, name, known, upstream.source.name)
        return await self._stored(key, name)

    async def digest(
        self, upstream: Upstream, key: RepositoryKey, digest: Digest, priority: Priority, prospect: Prospect
    ) -> StoredManifest:
        """A manifest by its digest, stored. Raises :class:`Gone` and :class:`Unavailable`."""
        await self.publicity.check(upstream, key, digest)
        stored = await self._metadata.manifests.get(key, digest)
        if stored is not None:  # it landed between the caller's look into the store and this flight
            return stored
        manifest, source = await self._search(upstream, Wanted(key, digest, priority), prospect).find()
        await self._store(key, manifest, source, [])
        stored = await self._metadata.manifests.get(key, digest)
        if stored is None:
            raise Unavailable("what was stored was purged at once")
        return stored

    async def _head(self, upstream: Upstream, key: RepositoryKey, name: str) -> Head:
        try:
            return await upstream.source.head(key.path, name, seconds=HEAD_SECONDS if upstream.carrying(key) else None)
        except Gone as gone:
            await self._note_gone(key, name)
            raise gone from None

    async def _note_gone(self, key: RepositoryKey, name: str) -> None:
        """Count an answer that a tag is no more, where it is kept here and the last such answer is some time ago."""
        tag = await self._metadata.manifests.tag(key, name)
        if tag is not None and (tag.gone_count == 0 or self._now() - (tag.gone_since or 0) >= GONE_APART):
            await self._metadata.manifests.note_gone(key, name, self._now())

    async def _by_tag(self, upstream: Upstream, key: RepositoryKey, name: str, priority: Priority, unavailable: Unavailable) -> FetchedTag:
        """The upstream says nothing: what a fallback has under that tag, if nothing is here. HEAD will confirm it later."""
        if await self._metadata.manifests.tag(key, name) is not None or priority is not Priority.CLIENT:
            raise unavailable
        for fallback in upstream.carrying(key):
            try:
                await fallback.source.pace.turn(self._sleep)
                fetched = await fallback.source.get(key.path, name)
            except (Gone, Unavailable):
                continue
            self.counts.by_tag += 1
            self.counts.fell_back(fallback.rules.name)
            await self._store(key, fetched.manifest, fallback.rules.name + BY_TAG, [name])
            return await self._stored(key, name)
        raise unavailable

    def _search(self, upstream: Upstream, wanted: Wanted, prospect: Prospect) -> Search:
        return Search(upstream, wanted, prospect, self.counts, clock=self._clock, sleep=self._sleep)

    async def _store(self, key: RepositoryKey, manifest: Manifest, source: str, tags: Sequence[str]) -> None:
        await self._metadata.manifests.put(key, manifest, now=self._now(), tags=tags, source=source, link_blobs=True)

    async def _point(self, key: RepositoryKey, name: str, known: StoredManifest, source: str) -> None:
        tag = await self._metadata.manifests.tag(key, name)
        if tag is not None and tag.digest == known.digest:
            await self._metadata.manifests.confirm(key, name, self._now(), source)
        else:
            await self._store(key, known.manifest, source, [name])

    async def _stored(self, key: RepositoryKey, name: str) -> FetchedTag:
        found = await self._metadata.manifests.resolve(key, name)
        if found is None:
            raise Unavailable("what was stored was purged at once")
        return FetchedTag(*found)
