"""Manifests as they are pushed and read (registry-protocol.md, 2.3)."""

from __future__ import annotations

import json

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import (
    LAYER,
    descriptor,
    digest_of,
    fresh,
    image,
    index,
    manifest,
    push,
    push_blob,
    put_manifest,
)
from tests.protocol.serving import Server, serving
from unhub.image.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

REPOSITORY = "conformance/manifests"


def path(reference: str) -> str:
    return f"/v2/{REPOSITORY}/manifests/{reference}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_is_read_by_tag_and_digest(held: Held, method: str, by: str) -> None:
    """Rules 2, 13 and 15: verbatim, with the pushed media type."""
    data = held.image.manifest
    for _ in range(3):  # the later answers come from memory
        got = held.server.ask(method, held.path("manifests", "latest" if by == "tag" else held.image.digest))

        assert (got.status, got.body) == (200, data if method == "GET" else b"")
        assert got["content-type"] == OCI_MANIFEST
        assert got["content-length"] == str(len(data))
        assert got["docker-content-digest"] == held.image.digest
        assert got["etag"] == f'"{held.image.digest}"'


ACCEPTS = [
    {},
    {"Accept": "*/*"},
    {"Accept": f"{OCI_INDEX}, {OCI_MANIFEST};q=0.5, {DOCKER_MANIFEST};q=0.1"},
    {"Accept": "application/vnd.docker.distribution.manifest.v1+prettyjws"},
    {"Accept": "text/html"},
    {"Accept": ""},
]


@pytest.mark.parametrize("accept", ACCEPTS)
def test_no_accept_is_ever_refused(held: Held, accept: dict[str, str]) -> None:
    """Rule 30: nothing is converted, and never a 406."""
    for method in ("GET", "HEAD"):
        got = held.server.ask(method, held.path("manifests", "latest"), headers=accept)
        assert (got.status, got["content-type"]) == (200, OCI_MANIFEST)


def test_several_lines_of_accept_are_taken(held: Held) -> None:
    """Rule 30."""
    lines = f"Accept: {OCI_INDEX}\r\nAccept: {OCI_MANIFEST}\r\nAccept: {DOCKER_LIST}"

    got = held.server.raw(f"GET {held.path('manifests', 'latest')} HTTP/1.1\r\nHost: x\r\n{lines}\r\nConnection: close\r\n\r\n".encode())

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(held.image.manifest)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_already_is_not_sent_it_again(held: Held, method: str) -> None:
    for condition, status in ((f'"{held.image.digest}"', 304), ('"sha256:old"', 200)):
        for _ in range(2):
            got = held.server.ask(method, held.path("manifests", "latest"), headers={"If-None-Match": condition})
            assert got.status == status
            assert got["docker-content-digest"] == held.image.digest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["nothing", digest_of(b"nothing"), "-bad-tag", "x" * 129])
def test_a_manifest_that_is_not_there_is_unknown(held: Held, method: str, reference: str) -> None:
    got = held.server.ask(method, held.path("manifests", reference))

    assert got.status == 404
    assert got.body == b"" if method == "HEAD" else got.code == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_broken_digest_is_refused(registry: Server, method: str) -> None:
    """Rule 16."""
    data = image().manifest if method == "PUT" else None

    got = registry.ask(method, path("sha256:baddigeststring"), data, {"Content-Type": OCI_MANIFEST})

    assert (got.status, got.code) == (400, "DIGEST_INVALID")


def test_a_push_by_digest_must_match(registry: Server) -> None:
    """Rule 16, also for other algorithms."""
    pushed = image()
    push(registry, REPOSITORY, pushed)

    for wrong in (digest_of(b"other"), digest_of(b"other", "sha512")):
        got = put_manifest(registry, REPOSITORY, wrong, pushed.manifest)
        assert (got.status, got.code) == (400, "DIGEST_INVALID")
        assert registry.ask("GET", path(wrong)).status == 404
    right = digest_of(pushed.manifest, "sha512")
    got = put_manifest(registry, REPOSITORY, right, pushed.manifest)
    assert (got.status, got["docker-content-digest"]) == (201, right)
    assert registry.ask("GET", got["location"]).body == pushed.manifest


def test_bytes_stay_as_they_are(registry: Server) -> None:
    """Rule 15: no byte is printed anew, fields that nobody knows stay."""
    config, layer = fresh(), fresh()
    for blob in (config, layer):
        push_blob(registry, REPOSITORY, blob)
    data = b"\n  " + manifest(config, layer, **{"com.example.own": {"a": [1, "\u00e9"]}}).replace(b", ", b" ,\t") + b"\n"

    done = put_manifest(registry, REPOSITORY, "verbatim", data)

    assert done.status == 201
    assert registry.ask("GET", done["location"]).body == data


