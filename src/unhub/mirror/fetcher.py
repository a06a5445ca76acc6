"""The fetcher: the one that talks to upstreams, for all workers of a node. Flights, budget and pace live here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.image.manifest import Descriptor
from unhub.mirror.blobs import BlobFetcher, BlobFlight, BlobSource
from unhub.mirror.budget import Ledger
from unhub.mirror.flights import Flights
from unhub.mirror.manifests import FetchedTag, ManifestFetcher
from unhub.mirror.negative import NegativeAnswers
from unhub.mirror.prospect import Prospect
from unhub.mirror.source import Gone, Unavailable
from unhub.mirror.sources import Upstream
from unhub.store.protocols import MetadataStore
from unhub.store.records import Priority, RepositoryKey, StoredManifest

V = TypeVar("V")

BLOB: Final = "blob"

SOON: Final = 1.0
"""Seconds of ``Retry-After`` where nobody knows better and asking again may help at once."""

LATER: Final = 30.0
"""Seconds of ``Retry-After`` where an upstream is down and nobody knows for how long."""

MOMENT: Final = 1.5
"""Seconds beyond the deadline that a flight about to end is waited for; less than what workers allow (fetcher_client.py)."""

TAGS_MAX: Final = 100_000

FLIGHTS_MAX: Final = 5000
"""Manifests, and tags, that are fetched at once: beyond that new ones are put off, so that no crowd of names fills the memory."""

BLOBS_MAX: Final = 1000
"""Blobs that are fetched at once; each has an open file and a connection."""


class Fetcher:
    """Every question that the store cannot answer. Lives in one event loop.

    All methods raise :class:`ServeError` where nobody can serve: 404 where a healthy upstream says so, else 429 or 503 with
    a ``Retry-After`` that will be true.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        metadata: MetadataStore,
        manifests: ManifestFetcher,
        blobs: BlobFetcher,
        ledger: Ledger,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        """``now`` is seconds since 1970, ``clock`` seconds that never go back."""
        self.upstreams = upstreams
        self.ledger = ledger
        self.manifests = manifests
        self.blobs = blobs
        self._metadata = metadata
        self._now = now
        self._clock = clock
        self._tag_flights: Flights[tuple[RepositoryKey, str, bool], FetchedTag] = Flights(FLIGHTS_MAX)
        self._digest_flights: Flights[tuple[RepositoryKey, Digest], StoredManifest] = Flights(FLIGHTS_MAX)
        self._list_flights: Flights[RepositoryKey, list[str]] = Flights()
        self._referrer_flights: Flights[tuple[RepositoryKey, Digest], Sequence[Descriptor]] = Flights()
        self._blob_flights: dict[Digest, BlobFlight] = {}
        self._blob_tasks: set[asyncio.Task[None]] = set()
        self._prospects: dict[tuple[RepositoryKey, str | Digest], Prospect] = {}
        self._negative = NegativeAnswers(clock)

    async def tag(self, key: RepositoryKey, name: str, *, priority: Priority = Priority.CLIENT, wait: float | None = None) -> FetchedTag:
        """What a tag means now, in the store before this returns. ``wait`` is how long the caller waits, in seconds."""
        upstream = self._upstream(key)
        deadline = self._clock() + (upstream.rules.hold if wait is None else wait)
        while True:
            self._check_negative(key, name)
            refresh = self._tag_flights.get((key, name, False))
            if refresh is None and self._tag_flights.get((key, name, True)) is None:
                _check_room(self._tag_flights)
            flight = refresh or self._begin_tag(upstream, key, name, priority)
            try:
                return await self._await(flight, key, name, deadline)
            except Gone as gone:
                raise _gone(gone) from None
            except Unavailable as unavailable:
                if refresh is None or priority is not Priority.CLIENT:
                    await self._again(unavailable, deadline, priority)

    async def digest(
        self, key: RepositoryKey, digest: Digest, *, priority: Priority = Priority.CLIENT, wait: float | None = None
    ) -> StoredManifest:
        """A manifest by its digest, in the store before this returns."""
        upstream = self._upstream(key)
        deadline = self._clock() + (upstream.rules.hold if wait is None else wait)
        while True:
            self._check_negative(key, digest)
            if self._digest_flights.get((key, digest)) is None:
                _check_room(self._digest_flights)
            flight = self._digest_flights.join((key, digest), lambda: self._fly_digest(upstream, key, digest, priority))
            try:
                return await self._await(flight, key, digest, deadline)
            except Gone as gone:
                raise _gone(gone) from None
            except Unavailable as unavailable:
                await self._again(unavailable, deadline, priority)

    def revalidate(self, key: RepositoryKey, name: str) -> None:
        """Ask in the background whether a tag still means the same; nobody waits, and failures are silent."""
        upstream = self._upstream(key)
        busy = self._tag_flights.get((key, name, True)) or self._tag_flights.get((key, name, False))
        if busy is None and not self._tag_flights.full and self._negative.get(self._negative_key(key, name)) is None:
            self._begin_tag(upstream, key, name, Priority.REFRESH)

    async def blob(self, key: RepositoryKey, digest: Digest) -> BlobFlight:
        """The flight of a blob, begun where there is none, with its size known. Raises :class:`ServeError`."""
        upstream = self._upstream(key)
        self._check_negative(key, digest, kind=BLOB, code="BLOB_UNKNOWN")
        await self._check_linked(upstream, key, digest)
        size = await self._metadata.blobs.expected_size(key, digest)
        landed = await self.blobs.landed(digest)
        flight = self._blob_flights.get(digest)
        if flight is None and landed is not None:
            return landed
        if flight is None:
            if len(self._blob_flights) >= BLOBS_MAX:
                raise _busy()
            flight = self._blob_flights[digest] = self.blobs.begin(digest, size)
            task = asyncio.ensure_future(self._fill(flight, _sources(upstream, key)))
            self._blob_tasks.add(task)
            task.add_done_callback(self._blob_tasks.discard)
        try:
            async with asyncio.timeout(upstream.rules.hold):
                await flight.started()
        except TimeoutError:
            raise _unavailable(Unavailable("no upstream has begun to send it in time", retry_in=SOON)) from None
        except Gone as gone:
            self._negative.put(self._negative_key(key, digest, BLOB), gone)
            raise _gone(gone, code="BLOB_UNKNOWN") from None
        except Unavailable as unavailable:
            raise _unavailable(unavailable) from None
        return flight

    async def tags(self, key: RepositoryKey) -> list[str]:
        """The tags that the upstream lists, in ASCII order; one list for all who ask at once. Raises :class:`ServeError`."""
        upstream = self._upstream(key)
        source = upstream.source

        async def listed() -> list[str]:
            reference = source.place.reference(key.path, "latest")
            found: list[str] = []
            async for tag in source.registry.tags(reference):
                found.append(tag)
                if len(found) > TAGS_MAX:
                    break
            return sorted(found)

        try:
            await self.manifests.publicity.check_listable(upstream, key)
            if self._list_flights.get(key) is None:
                _check_room(self._list_flights)
            return await asyncio.shield(self._list_flights.join(key, lambda: source.ask(listed)))
        except Gone as gone:
            raise _gone(gone, code="NAME_UNKNOWN") from None
        except Unavailable as unavailable:
            raise _unavailable(unavailable) from None

    async def referrers(self, key: RepositoryKey, digest: Digest) -> Sequence[Descriptor]:
        """What the upstream says is attached to a digest. Raises :class:`ServeError`."""
        upstream = self._upstream(key)
        source = upstream.source

        async def attached() -> Sequence[Descriptor]:
            return await source.registry.referrers(source.place.reference(key.path, digest), digest)

        try:
            await self.manifests.publicity.check_listable(upstream, key)
            if self._referrer_flights.get((key, digest)) is None:
                _check_room(self._referrer_flights)
            return await asyncio.shield(self._referrer_flights.join((key, digest), lambda: source.ask(attached)))
        except Gone:
            return ()
        except Unavailable as unavailable:
            raise _unavailable(unavailable) from None

    def forget_negative(self) -> None:
        """Ask again for what was not there."""
        self._negative.forget()

    @property
    def flights(self) -> dict[str, int]:
        """How many flights are under way, by kind."""
        return {"tags": len(self._tag_flights), "digests": len(self._digest_flights), "blobs": len(self._blob_flights)}

    @property
    def blobs_in_flight(self) -> frozenset[Digest]:
        """Blobs that are being fetched: they must not be evicted."""
        return frozenset(self._blob_flights)

    async def close(self) -> None:
        """End every flight; growing files stay for the next start."""
        await self._tag_flights.close()
        await self._digest_flights.close()
        await self._list_flights.close()
        await self._referrer_flights.close()
        for task in list(self._blob_tasks):
            task.cancel()
        await asyncio.gather(*self._blob_tasks, return_exceptions=True)

    def _upstream(self, key: RepositoryKey) -> Upstream:
        upstream = self.upstreams.get(key.alias)
        if upstream is None:
            raise ServeError(f"cannot serve {key}: nothing is pulled through as {key.alias!r}", status=404, registry_code="NAME_UNKNOWN")
        return upstream

    def _begin_tag(self, upstream: Upstream, key: RepositoryKey, name: str, priority: Priority) -> asyncio.Task[FetchedTag]:
        waited_for = priority is Priority.CLIENT
        return self._tag_flights.join((key, name, waited_for), lambda: self._fly_tag(upstream, key, name, priority))

    async def _fly_tag(self, upstream: Upstream, key: RepositoryKey, name: str, priority: Priority) -> FetchedTag:
        prospect = self._prospects.setdefault((key, name), Prospect())
        try:
            return await self.manifests.tag(upstream, key, name, priority, prospect)
        except Gone as gone:
            self._negative.put(self._negative_key(key, name), gone)
            raise
        finally:
            self._prospects.pop((key, name), None)

    async def _fly_digest(self, upstream: Upstream, key: RepositoryKey, digest: Digest, priority: Priority) -> StoredManifest:
        prospect = self._prospects.setdefault((key, digest), Prospect())
        try:
            return await self.manifests.digest(upstream, key, digest, priority, prospect)
        except Gone as gone:
            self._negative.put(self._negative_key(key, digest), gone)
            raise
        finally:
            self._prospects.pop((key, digest), None)

    async def _check_linked(self, upstream: Upstream, key: RepositoryKey, digest: Digest) -> None:
        """See that a blob belongs to a repository that may be read: what is stored for one is not there for all.

        A manifest that was pulled links its blobs. For any other the upstream is asked, in that very repository.
        """
        source = upstream.source
        try:
            await self.manifests.publicity.check_listable(upstream, key)
            if await self._metadata.blobs.linked(key, digest):
                return
            await source.ask(lambda: source.registry.head_blob(source.place.reference(key.path, digest), digest))
        except Gone as gone:
            self._negative.put(self._negative_key(key, digest, BLOB), gone)
            raise _gone(gone, code="BLOB_UNKNOWN") from None
        except Unavailable as unavailable:
            raise _unavailable(unavailable) from None
        await self._metadata.blobs.link(key, digest, self._now())

    async def _fill(self, flight: BlobFlight, sources: Sequence[BlobSource]) -> None:
        try:
            await self.blobs.fill(flight, sources)
        finally:
            self._blob_flights.pop(flight.digest, None)

    async def _await(self, flight: asyncio.Task[V], key: RepositoryKey, which: str | Digest, deadline: float) -> V:
        """Wait for a flight until the deadline, or a moment longer where it is about to end; it goes on without us."""
        left = deadline - self._clock()
        done, _ = await asyncio.wait({flight}, timeout=max(left, 0.0))
        prospect = self._prospects.get((key, which)) or Prospect()
        if not done and prospect.is_near:
            done, _ = await asyncio.wait({flight}, timeout=MOMENT)
        if done:
            if flight.cancelled():
                raise Unavailable("the fetch was ended", retry_in=SOON)
            return flight.result()
        retry_in = None if prospect.left is None else max(prospect.left, SOON)
        cause = prospect.cause or "no upstream answered in time"
        raise _unavailable(Unavailable(cause, retry_in=retry_in, limited=prospect.limited))

    async def _again(self, unavailable: Unavailable, deadline: float, priority: Priority) -> None:
        """Wait a little before the next flight where there is time for one; else raise what the last one failed of."""
        wait = min(max(unavailable.retry_in or SOON, 0.05), 2.0)
        if priority is not Priority.CLIENT or self._clock() + wait >= deadline:
            raise _unavailable(unavailable) from None
        await asyncio.sleep(wait)

    def _check_negative(self, key: RepositoryKey, which: str | Digest, *, kind: str = "", code: str = "MANIFEST_UNKNOWN") -> None:
        gone = self._negative.get(self._negative_key(key, which, kind))
        if gone is not None:
            raise _gone(gone, code)

    def _negative_key(self, key: RepositoryKey, which: str | Digest, kind: str = "") -> tuple[object, ...]:
        """Blobs apart from manifests: who asks for a layer as if it were a manifest must not make it vanish for others."""
        return (key, kind, str(which), self.upstreams[key.alias].rules.credential)


