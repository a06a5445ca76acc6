"""Making room: the least recently used images leave whole, and nothing that somebody is being sent or is pushing.

The order is safe at every moment, also for a kill: the rows of an image leave in one transaction; its files follow after
a grace period, and only if nobody has linked or stored them again in the meantime. A file without a row is therefore
the worst that is ever left, and the next start takes care of those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.mirror.ballast import Ballast
from unhub.mirror.capacity import Capacity, Volume
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey

LOW_WATER: Final = 0.9
"""The share of the cap down to which images are evicted, once the cache has grown beyond the cap."""

ROOM: Final = 256 * 1024 * 1024
"""Bytes that are made free at once where a volume is full, or a tenth of what is used, if that is less."""

DEPTH_MAX: Final = 4
"""Levels of indexes within indexes that are looked into."""


@runtime_checkable
class Sweeping(Protocol):
    """A blob store that keeps the bytes of deleted blobs for a while."""

    async def sweep(self, grace: float | None = None) -> int:
        """Let go of what was deleted longer ago than ``grace`` seconds; how many blobs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """All in seconds.

    ``interval`` lies between two looks, ``orphans`` between two looks at every file, ``chores``
    between two rounds of chores and two searches for content that nothing uses. ``grace`` is how long a file outlives
    its row, ``urgent`` the same where the volume is full. What was used within ``young`` stays; what no image uses goes
    after ``unused``.
    """

    interval: float = 30.0
    orphans: float = 86_400.0
    chores: float = 3_600.0
    grace: float = 60.0
    young: float = 300.0
    unused: float = 86_400.0
    urgent: float = 2.0


@dataclass(slots=True)
class Evictions:
    """What was done since the start, and when last (seconds since 1970). ``failure`` is why the last look failed."""

    images: int = 0
    bytes: int = 0
    last_at: float | None = None
    failure: str | None = None


