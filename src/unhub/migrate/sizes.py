"""How many pulls an image is, and how many bytes: asked from a registry that may be asked freely, never Docker Hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from unhub.image.errors import RegistryError
from unhub.image.manifest import Descriptor, Manifest, Platform
from unhub.image.reference import Reference
from unhub.migrate.forecast import Pulled
from unhub.registry.answers import Fetched


class Manifests(Protocol):
    """The part of a registry client that gives manifests; raises :class:`RegistryError`."""

    async def get_manifest(self, reference: Reference) -> Fetched:
        """One manifest or index."""
        ...


@dataclass(frozen=True, slots=True)
class Size:
    """One image for the wanted platforms: pulls (one a platform that it has) and compressed bytes with all manifests."""

    pulls: int
    size: int


def parse_platform(text: str) -> Platform | None:
    """Read ``linux/arm64`` or ``linux/arm/v7``; ``None`` where it is neither."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        return None
    return Platform(*parts)


async def sizes(
    client: Manifests, references: Sequence[Reference], wanted: Sequence[Platform], progress: Callable[[int, int], None]
) -> tuple[dict[Reference, Size], dict[Reference, RegistryError]]:
    """Ask one image after the other, since a registry's rate is the bound anyway; what fails is told beside the rest."""
    found: dict[Reference, Size] = {}
    failed: dict[Reference, RegistryError] = {}
    for done, reference in enumerate(references):
        progress(done, len(references))
        try:
            found[reference] = await _size(client, reference, wanted)
        except RegistryError as error:
            failed[reference] = error
    return found, failed


def with_sizes(
    pulled: Sequence[Pulled], sizes: Mapping[Reference, Size], platforms: Mapping[Reference, tuple[str, ...]], wanted: Sequence[Platform]
) -> list[Pulled]:
    """The images with what is known of them: sizes that were asked, else platforms (``linux/arm64/v8``) by name.

    One of which nothing is known is taken to have every wanted platform.
    """
    return [_sized(one, sizes.get(one.reference), platforms.get(one.reference), wanted) for one in pulled]


def _sized(one: Pulled, size: Size | None, platforms: Sequence[str] | None, wanted: Sequence[Platform]) -> Pulled:
    if size is not None:
        return replace(one, pulls=size.pulls, size=size.size)
    has = [platform for text in platforms or () if (platform := parse_platform(text.partition(" ")[0])) is not None]
    return replace(one, pulls=max(1, sum(any(_fits(other, platform) for other in has) for platform in wanted)) if has else len(wanted))


def _fits(platform: Platform, wanted: Platform) -> bool:
    """Whether an image's platform is the wanted one; a variant counts only where it is asked for."""
    if (platform.os, platform.architecture) != (wanted.os, wanted.architecture):
        return False
    return wanted.variant in ("", platform.variant)


async def _size(client: Manifests, reference: Reference, wanted: Sequence[Platform]) -> Size:
    manifest = (await client.get_manifest(reference)).manifest
    if not manifest.is_index:
        return Size(1, _bytes(manifest))
    children = [child for platform in wanted if (child := _child(manifest, platform)) is not None]
    total = len(manifest.data)
    for child in children:
        by_digest = Reference(reference.registry, reference.repository, None, str(child.digest))
        total += _bytes((await client.get_manifest(by_digest)).manifest)
    return Size(max(1, len(children)), total)


def _child(index: Manifest, wanted: Platform) -> Descriptor | None:
    """The first image for a platform, as clients choose."""
    return next((image for image in index.images if image.platform is not None and _fits(image.platform, wanted)), None)


def _bytes(manifest: Manifest) -> int:
    blobs = [*manifest.layers, *([manifest.config] if manifest.config else [])]
    return len(manifest.data) + sum(blob.size for blob in blobs)
