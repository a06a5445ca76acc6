"""What stands behind a tag at the target: every platform's manifest, configuration and layers.

A tag may be there without its layers (docker-library/official-images#13152), so that the index alone proves no
pull. Only the target is asked; a layer by HEAD, a configuration whole, since it says when the image was built.
"""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import NotFound, RegistryError
from unhub.image.manifest import Descriptor, Manifest
from unhub.image.reference import Reference
from unhub.migrate.verification.verdict import PROVEN, Evidence, Failure, Verdict, short
from unhub.registry.answers import Fetched

CONFIG_MAX: Final = 4 * 1024 * 1024
"""Bytes of the largest configuration that is read."""

IMAGES_MAX: Final = 64
"""Most platforms of one index that are looked into."""


class Contents(Protocol):
    """The part of a registry client that looks behind a tag; every method may raise :class:`RegistryError`."""

    async def get_manifest(self, reference: Reference) -> Fetched:
        """The manifest, its digest verified."""
        ...

    async def head_blob(self, reference: Reference, digest: Digest) -> int:
        """Bytes of a blob."""
        ...

    async def read_blob(self, reference: Reference, digest: Digest, *, size_max: int) -> bytes:
        """A whole blob of at most ``size_max`` bytes, its digest verified."""
        ...


@dataclass(frozen=True, slots=True)
class _Image:
    """What was found of one platform: when it was built, what is not there, and what could not be asked."""

    created: datetime.datetime | None = None
    missing: tuple[str, ...] = ()
    failure: Failure | None = None
    empty: bool = False


class _Config(msgspec.Struct, frozen=True):
    created: str | None = None


async def look_deep(evidence: Evidence, contents: Contents) -> Evidence:
    """The evidence with what stands behind the target's digest.

    What is the same by its digest and is not all there becomes ``missing``, what could not be looked into ``unknown``.
    """
    if evidence.target_digest is None or evidence.target.is_docker_hub:
        return evidence
    target = Reference(evidence.target.registry, evidence.target.repository, None, evidence.target_digest)
    images = await _images(target, contents)
    times = [image.created for image in images if image.created is not None]
    evidence = replace(evidence, deep=True, oldest=min(times, default=None), newest=max(times, default=None))
    missing = [text for image in images for text in image.missing]
    failure = next((image.failure for image in images if image.failure is not None), None)
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        return replace(evidence, verdict=Verdict.MISSING, cause=f"{target.registry} has the tag, but not {missing[0]}{more}")
    if failure is not None and evidence.verdict in PROVEN:
        cause = f"{target.registry} could not be asked for what stands behind the tag: {failure.message}"
        return replace(evidence, verdict=Verdict.UNKNOWN, cause=cause, failure=failure.code, deep=False)
    if images and all(image.empty for image in images) and evidence.verdict not in PROVEN:
        evidence = replace(evidence, cause=f"{evidence.cause}; what {target.registry} serves has no layers at all")
    return replace(evidence, deep=failure is None)


async def _images(target: Reference, contents: Contents) -> list[_Image]:
    manifest = await _manifest(target, contents, "its index")
    if isinstance(manifest, _Image):
        return [manifest]
    if not manifest.is_index:
        return [await _image(target, manifest, "", contents, {})]
    layers: dict[str, asyncio.Task[_Image]] = {}
    return await asyncio.gather(*(_child(target, image, contents, layers) for image in manifest.images[:IMAGES_MAX]))


async def _child(target: Reference, image: Descriptor, contents: Contents, layers: dict[str, asyncio.Task[_Image]]) -> _Image:
    platform = f" of {image.platform}" if image.platform else ""
    manifest = await _manifest(replace(target, digest=str(image.digest)), contents, f"the manifest{platform}")
    return manifest if isinstance(manifest, _Image) else await _image(target, manifest, platform, contents, layers)


async def _manifest(target: Reference, contents: Contents, what: str) -> Manifest | _Image:
    try:
        return (await contents.get_manifest(target)).manifest
    except NotFound:
        return _Image(missing=(f"{what} ({short(target.digest)})",))
    except RegistryError as error:
        return _Image(failure=Failure.of(error, target))


async def _image(
    target: Reference, manifest: Manifest, platform: str, contents: Contents, layers: dict[str, asyncio.Task[_Image]]
) -> _Image:
    """One platform's image; ``layers`` holds the questions that another platform asked already."""
    tasks = [
        layers.setdefault(str(row.digest), asyncio.ensure_future(_layer(target, row, platform, contents)))
        for row in _asked(manifest, layers)
    ]
    config = await _config(target, manifest.config, platform, contents) if manifest.config else _Image()
    parts = [config, *await asyncio.gather(*tasks)]
    missing = tuple(text for part in parts for text in part.missing)
    failure = next((part.failure for part in parts if part.failure), None)
    return _Image(config.created, missing, failure, empty=not manifest.layers)


def _asked(manifest: Manifest, layers: dict[str, asyncio.Task[_Image]]) -> list[Descriptor]:
    seen: set[str] = set()
    return [row for row in manifest.layers if str(row.digest) not in layers and not (str(row.digest) in seen or seen.add(str(row.digest)))]


async def _layer(target: Reference, layer: Descriptor, platform: str, contents: Contents) -> _Image:
    try:
        size = await contents.head_blob(target, layer.digest)
    except NotFound:
        return _Image(missing=(f"layer {short(str(layer.digest))}{platform}",))
    except RegistryError as error:
        return _Image(failure=Failure.of(error, target))
    if size != layer.size:
        return _Image(missing=(f"all of layer {short(str(layer.digest))}{platform} ({size} bytes of {layer.size})",))
    return _Image()


async def _config(target: Reference, config: Descriptor, platform: str, contents: Contents) -> _Image:
    what = f"the configuration{platform} ({short(str(config.digest))})"
    if config.size > CONFIG_MAX:
        return _Image(missing=(f"{what} in a readable size: {config.size} bytes",))
    try:
        data = await contents.read_blob(target, config.digest, size_max=CONFIG_MAX)
    except NotFound:
        return _Image(missing=(what,))
    except RegistryError as error:
        return _Image(failure=Failure.of(error, target))
    return _Image(created=_created(data))


def _created(data: bytes) -> datetime.datetime | None:
    """When the image was built (OCI image specification, config.md, ``created``); ``None`` where it does not say."""
    try:
        text = msgspec.json.decode(data, type=_Config).created
        moment = datetime.datetime.fromisoformat(text) if text else None
    except (msgspec.MsgspecError, ValueError, RecursionError, UnicodeDecodeError):
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
