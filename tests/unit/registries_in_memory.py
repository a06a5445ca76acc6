"""Registries without a network: what they serve is a table, what they were asked is a list."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from unhub.image.digest import Digest
from unhub.image.errors import NotFound, RegistryError
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST, Manifest
from unhub.image.reference import Reference
from unhub.registry.answers import Fetched, Head


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _document(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


@dataclass
class Registries:
    """``served`` holds bytes by registry, repository and tag or digest; ``blobs`` by registry and digest.

    ``failing`` are errors by registry, in the place of every answer; ``asked`` is every request in its order.
    """

    served: dict[tuple[str, str, str], tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    failing: dict[str, RegistryError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def put(self, name: str, data: bytes, media_type: str = OCI_INDEX) -> str:
        """Serve bytes under a reference, and by their digest."""
        reference, digest = Reference.parse(name), digest_of(data)
        for key in (reference.tag or digest, digest):
            self.served[reference.registry, reference.repository, key] = (media_type, data)
        return digest

    def put_image(self, name: str, text: str, *, created: str | None = "2026-11-01T00:00:00Z") -> str:
        """Serve a manifest of one layer, with its blobs."""
        registry = Reference.parse(name).registry
        config, layer = json.dumps({"created": created}).encode(), text.encode()
        for blob in (config, layer):
            self.blobs[registry, digest_of(blob)] = blob
        descriptors = [{"mediaType": "x", "digest": digest_of(blob), "size": len(blob)} for blob in (config, layer)]
        return self.put(name, _document(mediaType=OCI_MANIFEST, config=descriptors[0], layers=descriptors[1:]), OCI_MANIFEST)

    def put_index(self, name: str, images: dict[str, str], *, note: str = "") -> str:
        """Serve an index of images by platform, each made of a text; ``note`` makes another index of the same images."""
        reference, children = Reference.parse(name), []
        for platform, text in images.items():
            system, architecture, *variant = platform.split("/")
            digest = self.put_image(f"{reference.name}", text)
            size = len(self.served[reference.registry, reference.repository, digest][1])
            named = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
            children.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": named})
        return self.put(name, _document(mediaType=OCI_INDEX, manifests=children, annotations={"note": note}))

    def count(self, method: str, registry: str) -> int:
        return Counter(self.asked)[method, registry]

    async def head_manifest(self, reference: Reference) -> Head:
        media_type, data = self._find("HEAD", reference)
        return Head(Digest.parse(digest_of(data)), media_type, len(data))

    async def get_manifest(self, reference: Reference) -> Fetched:
        media_type, data = self._find("GET", reference)
        return Fetched(Manifest.parse(data, media_type))

    async def head_blob(self, reference: Reference, digest: Digest) -> int:
        return len(self._blob("HEAD blob", reference, digest))

    async def read_blob(self, reference: Reference, digest: Digest, *, size_max: int) -> bytes:
        return self._blob("GET blob", reference, digest)

    def _find(self, method: str, reference: Reference) -> tuple[str, bytes]:
        self._ask(method, reference)
        found = self.served.get((reference.registry, reference.repository, reference.digest or reference.tag or "latest"))
        if found is None:
            raise NotFound(f"cannot read {reference}: it answered 404", host=reference.registry, status=404)
        return found

    def _blob(self, method: str, reference: Reference, digest: Digest) -> bytes:
        self._ask(method, reference)
        found = self.blobs.get((reference.registry, str(digest)))
        if found is None:
            raise NotFound(f"cannot find the blob {digest}: it answered 404", host=reference.registry, status=404)
        return found

    def _ask(self, method: str, reference: Reference) -> None:
        self.asked.append((method, reference.registry))
        if (error := self.failing.get(reference.registry)) is not None:
            raise error