BODIES = {
    OCI_MANIFEST: manifest,
    OCI_INDEX: lambda config, layer: index(manifest(config, layer)),
    DOCKER_MANIFEST: lambda config, layer: manifest(config, layer, mediaType=DOCKER_MANIFEST),
    DOCKER_LIST: lambda config, layer: index(manifest(config, layer), mediaType=DOCKER_LIST),
}


@pytest.mark.parametrize("media_type", BODIES)
def test_every_media_type_is_kept(registry: Server, media_type: str) -> None:
    """Rule 15: parameters of the type are ignored."""
    config, layer = fresh(), fresh()
    for blob in (config, layer):
        push_blob(registry, REPOSITORY, blob)
    data = BODIES[media_type](config, layer)

    assert put_manifest(registry, REPOSITORY, "typed", data, f"{media_type}; charset=utf-8").status == 201

    got = registry.ask("GET", path("typed"))
    assert (got.body, got["content-type"]) == (data, media_type)


def test_a_type_that_is_said_outside_only_is_kept(registry: Server) -> None:
    """Rule 15."""
    data = index(mediaType=None)

    assert put_manifest(registry, REPOSITORY, "outside", data, OCI_INDEX).status == 201
    assert registry.ask("GET", path("outside"))["content-type"] == OCI_INDEX