class Evictor:
    """Keeps the cache below its cap. Lives in the fetcher's event loop, beside the flights."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        capacity: Capacity,
        volume: Callable[[], Volume],
        *,
        in_flight: Callable[[], frozenset[Digest]],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        times: Times | None = None,
        chores: Sequence[Callable[[], Awaitable[object]]] = (),
        ballast: Path | None = None,
    ) -> None:
        """``volume`` looks at the volume of the blobs, ``in_flight`` names what is being fetched; ``now`` is seconds since 1970.

        ``chores`` are what else must be tidied up from time to time (abandoned uploads, old rows). ``ballast`` is a file of a few
        megabytes that is given up where the volume is full: even taking rows out of a database needs space.
        """
        self._metadata = metadata
        self._blobs = blobs
        self._capacity = capacity
        self._volume = volume
        self._in_flight = in_flight
        self._now = now
        self._sleep = sleep
        self._times = times or Times()
        self._chores = chores
        self._ballast = Ballast(ballast, volume)
        self._leaving: dict[Digest, float] = {}
        self._collect_at = 0.0
        self._room = asyncio.Lock()
        self.done = Evictions()

    async def run(self) -> None:
        """Look again and again until cancelled; what fails is noted in :attr:`done` and tried again."""
        look_at_files = do_chores = self._now()
        while True:
            try:
                if self._now() >= look_at_files:
                    await self.find_orphans()
                    look_at_files = self._now() + self._times.orphans
                await self.tend()
                if self._now() >= do_chores:
                    do_chores = self._now() + self._times.chores
                    for chore in self._chores:
                        await chore()
                self.done.failure = None
            except Exception as error:
                self.done.failure = f"{type(error).__name__}: {error}"
            await self._sleep(self._times.interval)

    async def usage(self) -> tuple[int, int]:
        """Bytes that are used, and the cap."""
        used = await self._metadata.eviction.usage()
        return used, self._capacity.limit(used, self._volume())

    async def tend(self) -> None:
        """One look: unused content goes, images go where the cap is exceeded, and files whose time has come."""
        now = self._now()
        if now >= self._collect_at:
            self._collect_at = now + self._times.chores
            for digest, _size in await self._metadata.eviction.collect(now - self._times.unused):
                self._leaving.setdefault(digest, now)
        used, cap = await self.usage()
        if used > cap:
            await self.evict_down_to(int(cap * LOW_WATER), untouched_since=now - self._times.young)
        await self._discard(self._times.grace)
        await self._sweep(None)
        await asyncio.to_thread(self._ballast.take)

    def let_go(self, digests: Iterable[Digest]) -> None:
        """Blobs whose rows were removed (a purge): their files follow as those of evicted ones do."""
        self._leaving.update(dict.fromkeys(digests, self._now()))

    async def find_orphans(self) -> None:
        """Files without a row, which a kill may leave: they are taken in again or deleted, as if just evicted."""
        now = self._now()
        async for digest, _info in self._blobs.all():
            if await self._metadata.blobs.size(digest) is None:
                self._leaving.setdefault(digest, now)

    async def evict_down_to(self, target: int, *, untouched_since: float) -> int:
        """Evict the least recently used images until no more than ``target`` bytes are used; the bytes that this frees.

        Those that were used after ``untouched_since``, are pinned, or have a blob in flight stay.
        """
        left = await self._metadata.eviction.usage()
        freed, kept, limit = 0, set[tuple[RepositoryKey, Digest]](), 64
        while left - freed > target:
            rows = await self._metadata.eviction.oldest(limit)
            before = self.done.images
            for key, digest, accessed_at in rows:
                if (key, digest) in kept or accessed_at > untouched_since:
                    continue
                size = await self._evict(key, digest)
                if size is None:
                    kept.add((key, digest))
                    continue
                freed += size
                if left - freed <= target:
                    return freed
            if self.done.images == before:
                if len(rows) < limit or rows[-1][2] > untouched_since:
                    return freed
                limit *= 4
        return freed

    async def make_room(self) -> bool:
        """The volume is full: free some of it now; whether that could be done. Many may call this at once."""
        full_since = self._now()
        async with self._room:
            if self.done.last_at is not None and self.done.last_at >= full_since:
                return True  # somebody else waited for room, too, and made it
            await asyncio.to_thread(self._ballast.drop)
            try:
                return await self._make_room(full_since)
            except Exception as error:
                self.done.failure = f"no room could be made: {type(error).__name__}: {error}"
                return False

    async def _make_room(self, full_since: float) -> bool:
        used = await self._metadata.eviction.usage()
        freed = await self.evict_down_to(used - max(1, min(ROOM, used // 10)), untouched_since=full_since - self._times.urgent)
        await self._discard(0.0)
        await self._sleep(self._times.urgent)
        swept = await self._sweep(self._times.urgent)
        return freed > 0 or swept > 0

    async def _evict(self, key: RepositoryKey, digest: Digest) -> int | None:
        """Evict one image; the bytes that this frees, ``None`` where it has to stay."""
        flying = self._in_flight()
        if flying and await self._has_part_in(flying, key, digest):
            return None
        evicted = await self._metadata.eviction.evict(key, digest)
        if evicted is None:
            return None
        now = self._now()
        self._leaving.update(dict.fromkeys(evicted.blobs, now))
        self.done.images += 1
        self.done.bytes += evicted.size
        self.done.last_at = now
        return evicted.size

    async def _has_part_in(self, flying: frozenset[Digest], key: RepositoryKey, digest: Digest, depth: int = 0) -> bool:
        """Whether a blob of an image, or of an image below an index, is in flight."""
        stored = await self._metadata.manifests.get(key, digest)
        if stored is None or depth > DEPTH_MAX:
            return False
        manifest = stored.manifest
        if any(one in flying for one in blobs_of(manifest)):
            return True
        for child in manifest.children:
            if await self._has_part_in(flying, key, child.digest, depth + 1):
                return True
        return False

    async def _discard(self, grace: float) -> None:
        """Delete the files of blobs whose rows left long enough ago, unless they are wanted again."""
        before, flying = self._now() - grace, self._in_flight()
        due = [(digest, since) for digest, since in self._leaving.items() if since <= before and digest not in flying]
        for digest, since in due:
            del self._leaving[digest]
            if await self._metadata.blobs.size(digest) is not None:
                continue
            if await self._metadata.blobs.repositories(digest, limit=1):
                await self._take_in(digest)
            else:
                await self._blobs.delete(digest, stored_before=since)

    async def _take_in(self, digest: Digest) -> None:
        """A repository links the file's digest (it was mounted, or another image has it): it is a stored blob again."""
        info = await self._blobs.stat(digest)
        if info is not None:
            await self._metadata.blobs.add(digest, info.size, self._now())

    async def _sweep(self, grace: float | None) -> int:
        return await self._blobs.sweep(grace) if isinstance(self._blobs, Sweeping) else 0


def blobs_of(manifest: Manifest) -> list[Digest]:
    """The configuration and the layers of a manifest, each once."""
    config = [manifest.config] if manifest.config else []
    return list(dict.fromkeys(descriptor.digest for descriptor in [*config, *manifest.layers]))
