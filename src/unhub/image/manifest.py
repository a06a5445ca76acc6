"""Manifests and indexes: what a registry serves under a tag or digest, read and never printed anew.

Sources: OCI image specification 1.1 (manifest.md, image-index.md, descriptor.md) and distribution's
"Image Manifest Version 2, Schema 2". Bytes are kept as they came, since the digest is of the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import UnhubError

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"

ACCEPTED: Final = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
"""What to ask for. All four, always: without them old registries convert, and the digest is another one."""

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

SIZE_MAX: Final = 4 * 1024 * 1024
"""Bytes of the largest manifest that is read (distribution specification: registries take at least 4 MiB)."""


class InvalidManifest(UnhubError):
    """Bytes are no manifest or index that is known here; ``reason`` says why."""

    code = "invalid-manifest"

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot read the manifest: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What an image runs on, as ``linux/arm64/v8``; parts that are not given are empty."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        name = "/".join(part for part in (self.os, self.architecture, self.variant) if part)
        return f"{name} ({self.os_version})" if self.os_version else name

    @property
    def is_unknown(self) -> bool:
        """Whether this marks something that is no image: BuildKit's attestations have ``unknown/unknown``."""
        return self.os == "unknown" or self.architecture == "unknown"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest points at: media type, digest, size in bytes; the platform where an index names one."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest or index with its bytes.

    ``digest`` is of the bytes. An index has ``children``, a manifest ``config`` and ``layers``; ``subject`` is what
    an artifact is attached to.
    """

    data: bytes
    media_type: str
    digest: Digest
    children: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def is_index(self) -> bool:
        """Whether this lists manifests of several platforms."""
        return self.media_type in INDEXES

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The children that are images of a platform, attestations left out."""
        return tuple(child for child in self.children if child.platform is None or not child.platform.is_unknown)

    @classmethod
    def parse(cls, data: bytes, media_type: str | None = None, *, algorithm: str = "sha256") -> Manifest:
        """Read the bytes of a manifest. ``media_type`` is what the registry called it; its parameters are ignored.

        Raises :class:`InvalidManifest` for what is no JSON object, has both layers and manifests, or
        says another media type inside than outside (CVE-2021-41190).
        """
        return _parse(data, media_type.partition(";")[0].strip().lower() if media_type else None, algorithm)


class _Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = msgspec.field(default="", name="os.version")


class _Descriptor(msgspec.Struct, frozen=True):
    digest: str
    size: int
    media_type: str = msgspec.field(default="", name="mediaType")
    platform: _Platform | None = None
    artifact_type: str | None = msgspec.field(default=None, name="artifactType")
    annotations: dict[str, str] | None = None


class _Document(msgspec.Struct, frozen=True):
    schema_version: int = msgspec.field(default=0, name="schemaVersion")
    media_type: str | None = msgspec.field(default=None, name="mediaType")
    manifests: tuple[_Descriptor, ...] | None = None
    config: _Descriptor | None = None
    layers: tuple[_Descriptor, ...] | None = None
    subject: _Descriptor | None = None
    artifact_type: str | None = msgspec.field(default=None, name="artifactType")
    annotations: dict[str, str] | None = None


def _parse(data: bytes, said: str | None, algorithm: str) -> Manifest:
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidManifest(str(error)) from None
    if document.schema_version != 2:
        raise InvalidManifest(f"schemaVersion is {document.schema_version}, not 2")
    if document.manifests is not None and (document.layers is not None or document.config is not None):
        raise InvalidManifest("it has both manifests and layers or config")
    if said in (None, "", "application/json", "application/octet-stream", "text/plain"):
        said = None
    if said and document.media_type and said != document.media_type:
        raise InvalidManifest(f"it calls itself {document.media_type}, and was served as {said}")
    media_type = document.media_type or said or (OCI_INDEX if document.manifests is not None else OCI_MANIFEST)
    if (media_type in INDEXES) != (document.manifests is not None):
        raise InvalidManifest(f"its content is not that of {media_type}")
    encoded = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
    return Manifest(
        data=data,
        media_type=media_type,
        digest=Digest(algorithm, encoded),
        children=tuple(_descriptor(row) for row in document.manifests or ()),
        config=_descriptor(document.config) if document.config else None,
        layers=tuple(_descriptor(row) for row in document.layers or ()),
        subject=_descriptor(document.subject) if document.subject else None,
        artifact_type=document.artifact_type,
        annotations=document.annotations or {},
    )


def _descriptor(row: _Descriptor) -> Descriptor:
    platform = row.platform and Platform(row.platform.os, row.platform.architecture, row.platform.variant, row.platform.os_version)
    return Descriptor(row.media_type, Digest.parse(row.digest), row.size, platform, row.artifact_type, row.annotations or {})
