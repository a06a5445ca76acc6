"""How a pull is answered: memory, then the store, then the fetcher; and what is stale rather than nothing.

A worker has one of these. It never talks to an upstream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.image.manifest import Descriptor
from unhub.mirror.freshness import Age
from unhub.mirror.memory import Memory
from unhub.mirror.upstream import UpstreamRules
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import BlobInfo, Referrer, RepositoryKey, StoredManifest, StoredTag

GONE_AFTER: Final = 86_400.0
"""Seconds after which a tag that a healthy upstream no longer has is no longer served."""

GONE_TIMES: Final = 2


class FlightView(Protocol):
    """A blob on its way, as a worker reads it."""

    @property
    def digest(self) -> Digest:
        """What the blob will be."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the whole blob."""
        ...

    def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``, as they come, in pieces of at most 256 KiB.

        The last byte of the blob comes only when all of it was verified. Raises :class:`ServeError` where the flight
        fails: who has begun an answer by then must cut the connection. Close it (``contextlib.aclosing``).
        """
        ...


class Upstreams(Protocol):
    """The fetcher, from where the worker stands."""

    async def tag(self, key: RepositoryKey, name: str, *, wait: float | None = None) -> None:
        """Fetch what a tag means now into the store. Raises :class:`ServeError`."""
        ...

    async def digest(self, key: RepositoryKey, digest: Digest) -> None:
        """Fetch a manifest into the store. Raises :class:`ServeError`."""
        ...

    async def revalidate(self, key: RepositoryKey, name: str) -> None:
        """Ask in the background whether a tag still means the same; never raises."""
        ...

    async def blob(self, key: RepositoryKey, digest: Digest) -> FlightView:
        """The flight of a blob. Raises :class:`ServeError`."""
        ...

    async def tags(self, key: RepositoryKey) -> list[str]:
        """The tags that the upstream lists. Raises :class:`ServeError`."""
        ...

    async def referrers(self, key: RepositoryKey, digest: Digest) -> Sequence[Descriptor]:
        """What the upstream says is attached. Raises :class:`ServeError`."""
        ...


@dataclass(frozen=True, slots=True)
class ManifestAnswer:
    """A manifest to serve. ``age`` is the seconds since an upstream confirmed it, ``stale`` why it may be outdated.

    Both are ``None`` for what cannot be outdated: a digest, or what was pushed here. ``fetched`` says that the client
    waited for an upstream; ``fresh_until`` is how long memory may answer the same (seconds since 1970).
    """

    manifest: StoredManifest
    age: float | None = None
    stale: str | None = None
    fetched: bool = False
    fresh_until: float = 0.0

    def is_fresh_at(self, time: float) -> bool:
        """Whether it may still be answered from memory then (seconds since 1970)."""
        return time <= self.fresh_until


@dataclass(frozen=True, slots=True)
class BlobAnswer:
    """A blob to serve: ``stored`` whole, or ``flight`` on its way."""

    stored: BlobInfo | None = None
    flight: FlightView | None = None


class Pull:
    """Answers pulls of pulled-through and own repositories. ``now`` is seconds since 1970."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        rules: Mapping[str, UpstreamRules],
        upstreams: Upstreams,
        memory: Memory,
        *,
        now: Callable[[], float],
    ) -> None:
        """``rules`` are by alias; an alias without rules is an own one, and never asked upstream."""
        self._metadata = metadata
        self._blobs = blobs
        self._rules = rules
        self._upstreams = upstreams
        self._memory = memory
        self._now = now

    @property
    def memory(self) -> Memory:
        """What this worker remembers."""
        return self._memory

    def remembered(self, key: RepositoryKey, which: str) -> ManifestAnswer | None:
        """The answer where memory has it and it is fresh; does not wait for anything."""
        entry = self._memory.get(key, which)
        if entry is None or self._now() >= entry.fresh_until:
            return None
        age = None if entry.tag is None else max(0.0, self._now() - entry.tag.checked_at)
        return ManifestAnswer(entry.manifest, age, fresh_until=entry.fresh_until)

    async def manifest(self, key: RepositoryKey, which: str | Digest) -> ManifestAnswer:
        """The manifest of a tag or digest. Raises :class:`ServeError`."""
        answer = self.remembered(key, str(which))
        if answer is not None:
            return answer
        if isinstance(which, Digest):
            self._check_blocked(which)
            return await self._by_digest(key, which)
        answer = await self._by_tag(key, which)
        self._check_blocked(answer.manifest.digest)
        return answer

    async def blob(self, key: RepositoryKey, digest: Digest) -> BlobAnswer:
        """A blob, stored or on its way. Raises :class:`ServeError`."""
        self._check_blocked(digest)
        info = await self.holds(key, digest)
        if info is not None:
            return BlobAnswer(stored=info)
        if key.alias not in self._rules:
            raise ServeError(f"cannot serve {digest}: {key} has no such blob", status=404, registry_code="BLOB_UNKNOWN")
        return BlobAnswer(flight=await self._upstreams.blob(key, digest))

    async def blob_size(self, key: RepositoryKey, digest: Digest) -> BlobAnswer:
        """A blob for who wants no byte of it: nothing is fetched where a manifest tells its size. Raises :class:`ServeError`."""
        self._check_blocked(digest)
        if await self.holds(key, digest) is None and key.alias in self._rules and await self._may_read(key):
            size = await self._metadata.blobs.expected_size(key, digest)
            if size is not None:
                return BlobAnswer(stored=BlobInfo(size))
        return await self.blob(key, digest)

    async def holds(self, key: RepositoryKey, digest: Digest) -> BlobInfo | None:
        """A blob that is stored and that everybody may read from this repository, or ``None``; asks nobody."""
        if self._memory.blocked(digest) is not None or not await self._metadata.blobs.linked(key, digest):
            return None
        info = await self._blobs.stat(digest)
        return info if info is not None and await self._may_read(key) else None

    async def tags(self, key: RepositoryKey) -> tuple[list[str], str | None]:
        """Every tag in ASCII order, and why the list may be outdated. Raises :class:`ServeError`."""
        if key.alias not in self._rules:
            return await self._own_tags(key), None
        try:
            return await self._upstreams.tags(key), None
        except ServeError as error:
            if error.status == 404 or not await self._may_read(key):
                raise
            known = await self._metadata.manifests.tags(key)
            if not known:
                raise
            return known, f"only what was pulled is listed: {error.message}"

    async def referrers(self, key: RepositoryKey, digest: Digest, artifact_type: str | None) -> list[Referrer]:
        """What is attached to a digest, here and at the upstream."""
        found: list[Referrer] = []
        if await self._may_read(key):
            found = await self._metadata.manifests.referrers(key, digest, artifact_type=artifact_type, limit=100_000)
        if key.alias not in self._rules:
            return found
        try:
            upstream = await self._upstreams.referrers(key, digest)
        except ServeError:
            upstream = ()
        there = {referrer.digest for referrer in found}
        extra = [
            Referrer(row.media_type, row.digest, row.size, row.artifact_type, dict(row.annotations))
            for row in upstream
            if row.digest not in there and artifact_type in (None, row.artifact_type)
        ]
        return sorted([*found, *extra], key=lambda referrer: str(referrer.digest))

    async def _own_tags(self, key: RepositoryKey) -> list[str]:
        if await self._metadata.repositories.get(key) is None:
            raise ServeError(f"cannot list {key}: there is no such repository", status=404, registry_code="NAME_UNKNOWN")
        return await self._metadata.manifests.tags(key)

    async def _by_digest(self, key: RepositoryKey, digest: Digest) -> ManifestAnswer:
        epoch = self._memory.epoch
        stored = await self._metadata.manifests.get(key, digest)
        fetched = stored is None or not await self._may_read(key)
        if fetched:
            if key.alias not in self._rules:
                raise _unknown(key, str(digest))
            await self._upstreams.digest(key, digest)
            epoch = self._memory.epoch
            stored = await self._metadata.manifests.get(key, digest)
        if stored is None:
            raise _unknown(key, str(digest))
        self._memory.put(key, str(digest), stored, None, float("inf"), epoch=epoch)
        return ManifestAnswer(stored, fetched=fetched)

    async def _by_tag(self, key: RepositoryKey, name: str) -> ManifestAnswer:
        epoch = self._memory.epoch
        found = await self._metadata.manifests.resolve(key, name)
        rules = self._rules.get(key.alias)
        if rules is None:  # not remembered: whoever pushed a tag through another worker pulls what was pushed, at once
            if found is None:
                raise _unknown(key, name)
            return ManifestAnswer(found[1])
        if found is None or not await self._may_read(key):
            return await self._asked(key, name, rules, None)
        tag, manifest = found
        age = rules.freshness.age(tag, self._now())
        if self._is_gone(tag):
            return await self._withdrawn(key, tag, rules)
        if age is Age.FRESH:
            return self._remember(key, tag, manifest, rules, epoch)
        if age is Age.STALE:
            await self._upstreams.revalidate(key, name)
            return ManifestAnswer(manifest, self._age(tag))
        return await self._asked(key, name, rules, found if age is Age.OLD else None)

    async def _asked(
        self, key: RepositoryKey, name: str, rules: UpstreamRules, kept: tuple[StoredTag, StoredManifest] | None
    ) -> ManifestAnswer:
        """Ask for news, for a short time where something is kept; that is served where there are none."""
        try:
            await self._upstreams.tag(key, name, wait=None if kept is None else rules.revalidate)
        except ServeError as error:
            if kept is None:
                raise
            return ManifestAnswer(kept[1], self._age(kept[0]), error.message)
        epoch = self._memory.epoch
        found = await self._metadata.manifests.resolve(key, name)
        if found is None:
            raise _unknown(key, name)
        return replace(self._remember(key, *found, rules, epoch), fetched=True)

    def _remember(self, key: RepositoryKey, tag: StoredTag, manifest: StoredManifest, rules: UpstreamRules, epoch: int) -> ManifestAnswer:
        self._memory.put(key, tag.name, manifest, tag, rules.freshness.fresh_until(tag), epoch=epoch)
        return ManifestAnswer(manifest, self._age(tag))

    async def _may_read(self, key: RepositoryKey) -> bool:
        """Whether everybody may read a pulled-through repository, as far as the store knows."""
        rules = self._rules.get(key.alias)
        if rules is None or not rules.credential or rules.serve_private:
            return True
        repository = await self._metadata.repositories.get(key)
        return repository is not None and bool(repository.public)

    async def _withdrawn(self, key: RepositoryKey, tag: StoredTag, rules: UpstreamRules) -> ManifestAnswer:
        """A tag that its upstream no longer has, unless it is back; its image goes, too, where deleted ones are not kept."""
        try:
            return await self._asked(key, tag.name, rules, None)
        except ServeError as error:
            if error.status == 404 and not rules.keep_deleted:
                await self._metadata.eviction.evict(key, tag.digest)
            raise

    def _is_gone(self, tag: StoredTag) -> bool:
        return tag.gone_count >= GONE_TIMES and tag.gone_since is not None and self._now() - tag.gone_since >= GONE_AFTER

    def _age(self, tag: StoredTag) -> float:
        return max(0.0, self._now() - tag.checked_at)

    def _check_blocked(self, digest: Digest) -> None:
        reason = self._memory.blocked(digest)
        if reason is not None:
            raise ServeError(f"cannot serve {digest}: it is blocked here ({reason})", status=403, registry_code="DENIED")


def _unknown(key: RepositoryKey, which: str) -> ServeError:
    return ServeError(f"cannot serve {key}: there is no {which} here", status=404, registry_code="MANIFEST_UNKNOWN")
