"""What tests push and pull: blobs and manifests of a few bytes, different at each call."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.protocol.serving import Response, Server
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCTETS = {"Content-Type": "application/octet-stream"}

_numbers = itertools.count()


def fresh(size: int = 40) -> bytes:
    """Bytes that nobody has pushed yet."""
    return f"blob {next(_numbers)} ".encode().ljust(size, b".")


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def descriptor(data: bytes, media_type: str, algorithm: str = "sha256", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data, algorithm), "size": len(data), **more}


def manifest(config: bytes, *layers: bytes, **more: Any) -> bytes:
    """The manifest of an image; fields may be replaced by keyword."""
    rows = [descriptor(layer, LAYER) for layer in layers]
    value = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, CONFIG), "layers": rows, **more}
    return json.dumps({key: field for key, field in value.items() if field is not None}).encode()


def index(*children: bytes, **more: Any) -> bytes:
    rows = [descriptor(child, OCI_MANIFEST) for child in children]
    value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows, **more}
    return json.dumps({key: field for key, field in value.items() if field is not None}).encode()


@dataclass(frozen=True)
class Image:
    """An image with one layer."""

    config: bytes
    layer: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def image(**more: Any) -> Image:
    config, layer = fresh(), fresh(5000)
    return Image(config, layer, manifest(config, layer, **more))


def push_blob(server: Server, name: str, data: bytes, algorithm: str = "sha256") -> str:
    """Push a blob in two requests, as most clients do; its digest."""
    digest = digest_of(data, algorithm)
    session = server.ask("POST", f"/v2/{name}/blobs/uploads/")
    assert session.status == 202
    done = server.ask("PUT", f"{session['location']}?digest={digest}", data, OCTETS)
    assert done.status == 201, done.body
    return digest


def put_manifest(server: Server, name: str, reference: str, data: bytes, media_type: str | None = None) -> Response:
    said = media_type or json.loads(data).get("mediaType", OCI_MANIFEST)
    return server.ask("PUT", f"/v2/{name}/manifests/{reference}", data, {"Content-Type": said})


def push(server: Server, name: str, pushed: Image, *tags: str) -> None:
    """Push an image whole."""
    for blob in (pushed.config, pushed.layer):
        push_blob(server, name, blob)
    for reference in tags or (pushed.digest,):
        assert put_manifest(server, name, reference, pushed.manifest).status == 201


def lay_upstream(server: Server, name: str, upstream: Image, *tags: str) -> None:
    """Put an image where the scripted upstream finds it (see ``tests.protocol.scripted``)."""
    folder = server.folder / "upstream" / name
    for blob in (upstream.config, upstream.layer):
        _write(folder / "blobs" / digest_of(blob), blob)
    _write(folder / "manifests" / upstream.digest, upstream.manifest)
    for tag in tags:
        _write(folder / "tags" / tag, upstream.manifest)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