def _sources(upstream: Upstream, key: RepositoryKey) -> list[BlobSource]:
    """Who has a blob: the upstream, which does not count blobs, then the fallbacks."""
    fallbacks = [fallback.source for fallback in upstream.fallbacks if fallback.rules.carries(key.path)]
    ordered = sorted([upstream.source, *fallbacks], key=lambda source: source.sends_in > 0)
    return [BlobSource(source, key.path) for source in ordered]


def _check_room(flights: Flights[Any, Any]) -> None:
    if flights.full:
        raise _busy()


def _busy() -> ServeError:
    return _unavailable(Unavailable("too much is being fetched at once", retry_in=SOON))


def _gone(gone: Gone, code: str = "MANIFEST_UNKNOWN") -> ServeError:
    if gone.error.status in (401, 403):
        return ServeError(gone.error.message, status=404, registry_code="NAME_UNKNOWN", hint=gone.error.hint)
    return ServeError(gone.error.message, status=404, registry_code=code, hint=gone.error.hint)


def _unavailable(unavailable: Unavailable) -> ServeError:
    """429 where a limit is to blame and its end is known, else 503: both with the seconds after which to ask again."""
    retry_in = LATER if unavailable.retry_in is None else max(unavailable.retry_in, SOON)
    status, code = (429, "TOOMANYREQUESTS") if unavailable.limited else (503, "UNAVAILABLE")
    return ServeError(f"cannot fetch it now: {unavailable.cause}", status=status, registry_code=code, retry_after=retry_in)
