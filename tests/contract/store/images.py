"""Small manifests for the contract suites."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from unhub.image.digest import Digest
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST, Manifest

AMD64 = {"os": "linux", "architecture": "amd64"}


def digest_of(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def image(name: str, layers: Iterable[bytes] = (), *, subject: Manifest | None = None, artifact_type: str | None = None) -> Manifest:
    config = f"config of {name}".encode()
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(digest_of(config)), "size": len(config)},
        "layers": [{"mediaType": "a/layer", "digest": str(digest_of(layer)), "size": len(layer)} for layer in layers],
        "annotations": {"name": name},
    }
    if subject:
        value["subject"] = {"mediaType": subject.media_type, "digest": str(subject.digest), "size": len(subject.data)}
    if artifact_type:
        value["artifactType"] = artifact_type
    return Manifest.parse(json.dumps(value).encode(), OCI_MANIFEST)


def index(*children: Manifest) -> Manifest:
    rows = [
        {
            "mediaType": child.media_type,
            "digest": str(child.digest),
            "size": len(child.data),
            "platform": {"os": "linux", "architecture": "amd64"},
        }
        for child in children
    ]
    return Manifest.parse(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode(), OCI_INDEX)
