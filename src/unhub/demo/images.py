"""Real images as bytes, made in memory: layers, configurations, manifests, indexes, attestations.

Everything is deterministic (times are 1970, owners are root, JSON keys have one order), so that two stand-ins that are
given the same files serve the same digests. Media types: OCI image specification 1.1 and docker's schema 2.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from unhub.image.manifest import DOCKER_LIST, DOCKER_MANIFEST, INDEXES, OCI_INDEX, OCI_MANIFEST, Platform

Style = Literal["oci", "docker"]
"""Which family of media types an image has."""

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
IN_TOTO = "application/vnd.in-toto+json"

CREATED = "2024-03-07T00:00:00Z"
"""When images were made unless said otherwise (RFC 3339)."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a layer; with ``link`` a symbolic link to that path, with neither data nor link a folder."""

    data: bytes | None = None
    mode: int = 0o644
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as it travels (``data``, gzip) and the digest of what is inside (``diff_id``, of the tar)."""

    data: bytes = field(repr=False)
    diff_id: str

    @property
    def digest(self) -> str:
        """The digest of the compressed bytes."""
        return digest_of(self.data)


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index as it is served."""

    media_type: str
    data: bytes = field(repr=False)
    digest: str
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest or index with everything below it.

    ``root`` is what a tag points at, ``documents`` it and all manifests below it, ``blobs`` configurations and layers by digest.
    """

    root: Document
    documents: tuple[Document, ...]
    blobs: Mapping[str, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        """The digest that a pull by tag gets."""
        return self.root.digest

    @property
    def children(self) -> tuple[Document, ...]:
        """The documents below the root."""
        return self.documents[1:]

    def platform(self, name: str) -> Document:
        """The manifest of one platform, by a name such as ``linux/arm64/v8``. Raises :class:`KeyError`."""
        for document in self.documents:
            if document.platform is not None and str(document.platform) == name:
                return document
        raise KeyError(name)

    @property
    def layers(self) -> tuple[str, ...]:
        """The digests of all layers, of all platforms."""
        rows = [row for document in self.documents for row in json.loads(document.data).get("layers", ())]
        return tuple(dict.fromkeys(str(row["digest"]) for row in rows))


def digest_of(data: bytes) -> str:
    """The sha256 digest of bytes, as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(files: Mapping[str, File]) -> Layer:
    """A layer of these files by path, in the order of their paths; missing parent folders are made."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, file in sorted(_with_folders(files).items()):
            archive.addfile(_entry(path, file), io.BytesIO(file.data or b""))
    tar = packed.getvalue()
    return Layer(gzip.compress(tar, compresslevel=6, mtime=0), digest_of(tar))


def bulk_layer(size: int, seed: str = "bulk") -> Layer:
    """A layer of about ``size`` bytes that do not compress, for tests of throughput; the same for the same seed."""
    return layer({f"var/{seed}": File(hashlib.shake_128(seed.encode()).digest(size))})


def image(
    layers: Sequence[Layer],
    *,
    platform: Platform | None = None,
    style: Style = "oci",
    created: str = CREATED,
    config: Mapping[str, object] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An image of one platform (default ``linux/amd64``); ``config`` is the ``config`` object of its configuration (``Cmd``, ``Env``…)."""
    platform = platform or Platform("linux", "amd64")
    configuration = _json(_configuration(layers, platform, created, config or {}))
    oci = style == "oci"
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST if oci else DOCKER_MANIFEST,
        "config": _descriptor(OCI_CONFIG if oci else DOCKER_CONFIG, configuration),
        "layers": [_descriptor(OCI_LAYER if oci else DOCKER_LAYER, each.data) for each in layers],
    }
    if annotations and oci:
        manifest["annotations"] = dict(annotations)
    root = _document(manifest, platform)
    return Image(root, (root,), {digest_of(configuration): configuration, **{each.digest: each.data for each in layers}})


def attestation(subject: Image) -> Image:
    """What BuildKit adds to an index beside an image: a manifest without a platform that holds a statement about it."""
    about = [{"name": "_", "digest": {"sha256": subject.digest.partition(":")[2]}}]
    predicate = {"buildType": "https://mobyproject.org/buildkit@v1", "builder": {"id": ""}}
    kinds = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2"}
    statement = _json({**kinds, "subject": about, "predicate": predicate})
    root_filesystem = {"type": "layers", "diff_ids": [digest_of(statement)]}
    configuration = _json({"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": root_filesystem})
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, configuration),
        "layers": [_descriptor(IN_TOTO, statement)],
    }
    root = _document(manifest, Platform("unknown", "unknown"))
    return Image(root, (root,), {digest_of(configuration): configuration, digest_of(statement): statement})


def index(
    images: Iterable[Image], *, style: Style = "oci", attestations: bool = False, annotations: Mapping[str, str] | None = None
) -> Image:
    """An index of images or of other indexes (then it is nested); ``attestations`` adds one a platform, as BuildKit does.

    ``annotations`` change the index's digest and none of its children's.
    """
    members = list(images)
    rows = [_row(member) for member in members]
    if attestations:
        about = [(member, attestation(member)) for member in members if member.root.media_type not in INDEXES]
        rows += [_row(statement, about=subject) for subject, statement in about]
        members += [statement for _, statement in about]
    content: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_INDEX if style == "oci" else DOCKER_LIST, "manifests": rows}
    if annotations and style == "oci":
        content["annotations"] = dict(annotations)
    root = _document(content)
    below = [document for member in members for document in member.documents]
    blobs = {digest: data for member in members for digest, data in member.blobs.items()}
    return Image(root, (root, *dict.fromkeys(below)), blobs)


def _row(member: Image, about: Image | None = None) -> dict[str, object]:
    row = _descriptor(member.root.media_type, member.root.data)
    platform = member.root.platform
    if platform is not None:
        row["platform"] = _platform(platform)
    if about is not None:
        row["annotations"] = {"vnd.docker.reference.digest": about.digest, "vnd.docker.reference.type": "attestation-manifest"}
    return row


def _platform(platform: Platform) -> dict[str, str]:
    shown = {"architecture": platform.architecture, "os": platform.os}
    if platform.os_version:
        shown["os.version"] = platform.os_version
    return shown | ({"variant": platform.variant} if platform.variant else {})


def _configuration(layers: Sequence[Layer], platform: Platform, created: str, config: Mapping[str, object]) -> dict[str, object]:
    return {
        **_platform(platform),
        "created": created,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        "history": [{"created": created, "created_by": f"layer {number}"} for number, _ in enumerate(layers, 1)],
    }


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _document(content: Mapping[str, object], platform: Platform | None = None) -> Document:
    data = _json(content)
    return Document(str(content["mediaType"]), data, digest_of(data), platform)


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _with_folders(files: Mapping[str, File]) -> dict[str, File]:
    complete: dict[str, File] = {}
    for path, file in files.items():
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts)):
            complete.setdefault("/".join(parts[:depth]), File(mode=0o755))
        complete["/".join(parts)] = file
    return complete


def _entry(path: str, file: File) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mode = file.mode
    if file.link is not None:
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, file.link, 0o777
    elif file.data is None:
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = len(file.data)
    return entry