INVALID = {
    "another type inside": (manifest(b"", b""), DOCKER_MANIFEST),
    "an index that calls itself an image": (index(), OCI_MANIFEST),
    "an image that calls itself an index": (manifest(b"", b"", mediaType=None), OCI_INDEX),
    "both layers and manifests": (manifest(b"", b"", manifests=[]), OCI_MANIFEST),
    "both manifests and a config": (index(config=descriptor(b"", LAYER)), OCI_INDEX),
    "schema 1": (json.dumps({"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": []}).encode(), None),
    "no JSON": (b"<html>", OCI_MANIFEST),
    "nothing": (b"", OCI_MANIFEST),
    "a list": (b"[]", OCI_MANIFEST),
    "a broken digest inside": (manifest(b"").replace(b"sha256:", b"../../:"), OCI_MANIFEST),
    "a size that is no number": (manifest(b"").replace(b'"size": 0', b'"size": "0"'), OCI_MANIFEST),
    "deep nesting": (b'{"a":' * 100_000, OCI_MANIFEST),
    "no UTF-8": (b'{"schemaVersion": 2, "mediaType": "\xff"}', OCI_MANIFEST),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_is_no_manifest_is_refused(registry: Server, case: str) -> None:
    """Rule 15 (CVE-2021-41190: what an index is and what an image is cannot be confused)."""
    data, media_type = INVALID[case]

    got = put_manifest(registry, REPOSITORY, "invalid", data, media_type or "application/vnd.docker.distribution.manifest.v1+json")

    assert (got.status, got.code) == (400, "MANIFEST_INVALID")
    assert registry.ask("GET", path("invalid")).status == 404


@pytest.mark.parametrize("exists", [True, False])
def test_a_subject_is_answered_whether_it_exists_or_not(registry: Server, exists: bool) -> None:
    """Rule 17."""
    subject, attached = image(), image()
    if exists:
        push(registry, REPOSITORY, subject)
    push(registry, REPOSITORY, attached)
    data = manifest(attached.config, attached.layer, subject=descriptor(subject.manifest, OCI_MANIFEST))

    got = put_manifest(registry, REPOSITORY, digest_of(data), data)

    assert (got.status, got["oci-subject"]) == (201, subject.digest)


def test_layers_that_may_be_elsewhere_need_not_be_pushed(registry: Server) -> None:
    """Rule 22, also where blobs are required; nobody ever asks their ``urls``."""
    config = fresh()
    push_blob(registry, REPOSITORY, config)
    types = ["application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"]
    layers = [descriptor(fresh(), one, urls=["http://169.254.169.254/"]) for one in types]

    got = put_manifest(registry, REPOSITORY, "foreign", manifest(config, layers=layers))

    assert (got.status, got.get("warning")) == (201, None)


def test_a_sparse_index_is_taken(registry: Server) -> None:
    """Rule 22."""
    assert put_manifest(registry, REPOSITORY, "sparse", index(image().manifest, image().manifest)).status == 201


def test_an_image_whose_layer_is_missing_is_taken_with_a_warning_or_refused_where_that_is_set(
    registry: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rule 22: the specification allows both, and its suite pushes sparse images."""
    config, layer = fresh(), fresh()
    data = manifest(config, layer)
    push_blob(registry, REPOSITORY, config)
    taken = put_manifest(registry, REPOSITORY, "incomplete", data)
    assert taken.status == 201
    assert digest_of(layer) in taken["warning"]

    with serving(tmp_path_factory.mktemp("required") / "data", REQUIRE_BLOBS="1") as server:
        push_blob(server, REPOSITORY, config)
        refused = put_manifest(server, REPOSITORY, "incomplete", data)
        assert (refused.status, refused.code) == (400, "MANIFEST_BLOB_UNKNOWN")
        assert server.ask("GET", path("incomplete")).status == 404
        push_blob(server, REPOSITORY, layer)
        whole, absent = index(data), index(data, image().manifest)
        for missing in (whole, absent):
            refused = put_manifest(server, REPOSITORY, "all", missing)
            assert (refused.status, refused.code) == (400, "MANIFEST_BLOB_UNKNOWN")
        assert put_manifest(server, REPOSITORY, "incomplete", data).status == 201
        assert put_manifest(server, REPOSITORY, "all", absent).status == 400
        assert put_manifest(server, REPOSITORY, "all", whole).status == 201
        foreign = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": digest_of(fresh()), "size": 5}
        assert put_manifest(server, REPOSITORY, "foreign", manifest(config, layers=[foreign])).status == 201


@pytest.mark.parametrize("size", [4 * 1024 * 1024, 8 * 1024 * 1024])
def test_large_manifests_are_taken(registry: Server, size: int) -> None:
    """Rule 23."""
    config = fresh()
    push_blob(registry, REPOSITORY, config)
    data = manifest(config)
    data += b" " * (size - len(data))

    assert put_manifest(registry, REPOSITORY, "large", data).status == 201
    assert registry.ask("GET", path("large")).body == data


@pytest.mark.parametrize("streamed", [False, True])
def test_manifests_over_the_cap_are_refused_before_they_are_read(registry: Server, streamed: bool) -> None:
    """Rule 23: said by ``Content-Length`` or not."""
    size = 8 * 1024 * 1024 + 1
    if not streamed:
        head = f"PUT {path('huge')} HTTP/1.1\r\nHost: x\r\nContent-Type: {OCI_MANIFEST}\r\nContent-Length: {size}\r\n\r\n"
        answer = registry.raw(head.encode(), timeout=5)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"SIZE_INVALID" in answer
        return
    head = f"PUT {path('huge')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    assert registry.raw(head.encode() + body * 8 + b"1\r\n \r\n", timeout=5).startswith(b"HTTP/1.1 413 ")


def test_a_push_by_digest_sets_tags(registry: Server) -> None:
    """Rule 28."""
    pushed = image()
    push(registry, REPOSITORY, pushed)
    tags = [f"several-{number}" for number in range(12)]

    got = put_manifest(registry, REPOSITORY, f"{pushed.digest}?" + "&".join(f"tag={tag}" for tag in tags), pushed.manifest)

    assert got.status == 201
    assert got["oci-tag"].split(", ") == tags
    assert {registry.ask("HEAD", path(tag))["docker-content-digest"] for tag in tags} == {pushed.digest}


@pytest.mark.parametrize("tags", ["tag=good&tag=.bad", "tag=", "tag=a%0d%0aX-Evil:%201", "tag=" + "x" * 129])
def test_a_push_with_a_bad_tag_sets_none(registry: Server, tags: str) -> None:
    """Rules 28 and 29; nothing of it reaches a header."""
    pushed = image()
    push(registry, REPOSITORY, pushed)

    got = put_manifest(registry, REPOSITORY, f"{pushed.digest}?{tags}", pushed.manifest)

    assert (got.status, got.code) == (400, "MANIFEST_INVALID")
    assert got.get("x-evil") is None
    assert registry.ask("GET", path("good")).status == 404


def test_more_tags_than_anybody_needs_are_refused(registry: Server) -> None:
    """Rule 28."""
    pushed = image()
    query = "&".join(f"tag=t{number}" for number in range(101))

    assert put_manifest(registry, REPOSITORY, f"{pushed.digest}?{query}", pushed.manifest).status == 414


def test_a_pushed_tag_moves_at_once(registry: Server) -> None:
    for _ in range(5):
        pushed = image()
        push(registry, REPOSITORY, pushed, "moving")
        for _ in range(2):
            assert registry.ask("GET", path("moving")).body == pushed.manifest
