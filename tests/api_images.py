"""Images pushed and looked at by boto3 alone, as ECR Public's own proxy does: layers in parts, then the manifest."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any

from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST

MIB = 1024 * 1024
PART = 5 * MIB
"""Bytes of the smallest part that is not the last one."""

_numbers = itertools.count()


def digest_of(data: bytes | str) -> str:
    return f"sha256:{hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()}"


def fresh(size: int = 64) -> bytes:
    """Bytes that nobody has pushed yet."""
    return f"blob {os.getpid()} {next(_numbers)} ".encode().ljust(size, b".")


@dataclass(frozen=True)
class ApiImage:
    """An image: its manifest as text, and its blobs, the configuration first."""

    manifest: str
    blobs: tuple[bytes, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def image(*layers: bytes, media_type: str | None = OCI_MANIFEST, **more: Any) -> ApiImage:
    """An image with a configuration of its own, and one layer where none is given."""
    blobs = (
        json.dumps(
            {"architecture": "amd64", "os": "linux", "number": next(_numbers), "rootfs": {"type": "layers", "diff_ids": []}}
        ).encode(),
    )
    blobs += layers or (fresh(),)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(blobs[0]), "size": len(blobs[0])}
    rows = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(one), "size": len(one)} for one in blobs[1:]]
    value = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": rows, **more}
    return ApiImage(json.dumps({name: one for name, one in value.items() if one is not None}, indent=3), blobs)


def index(*children: ApiImage) -> ApiImage:
    rows = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": one.digest,
            "size": len(one.manifest),
            "platform": {"os": "linux", "architecture": f"a{number}"},
        }
        for number, one in enumerate(children)
    ]
    return ApiImage(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}), ())


def upload(ecr: Any, repository: str, data: bytes, part: int = PART) -> str:
    """A layer in parts; its digest."""
    begun = ecr.initiate_layer_upload(repositoryName=repository)
    for start in range(0, len(data), part):
        piece = data[start : start + part]
        put_part(ecr, repository, begun["uploadId"], start, piece)
    return str(
        ecr.complete_layer_upload(repositoryName=repository, uploadId=begun["uploadId"], layerDigests=[digest_of(data)])["layerDigest"]
    )


def put_part(ecr: Any, repository: str, upload_id: str, start: int, data: bytes) -> int:
    """One part; the place of the last byte that has come."""
    last = start + len(data) - 1
    given = {"repositoryName": repository, "uploadId": upload_id, "partFirstByte": start, "partLastByte": last, "layerPartBlob": data}
    return int(ecr.upload_layer_part(**given)["lastByteReceived"])


def push(ecr: Any, repository: str, pushed: ApiImage, *tags: str) -> str:
    """An image whole, under each tag; its digest."""
    digests = [digest_of(blob) for blob in pushed.blobs]
    if digests:
        there = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=digests)["layers"]
        missing = {one["layerDigest"] for one in there if one["layerAvailability"] == "UNAVAILABLE"}
        for blob in {digest: blob for digest, blob in zip(digests, pushed.blobs, strict=True) if digest in missing}.values():
            upload(ecr, repository, blob)
    for tag in tags or (None,):
        given = {"imageTag": tag} if tag else {}
        done = ecr.put_image(repositoryName=repository, imageManifest=pushed.manifest, **given)["image"]
        assert done["imageId"]["imageDigest"] == pushed.digest
        assert done["imageManifest"] == pushed.manifest
    return pushed.digest
