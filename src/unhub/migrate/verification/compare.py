"""One reference against one target: two HEADs, and more only where they differ.

Docker Hub counts a GET of a manifest as a pull and a HEAD not (docker-hub.md, 3.3), so it is asked by HEAD
alone unless the user spends GETs. A target may be asked freely within its rate.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import RegistryError
from unhub.image.manifest import INDEXES, Descriptor, Manifest
from unhub.image.reference import Reference
from unhub.migrate.verification.platforms import by_platform, compared
from unhub.migrate.verification.verdict import Evidence, Failure, Verdict, registry_title, short, tagged
from unhub.registry.answers import Fetched, Head

CHILDREN_MAX: Final = 64
"""Most platforms of one index that are asked about."""


class Registries(Protocol):
    """The part of a registry client that verification needs; every method may raise :class:`RegistryError`."""

    async def head_manifest(self, reference: Reference) -> Head:
        """The answer to HEAD; never asked by GET instead."""
        ...

    async def get_manifest(self, reference: Reference) -> Fetched:
        """The manifest, its digest verified."""
        ...


History = Callable[[Reference, str], "datetime.datetime | None"]
"""When Docker Hub was last seen to serve a digest under a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """How far to look: ``max_lag`` is the oldest digest of Docker Hub that still counts as lag, ``spend`` how many
    counted GETs may be used, ``platforms`` whether to read them where the digests are equal, too."""

    max_lag: datetime.timedelta = datetime.timedelta(hours=72)
    spend: int = 0
    platforms: bool = False


