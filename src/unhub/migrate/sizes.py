"""How many pulls an image is, and how many bytes: asked from a registry that may be asked freely, never Docker Hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def with_sizes(pulled: Sequence[Pulled], known: dict[Reference, Size], platforms: int) -> list[Pulled]:
    """The images with what is known of them; one that is not known is taken to have every wanted platform."""
    return [_sized(one, known.get(one.reference), platforms) for one in pulled]


def _sized(one: Pulled, size: Size | None, platforms: int) -> Pulled:
    return replace(one, pulls=platforms) if size is None else replace(one, pulls=size.pulls, size=size.size)


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
    """The first image for a platform, as clients choose; a variant counts only where it is asked for."""
    for image in index.images:
        if image.platform is None or (image.platform.os, image.platform.architecture) != (wanted.os, wanted.architecture):
            continue
        if wanted.variant in ("", image.platform.variant):
            return image
    return None


def _bytes(manifest: Manifest) -> int:
    blobs = [*manifest.layers, *([manifest.config] if manifest.config else [])]
    return len(manifest.data) + sum(blob.size for blob in blobs)
