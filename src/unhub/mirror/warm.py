"""Filling the cache before anybody asks: with the pulls that nobody else needs, and only the platforms that are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.image.manifest import Manifest, Platform
from unhub.mirror.blobs import BadContent, NoSpace
from unhub.mirror.eviction import blobs_of
from unhub.mirror.freshness import Age
from unhub.mirror.manifests import FetchedTag
from unhub.mirror.source import Gone, Unavailable
from unhub.mirror.upstream import UpstreamRules
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import Priority, RepositoryKey, StoredManifest

AT_ONCE: Final = 3
"""Blobs of an image that are fetched at once, as docker does it."""

EVERY: Final = "all"
"""The name that stands for every platform."""

_NORMAL_VARIANTS: Final = {"arm64": "v8", "arm": "v7"}
"""Variants that are meant where none is named (containerd, platforms/database.go)."""


class Outcome(StrEnum):
    """How it went with a reference."""

    FETCHED = "fetched"
    HAD = "had"
    SKIPPED = "skipped"
    """There was no pull for it: clients and refreshes come first."""
    MISSING = "missing"
    FAILED = "failed"


@dataclass(slots=True)
class Warmed:
    """What became of a reference: what was fetched for it, and the cause where something is lacking."""

    outcome: Outcome = Outcome.HAD
    digest: Digest | None = None
    manifests: int = 0
    blobs: int = 0
    bytes: int = 0
    cause: str | None = None


class Transfer(Protocol):
    """A blob on its way; see :class:`unhub.mirror.blobs.BlobFlight`."""

    def progress(self) -> AsyncIterator[int]:
        """Bytes that may be read so far; ends when it is stored, raises what it failed of."""
        ...


class Fetches(Protocol):
    """Who fetches; see :class:`unhub.mirror.fetcher.Fetcher`."""

    async def tag(self, key: RepositoryKey, name: str, *, priority: Priority = Priority.CLIENT) -> FetchedTag:
        """What a tag means now, stored."""
        ...

    async def digest(self, key: RepositoryKey, digest: Digest, *, priority: Priority = Priority.CLIENT) -> StoredManifest:
        """A manifest, stored."""
        ...

    async def blob(self, key: RepositoryKey, digest: Digest) -> Transfer:
        """A blob's flight."""
        ...


class Warmer:
    """Fetches whole images with the lowest priority. Lives in the fetcher's event loop."""

    def __init__(
        self, metadata: MetadataStore, blobs: BlobStore, fetches: Fetches, rules: Mapping[str, UpstreamRules], *, now: Callable[[], float]
    ) -> None:
        """``rules`` are by alias; ``now`` is seconds since 1970."""
        self._metadata = metadata
        self._blobs = blobs
        self._fetches = fetches
        self._rules = rules
        self._now = now

    async def warm(
        self, key: RepositoryKey, which: str | Digest, platforms: Sequence[str], report: Callable[[Warmed], None] | None = None
    ) -> Warmed:
        """Fetch what is lacking of an image. ``platforms`` are like ``linux/arm64``, or ``all``; ``report`` hears of progress."""
        warmed = Warmed()
        try:
            await self._image(key, which, platforms, warmed, report or _ignore)
        except ServeError as error:
            outcomes = {404: Outcome.MISSING, 429: Outcome.SKIPPED}
            warmed.outcome, warmed.cause = outcomes.get(error.status, Outcome.FAILED), error.message
        except (Gone, Unavailable, BadContent, NoSpace, OSError) as error:
            warmed.outcome, warmed.cause = Outcome.FAILED, str(error)
        else:
            if warmed.outcome is Outcome.HAD and (warmed.manifests or warmed.blobs):
                warmed.outcome = Outcome.FETCHED
        return warmed

    async def _image(
        self, key: RepositoryKey, which: str | Digest, platforms: Sequence[str], warmed: Warmed, report: Callable[[Warmed], None]
    ) -> None:
        top = await self._digest(key, which, warmed) if isinstance(which, Digest) else await self._tag(key, which, warmed)
        warmed.digest = top.digest
        for manifest in await self._wanted(key, top.manifest, platforms, warmed):
            report(warmed)
            await self._contents(key, manifest, warmed, report)

    async def _tag(self, key: RepositoryKey, name: str, warmed: Warmed) -> StoredManifest:
        """What a tag means; nobody is asked while it is fresh."""
        found = await self._metadata.manifests.resolve(key, name)
        rules = self._rules.get(key.alias)
        if rules is None:
            if found is None:
                raise ServeError(f"there is no {key}:{name} here", status=404, registry_code="MANIFEST_UNKNOWN")
            return found[1]
        if found is not None and rules.freshness.age(found[0], self._now()) is Age.FRESH:
            return found[1]
        try:
            fetched = await self._fetches.tag(key, name, priority=Priority.PREFETCH)
        except ServeError as error:
            if found is None or error.status == 404:
                raise
            warmed.cause = f"not confirmed: {error.message}"
            return found[1]
        warmed.manifests += found is None or found[1].digest != fetched.manifest.digest
        return fetched.manifest

    async def _digest(self, key: RepositoryKey, digest: Digest, warmed: Warmed) -> StoredManifest:
        stored = await self._metadata.manifests.get(key, digest)
        if stored is None:
            if key.alias not in self._rules:
                raise ServeError(f"there is no {key}@{digest} here", status=404, registry_code="MANIFEST_UNKNOWN")
            stored = await self._fetches.digest(key, digest, priority=Priority.PREFETCH)
            warmed.manifests += 1
        return stored

    async def _wanted(self, key: RepositoryKey, top: Manifest, platforms: Sequence[str], warmed: Warmed) -> list[Manifest]:
        """The manifests of the wanted platforms, attestations only with all; an image without an index is taken as it is."""
        if not top.is_index:
            return [top]
        rows = top.children if EVERY in platforms else top.images
        chosen = [child for child in rows if child.platform is None or any(matches(child.platform, name) for name in platforms)]
        if not chosen:
            there = ", ".join(sorted({str(child.platform) for child in top.images}))
            message = f"there is no image for {', '.join(platforms)}, only for {there}"
            raise ServeError(message, status=404, registry_code="MANIFEST_UNKNOWN")
        return [(await self._digest(key, child.digest, warmed)).manifest for child in chosen]

    async def _contents(self, key: RepositoryKey, manifest: Manifest, warmed: Warmed, report: Callable[[Warmed], None]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def fetch(digest: Digest) -> None:
            async with gate:
                await self._blob(key, digest, warmed, report)

        if key.alias not in self._rules:
            return
        results = await asyncio.gather(*(fetch(digest) for digest in blobs_of(manifest)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _blob(self, key: RepositoryKey, digest: Digest, warmed: Warmed, report: Callable[[Warmed], None]) -> None:
        if await self._blobs.stat(digest) is not None and await self._metadata.blobs.size(digest) is not None:
            return
        warmed.blobs += 1
        counted = 0
        async for published in (await self._fetches.blob(key, digest)).progress():
            warmed.bytes, counted = warmed.bytes + published - counted, published
            report(warmed)


def matches(platform: Platform, name: str) -> bool:
    """Whether a platform is meant by ``linux/arm64``, ``linux/arm/v7``, or ``all``."""
    if name == EVERY:
        return True
    system, _, rest = name.partition("/")
    architecture, _, variant = rest.partition("/")
    normal = _NORMAL_VARIANTS.get(architecture, "")
    return (platform.os, platform.architecture, platform.variant or normal) == (system, architecture, variant or normal)


def _ignore(warmed: Warmed) -> None:
    """Nobody wants to hear of it."""
