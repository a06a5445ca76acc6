"""What the stand-ins carry in the measurements: made from seeds, so that every run serves the same digests."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from unhub.demo.catalogue import Entry
from unhub.demo.images import Image, Layer, digest_of, image, index
from unhub.image.manifest import Platform

IMAGES, TAGS = 40, 3
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")

LAYER_SIZE = 24 * 1024
"""Bytes of a layer in the storm: its builds are about manifests."""


def raw_layer(size: int, seed: str) -> Layer:
    """A layer of exactly ``size`` bytes that nobody unpacks: its head and every megabyte are its own, the rest repeats."""
    head = hashlib.shake_128(seed.encode()).digest(4096)
    pattern = hashlib.shake_128(b"pattern").digest(min(size, 1 << 20))
    data = bytearray((pattern * (size // len(pattern) + 1))[:size]) if size else bytearray()
    for start in range(0, size, 1 << 20):
        data[start : start + len(head)] = head[: max(0, size - start)]
    content = bytes(data)
    return Layer(content, digest_of(content))


def one_image(size: int, seed: str) -> Image:
    """An index of two platforms; the amd64 image has one layer of ``size`` bytes."""
    wanted = image([raw_layer(size, seed)], platform=AMD64)
    other = image([raw_layer(1024, f"{seed} arm64")], platform=ARM64)
    return index([wanted, other])


def storm_image(number: int, tag: int) -> Image:
    """One of the storm's images: a base layer that its tags share, and one of its own."""
    base = raw_layer(LAYER_SIZE, f"base {number}")
    platforms = (image([base, raw_layer(LAYER_SIZE, f"own {number} {tag} {platform}")], platform=platform) for platform in (AMD64, ARM64))
    return index(list(platforms))


@cache
def storm_images() -> tuple[tuple[str, str, Image], ...]:
    """Repository below ``library/``, tag and image of all 120."""
    return tuple((f"image{number:02d}", f"{tag + 1}.{number}", storm_image(number, tag)) for number in range(IMAGES) for tag in range(TAGS))


def entries(images: Sequence[tuple[str, str, Image]], prefix: str = "") -> list[Entry]:
    """The same images as a stand-in carries them; ``prefix`` is ``docker/`` at ECR Public."""
    return [Entry(f"{prefix}library/{name}", tag, made) for name, tag, made in images]


@dataclass(frozen=True, slots=True)
class Build:
    """The images that one build pulls, one after the other."""

    number: int
    images: tuple[tuple[str, str], ...]


def storm_builds(count: int, seed: int, pulls: int = 3) -> list[Build]:
    """Builds that each pull ``pulls`` different images."""
    pick = random.Random(seed)
    names = [(f"library/{name}", tag) for name, tag, _ in storm_images()]
    return [Build(number, tuple(pick.sample(names, pulls))) for number in range(count)]
