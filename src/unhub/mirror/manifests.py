"""Fetching manifests: the fewest pulls that are possible, and an answer whenever anybody has one.

The order is that of docs/contracts.md, freshness and order: HEAD at the upstream, which costs nothing; the digest from a
fallback; a pull of the upstream where no fallback has it in time; and where the upstream says nothing, a fallback by tag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, RegistryError
from unhub.image.manifest import Manifest
from unhub.mirror.freshness import BY_TAG
from unhub.mirror.source import Gone, Source, Unavailable
from unhub.mirror.upstream import FallbackRules, UpstreamRules
from unhub.registry.answers import Head
from unhub.store.protocols import MetadataStore
from unhub.store.records import Priority, RepositoryKey, StoredManifest, StoredTag

PATIENCE: Final = 900.0
"""Seconds that a flight goes on for, with or without somebody who waits: what was promised by ``Retry-After`` must come true."""

LOOK_AGAIN: Final = 5.0
"""Seconds between two free looks at an upstream whose pulls are used up."""

FIRST_LOOK: Final = 0.5
"""Seconds before the first look after a fault, doubled at each."""

ATTEMPTS: Final = 5
"""Times that a fallback is asked for a manifest whose turn had come, before the others are."""

MARGIN: Final = 0.5
"""Seconds that an answer takes after its slot has come."""

HEAD_SECONDS: Final = 8.0
"""Seconds after which an upstream that does not answer HEAD is passed over where a fallback could be asked."""

PUBLIC_AGAIN: Final = 86_400.0
"""Seconds after which it is looked at again whether a repository is public."""

GONE_APART: Final = 600.0
"""Seconds between two answers that count as two: something is gone."""


@dataclass(slots=True)
class Fallback:
    """A fallback with the rules of when to ask it."""

    rules: FallbackRules
    source: Source


@dataclass(slots=True)
class Upstream:
    """An upstream, its fallbacks, and where it is asked without a login (to see what is public).

    ``more`` are the same registry with other logins, whose pulls are spent when those of ``source`` are used up.
    """

    rules: UpstreamRules
    source: Source
    fallbacks: Sequence[Fallback] = ()
    anonymous: Source | None = None
    more: Sequence[Source] = ()

    @property
    def has_login(self) -> bool:
        """Whether an account is used that may read more than everybody may."""
        return self.anonymous is not None


@dataclass(slots=True)
class Prospect:
    """What a flight knows of its end: ``at`` is a time of the clock, ``None`` where it cannot be told."""

    at: float | None = None
    cause: str = ""
    limited: bool = False


@dataclass(slots=True)
class Tried:
    """What a flight learned of its fallbacks, by name: who does not have the digest, and who failed and rests until the next look.

    A fallback that failed once is asked once more at once: one broken connection says nothing about the next.
    """

    lacking: set[str] = field(default_factory=set[str])
    resting: set[str] = field(default_factory=set[str])
    failed: set[str] = field(default_factory=set[str])
    looks: int = 0

    def may_ask(self, fallback: Fallback) -> bool:
        """Whether it may have the digest, and may be asked now."""
        return fallback.rules.name not in self.lacking and fallback.rules.name not in self.resting

    def note_failure(self, fallback: Fallback) -> None:
        """It did not answer, or with what cannot be used."""
        name = fallback.rules.name
        if name in self.failed:
            self.resting.add(name)
        self.failed.add(name)

    def pause(self) -> float:
        """Seconds until the next look: few at first. Those who rest may be asked after it."""
        self.resting.clear()
        self.failed.clear()
        self.looks += 1
        return min(LOOK_AGAIN, FIRST_LOOK * 2 ** (self.looks - 1))


@dataclass(frozen=True, slots=True)
class Sought:
    """A digest that a flight looks for, since when, and what was tried."""

    key: RepositoryKey
    digest: Digest
    started: float
    tried: Tried = field(default_factory=Tried)


@dataclass(frozen=True, slots=True)
class FetchedTag:
    """A tag with what it means."""

    tag: StoredTag
    manifest: StoredManifest


@dataclass(slots=True)
class Counts:
    """What was done, for the metrics."""

    upstream_pulls: int = 0
    fallback_gets: int = 0
    saved_pulls: int = 0
    by_tag: int = 0
    per_source: dict[str, int] = field(default_factory=dict[str, int])


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

    async def tag(self, upstream: Upstream, key: RepositoryKey, name: str, priority: Priority, prospect: Prospect) -> FetchedTag:
        """What a tag means now, stored. Raises :class:`Gone` and :class:`Unavailable`."""
        try:
            await self.check_public(upstream, key, name)
        except Gone:
            await self._note_gone(key, name)
            raise
        try:
            head = await self._head(upstream, key, name)
        except Unavailable as unavailable:
            return await self._by_tag(upstream, key, name, priority, unavailable)
        known = await self._metadata.manifests.get(key, head.digest)
        if known is None:
            manifest, source = await self._by_digest(upstream, key, head.digest, priority, prospect)
            await self._store(key, manifest, source, [name])
        else:
            await self._point(key, name, known, upstream.source.name)
        return await self._stored(key, name)

    async def digest(
        self, upstream: Upstream, key: RepositoryKey, digest: Digest, priority: Priority, prospect: Prospect
    ) -> StoredManifest:
        """A manifest by its digest, stored. Raises :class:`Gone` and :class:`Unavailable`."""
        await self.check_public(upstream, key, digest)
        stored = await self._metadata.manifests.get(key, digest)
        if stored is not None:  # it landed between the caller's look into the store and this flight
            return stored
        manifest, source = await self._by_digest(upstream, key, digest, priority, prospect)
        await self._store(key, manifest, source, [])
        stored = await self._metadata.manifests.get(key, digest)
        if stored is None:
            raise Unavailable("what was stored was purged at once")
        return stored

    async def check_public(self, upstream: Upstream, key: RepositoryKey, which: str | Digest) -> None:
        """Find out whether everybody may read a repository, where an account might read more; kept with it.

        Raises :class:`Gone` for what is private, unless the settings serve it, and :class:`Unavailable` where nobody can tell.
        """
        anonymous = upstream.anonymous
        if anonymous is not None:
            await self._prove_public(upstream, key, lambda: anonymous.head(key.path, which))

    async def check_listable(self, upstream: Upstream, key: RepositoryKey) -> None:
        """The same where no manifest is asked for: whoever may list the tags of a repository may read it."""
        anonymous = upstream.anonymous
        if anonymous is None:
            return

        async def first() -> None:
            async for _ in anonymous.registry.tags(anonymous.place.reference(key.path, "latest")):
                return

        await self._prove_public(upstream, key, lambda: anonymous.ask(first))

    async def _prove_public(self, upstream: Upstream, key: RepositoryKey, prove: Callable[[], Awaitable[object]]) -> None:
        if upstream.rules.serve_private:
            return
        stored = await self._metadata.repositories.get(key)
        if stored is not None and stored.public is not None and self._now() - (stored.public_checked_at or 0) < PUBLIC_AGAIN:
            if not stored.public:
                raise Gone(_private(key, upstream))
            return
        try:
            await prove()
        except Gone as gone:
            if not isinstance(gone.error, AccessRefused):
                raise
            await self._metadata.repositories.set_public(key, False, self._now())
            raise Gone(_private(key, upstream)) from None
        except Unavailable:
            if stored is not None and stored.public:
                return
            raise
        await self._metadata.repositories.set_public(key, True, self._now())

    async def _head(self, upstream: Upstream, key: RepositoryKey, name: str) -> Head:
        try:
            return await upstream.source.head(key.path, name, seconds=HEAD_SECONDS if _carrying(upstream, key) else None)
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
        for fallback in _carrying(upstream, key):
            try:
                await fallback.source.pace.turn(self._sleep)
                fetched = await fallback.source.get(key.path, name)
            except (Gone, Unavailable):
                continue
            self.counts.by_tag += 1
            self._count_fallback(fallback)
            await self._store(key, fetched.manifest, fallback.rules.name + BY_TAG, [name])
            return await self._stored(key, name)
        raise unavailable

    async def _by_digest(
        self, upstream: Upstream, key: RepositoryKey, digest: Digest, priority: Priority, prospect: Prospect
    ) -> tuple[Manifest, str]:
        sought = Sought(key, digest, self._clock())
        tried = sought.tried
        last: Gone | Unavailable = Unavailable(f"nobody has {digest}")
        while True:
            fallbacks = [fallback for fallback in _carrying(upstream, key) if tried.may_ask(fallback)]
            for fallback in fallbacks:
                if fallback.source.pace.free_in() <= (upstream.rules.fallback_hold if priority is Priority.CLIENT else 0.0):
                    manifest = await self._from_fallback(fallback, key, digest, tried)
                    if manifest is not None:
                        return manifest, fallback.rules.name
            try:
                return await self._from_upstream(upstream, key, digest, priority), upstream.source.name
            except Gone as gone:
                last = gone
                if not any(tried.may_ask(fallback) for fallback in fallbacks):
                    raise
            except Unavailable as unavailable:
                last = unavailable
            if priority is not Priority.CLIENT:
                raise last
            found = await self._wait(upstream, sought, last, prospect)
            if found is not None:
                return found

    async def _from_fallback(self, fallback: Fallback, key: RepositoryKey, digest: Digest, tried: Tried) -> Manifest | None:
        """A manifest from a fallback at its next slot; ``None``, and noted, where it does not have it, or fails."""
        if fallback.source.breaker.shut_for:
            tried.resting.add(fallback.rules.name)
            return None
        for attempt in range(ATTEMPTS):
            await fallback.source.pace.turn(self._sleep, first=attempt > 0)
            try:
                fetched = await fallback.source.get(key.path, digest)
            except Gone:
                tried.lacking.add(fallback.rules.name)
                return None
            except Unavailable as unavailable:
                if not self._may_ask_again(fallback, unavailable, tried):
                    return None
            else:
                self._count_fallback(fallback)
                self.counts.saved_pulls += 1
                return fetched.manifest
        return None

    def _may_ask_again(self, fallback: Fallback, unavailable: Unavailable, tried: Tried) -> bool:
        """Whether a fallback that did not answer is asked again at its next turn."""
        if unavailable.retry_in is None:
            tried.note_failure(fallback)
        elif unavailable.retry_in > LOOK_AGAIN:
            tried.resting.add(fallback.rules.name)
        return tried.may_ask(fallback)

    async def _from_upstream(self, upstream: Upstream, key: RepositoryKey, digest: Digest, priority: Priority) -> Manifest:
        """A counted pull, with the first login that has one left. Raises :class:`Gone` and :class:`Unavailable`."""
        refills: list[float] = []
        for source in (upstream.source, *upstream.more):
            if _may_spend(source, priority):
                try:
                    fetched = await source.get(key.path, digest)
                except Unavailable:
                    if _may_spend(source, priority):
                        raise
                else:
                    self.counts.upstream_pulls += 1
                    self.counts.per_source[source.name] = self.counts.per_source.get(source.name, 0) + 1
                    return fetched.manifest
            refill = None if source.ledger is None else source.ledger.refill_in(source.name, source.credential)
            refills += [] if refill is None else [refill]
        cause = f"the pull limit of {upstream.rules.title} is used up"
        raise Unavailable(cause, retry_in=min(refills, default=None), limited=True)

    async def _wait(self, upstream: Upstream, sought: Sought, last: Gone | Unavailable, prospect: Prospect) -> tuple[Manifest, str] | None:
        """Wait for whatever comes first: a fallback's slot, the upstream's return, or a free look that shows new pulls."""
        usable = [fallback for fallback in _carrying(upstream, sought.key) if sought.tried.may_ask(fallback)]
        now = self._clock()
        if usable:
            first = min(usable, key=lambda fallback: fallback.source.pace.free_in())
            slot = first.source.pace.free_in()
            if now + slot > sought.started + PATIENCE:
                raise Unavailable(f"too many wait for {first.rules.name}", retry_in=slot, limited=True)
            prospect.at, prospect.cause, prospect.limited = now + slot + MARGIN, f"it waits for a slot of {first.rules.name}", True
            manifest = await self._from_fallback(first, sought.key, sought.digest, sought.tried)
            return None if manifest is None else (manifest, first.rules.name)
        if isinstance(last, Gone):
            raise last
        prospect.at = None if last.retry_in is None else now + last.retry_in + MARGIN
        prospect.cause, prospect.limited = last.cause, last.limited
        ends = sought.started + (PATIENCE if last.retry_in is not None and last.retry_in < PATIENCE else upstream.rules.hold)
        if now >= ends:
            raise last
        pause = sought.tried.pause()
        wait = pause if last.retry_in is None else min(last.retry_in, pause)
        await self._sleep(max(min(wait, ends - now), 0.05))
        await self._look(upstream, sought.key, sought.digest)
        return None

    async def _look(self, upstream: Upstream, key: RepositoryKey, digest: Digest) -> None:
        """A free look: its headers say whether there are pulls again."""
        try:
            await upstream.source.head(key.path, digest)
        except (Gone, Unavailable):
            return

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

    def _count_fallback(self, fallback: Fallback) -> None:
        self.counts.fallback_gets += 1
        self.counts.per_source[fallback.rules.name] = self.counts.per_source.get(fallback.rules.name, 0) + 1


def _private(key: RepositoryKey, upstream: Upstream) -> RegistryError:
    return AccessRefused(
        f"cannot serve {key.path}: it is private at {upstream.rules.title}",
        host=upstream.rules.place.registry,
        hint=f"Set serve-private = true for [upstream.{key.alias}] if everybody who reaches this mirror may have it",
    )


def _carrying(upstream: Upstream, key: RepositoryKey) -> list[Fallback]:
    return [fallback for fallback in upstream.fallbacks if fallback.rules.carries(key.path)]


def _may_spend(source: Source, priority: Priority) -> bool:
    return source.ledger is None or source.ledger.may_spend(source.name, source.credential, priority)