class Comparer:
    """Compares references with targets; asks no registry twice about one name.

    ``now`` is the time that all evidence of a run carries. ``spent`` counts GETs of manifests at Docker Hub.
    """

    def __init__(self, registries: Registries, history: History, now: datetime.datetime, options: CompareOptions) -> None:
        self._registries = registries
        self._history = history
        self._now = now
        self._options = options
        self._heads: dict[Reference, asyncio.Task[Head | Failure]] = {}
        self.spent = 0

    async def compare(self, origin: Reference | None, target: Reference) -> Evidence:
        """What the target serves, beside what Docker Hub serves. Only errors that are no registry's are raised."""
        if origin is None:
            return await self._alone(target)
        if origin.digest is not None:
            return await self._pinned(origin, target)
        here, there = await asyncio.gather(self.head(origin), self.head(target))
        evidence = self._judged(origin, target, here, there)
        if evidence.verdict is Verdict.DIFFERENT and isinstance(here, Head) and isinstance(there, Head):
            return await self._different(evidence, here, there)
        if self._options.platforms and isinstance(there, Head) and evidence.verdict in (Verdict.SAME, Verdict.LAGGING):
            return await self._with_platforms(evidence, there)
        return evidence

    async def head(self, reference: Reference) -> Head | Failure:
        """The answer to one HEAD, asked once a reference."""
        key = tagged(reference)
        if key not in self._heads:
            self._heads[key] = asyncio.ensure_future(self._ask(key))
        return await self._heads[key]

    async def _ask(self, reference: Reference) -> Head | Failure:
        try:
            return await self._registries.head_manifest(reference)
        except RegistryError as error:
            return Failure.of(error, reference)

    def _evidence(self, origin: Reference | None, target: Reference, verdict: Verdict, **more: object) -> Evidence:
        return replace(Evidence(origin=origin, target=target, verdict=verdict, seen=self._now), **more)  # pyright: ignore[reportArgumentType]

    async def _alone(self, target: Reference) -> Evidence:
        there = await self.head(target)
        if isinstance(there, Failure):
            return self._without_target(None, target, there, None)
        cause = "it is there, and is not known to be a copy of anything at Docker Hub"
        return self._evidence(None, target, Verdict.UNKNOWN, cause=cause, target_digest=str(there.digest))

    async def _pinned(self, origin: Reference, target: Reference) -> Evidence:
        """A digest names its content, so that the target has to serve just it, and Docker Hub need not be asked."""
        there = await self.head(target)
        if isinstance(there, Failure):
            here = await self.head(origin) if there.is_missing else None
            return self._without_target(origin, target, there, here)
        served = str(there.digest)
        if served != origin.digest:
            cause = f"{target.registry} answers with {short(served)} when asked for {short(origin.digest)}"
            return self._evidence(origin, target, Verdict.DIFFERENT, cause=cause, origin_digest=origin.digest, target_digest=served)
        evidence = self._evidence(origin, target, Verdict.SAME, origin_digest=origin.digest, target_digest=served)
        return await self._with_platforms(evidence, there) if self._options.platforms else evidence

    def _judged(self, origin: Reference, target: Reference, here: Head | Failure, there: Head | Failure) -> Evidence:
        if isinstance(there, Failure):
            return self._without_target(origin, target, there, here)
        served = str(there.digest)
        known = str(here.digest) if isinstance(here, Head) else None
        if known == served:
            return self._evidence(origin, target, Verdict.SAME, origin_digest=known, target_digest=served)
        lag = self._lag(origin, served)
        if lag is not None:
            had = f"which Docker Hub had until {lag:%Y-%m-%d %H:%M} UTC or later"
            now_has = f"now has {short(known)}" if known else f"did not say what it has now ({_said(here)})"
            cause = f"{target.registry} serves {short(served)}, {had}; Docker Hub {now_has}"
            return self._evidence(origin, target, Verdict.LAGGING, cause=cause, origin_digest=known, target_digest=served)
        if isinstance(here, Failure):
            cause = f"nothing to compare with: {_said(here)}"
            return self._evidence(origin, target, Verdict.UNKNOWN, cause=cause, failure=here.code, target_digest=served)
        cause = f"{target.registry} serves {short(served)}, Docker Hub {short(known)}"
        return self._evidence(origin, target, Verdict.DIFFERENT, cause=cause, origin_digest=known, target_digest=served)

    def _without_target(self, origin: Reference | None, target: Reference, there: Failure, here: Head | Failure | None) -> Evidence:
        known = str(here.digest) if isinstance(here, Head) else None
        if not there.is_missing:
            return self._evidence(origin, target, Verdict.UNKNOWN, cause=_said(there), failure=there.code, origin_digest=known)
        cause = _said(there)
        if isinstance(here, Failure) and here.is_missing and origin is not None and not target.is_docker_hub:
            cause += ", and so did Docker Hub"
        return self._evidence(origin, target, Verdict.MISSING, cause=cause, origin_digest=known)

    def _lag(self, origin: Reference, digest: str) -> datetime.datetime | None:
        last = self._history(origin, digest)
        return last if last is not None and self._now - last <= self._options.max_lag else None

    async def _different(self, evidence: Evidence, here: Head, there: Head) -> Evidence:
        """Which platforms are the same after all: those whose manifests Docker Hub has under the same digest."""
        manifest = await self.manifest(evidence.target, there)
        origin = evidence.origin
        if origin is None:
            return evidence
        older = isinstance(await self.head(_by_digest(origin, there.digest)), Head)
        if manifest is not None:
            evidence = await self._platforms_at_hub(replace(evidence, platforms=tuple(by_platform(manifest))), origin, manifest)
        if self.spent < self._options.spend:
            theirs = await self._spend(origin, here)
            if theirs is not None and manifest is not None:
                return compared(evidence, theirs, manifest)
        return replace(evidence, cause=f"{evidence.cause}{_hints(evidence, older=older)}")

    async def manifest(self, target: Reference, head: Head) -> Manifest | None:
        """The target's manifest by digest; ``None`` where it cannot be read, or where reading it would be a counted pull."""
        if target.is_docker_hub:
            return None
        try:
            return (await self._registries.get_manifest(_by_digest(target, head.digest))).manifest
        except RegistryError:
            return None

    async def _platforms_at_hub(self, evidence: Evidence, origin: Reference, manifest: Manifest) -> Evidence:
        images: tuple[Descriptor, ...] = manifest.images[:CHILDREN_MAX] if manifest.media_type in INDEXES else ()
        heads = await asyncio.gather(*(self.head(_by_digest(origin, image.digest)) for image in images))
        same = {str(image.digest) for image, head in zip(images, heads, strict=True) if isinstance(head, Head)}
        other = {str(i.digest) for i, head in zip(images, heads, strict=True) if isinstance(head, Failure) and head.is_missing}
        named = by_platform(manifest)
        return replace(
            evidence,
            same=tuple(name for name, digest in named.items() if digest in same),
            other=tuple(name for name, digest in named.items() if digest in other),
        )

    async def _spend(self, origin: Reference, here: Head) -> Manifest | None:
        self.spent += 1
        try:
            return (await self._registries.get_manifest(_by_digest(origin, here.digest))).manifest
        except RegistryError:
            return None

    async def _with_platforms(self, evidence: Evidence, there: Head) -> Evidence:
        manifest = await self.manifest(evidence.target, there)
        return evidence if manifest is None else replace(evidence, platforms=tuple(by_platform(manifest)))


def _by_digest(reference: Reference, digest: Digest) -> Reference:
    return Reference(reference.registry, reference.repository, None, str(digest))


def _said(answer: Head | Failure) -> str:
    """A failure as a clause of a sentence."""
    if isinstance(answer, Head):
        return ""
    title = registry_title(answer.registry)
    if answer.is_missing:
        return f"{title} answered {answer.status or 404} (no such image or tag)"
    said = answer.message.partition(": ")[2] if answer.message.startswith("cannot ") else answer.message
    if said.startswith("it "):
        return f"{title} {said[3:]}"
    return f"{title} could not be asked: {said or answer.message}"


def _hints(evidence: Evidence, *, older: bool) -> str:
    """What HEADs alone show of a difference, without saying more than they show."""
    known = len(evidence.same) + len(evidence.other)
    if older:
        return (
            "; Docker Hub still has that one by its digest, so it is most likely an older push (`unhub verify --write-lock` remembers them)"
        )
    if not known:
        return ""
    if not evidence.same:
        return "; Docker Hub has none of its platforms' images"
    return f"; {len(evidence.same)} of its {known} platforms' images are at Docker Hub, too (whether under this tag, --spend 1 tells)"
