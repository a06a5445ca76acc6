"""Images made in memory are what registries and docker expect, and the same whenever they are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hub import small_image, small_index
from unhub.demo import catalogue
from unhub.demo.images import DOCKER_LAYER, OCI_LAYER, File, Image, Style, bulk_layer, image, index, layer
from unhub.image.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Manifest

PATHS = st.lists(st.sampled_from(["a", "bin", "etc", "x.y"]), min_size=1, max_size=4).map("/".join)


def unpacked(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        return {entry.name: entry for entry in archive.getmembers()}


def check(made: Image) -> None:
    """Everything that a document names by digest is there, of that size, and read by our own reader."""
    contents = {document.digest: document.data for document in made.documents} | dict(made.blobs)
    for digest, data in contents.items():
        assert digest == "sha256:" + hashlib.sha256(data).hexdigest()
    for document in made.documents:
        read = Manifest.parse(document.data, document.media_type)
        for descriptor in (*read.children, *read.layers, *([read.config] if read.config else [])):
            assert len(contents[str(descriptor.digest)]) == descriptor.size


@pytest.mark.parametrize(
    ("style", "manifest_type", "layer_type"), [("oci", OCI_MANIFEST, OCI_LAYER), ("docker", DOCKER_MANIFEST, DOCKER_LAYER)]
)
def test_an_image_has_the_media_types_of_its_family(style: Style, manifest_type: str, layer_type: str) -> None:
    made = small_image(style=style)
    check(made)
    assert made.root.media_type == manifest_type == json.loads(made.root.data)["mediaType"]
    assert [row["mediaType"] for row in json.loads(made.root.data)["layers"]] == [layer_type]


def test_a_layer_holds_files_links_and_the_folders_above_them() -> None:
    entries = unpacked(layer({"bin/busybox": File(b"program", mode=0o755), "bin/sh": File(link="busybox"), "tmp": File(mode=0o1777)}).data)
    assert list(entries) == ["bin", "bin/busybox", "bin/sh", "tmp"]
    assert entries["bin"].isdir()
    assert entries["bin/busybox"].mode == 0o755
    assert entries["bin/sh"].linkname == "busybox"
    assert entries["tmp"].mode == 0o1777
    assert {entry.mtime for entry in entries.values()} == {0}


@given(
    st.dictionaries(PATHS, st.binary(max_size=50), max_size=6).filter(
        lambda files: not any(a != b and b.startswith(a + "/") for a in files for b in files)
    )
)
def test_a_layer_is_the_same_for_the_same_files_in_any_order(files: dict[str, bytes]) -> None:
    one = layer({path: File(data) for path, data in files.items()})
    other = layer({path: File(data) for path, data in reversed(files.items())})
    assert one == other
    assert {path for path, entry in unpacked(one.data).items() if entry.isfile()} == set(files)


@pytest.mark.parametrize(("style", "media_type"), [("oci", OCI_INDEX), ("docker", DOCKER_LIST)])
def test_an_index_names_its_platforms(style: Style, media_type: str) -> None:
    made = small_index(style=style)
    check(made)
    read = Manifest.parse(made.root.data, made.root.media_type)
    assert read.media_type == media_type
    assert [str(child.platform) for child in read.children] == ["linux/amd64", "linux/arm64/v8"]
    assert made.platform("linux/arm64/v8").digest == str(read.children[1].digest)


def test_attestations_stand_beside_the_images_and_are_none() -> None:
    made = small_index(attestations=True)
    check(made)
    read = Manifest.parse(made.root.data)
    assert len(read.children) == 4
    assert len(read.images) == 2
    rows = json.loads(made.root.data)["manifests"]
    assert rows[2]["annotations"] == {
        "vnd.docker.reference.digest": rows[0]["digest"],
        "vnd.docker.reference.type": "attestation-manifest",
    }


def test_annotations_change_the_index_and_none_of_its_images() -> None:
    plain, annotated = small_index(), small_index(annotations={"org.opencontainers.image.version": "2"})
    assert plain.digest != annotated.digest
    assert plain.children == annotated.children


def test_an_index_of_indexes_holds_everything_below_it() -> None:
    nested = index([small_index("one"), small_index("two")])
    check(nested)
    assert len(nested.documents) == 1 + 2 * 3


def test_a_bulk_layer_does_not_compress() -> None:
    made = bulk_layer(100_000)
    assert 100_000 <= len(made.data) < 103_000
    check(image([made]))


def test_the_catalogue_has_what_the_example_project_pulls() -> None:
    names = {f"{entry.repository}:{entry.tag}" for entry in catalogue.docker_hub()}
    pulled = {
        "golang:1.22.1-alpine3.19",
        "golang:1.22-alpine",
        "alpine:3.19",
        "node:21.7.0-alpine3.19",
        "nginx:1.25-alpine",
        "redis:7.2-alpine",
    }
    assert {f"library/{name}" for name in pulled} | {"ratelimitpreview/test:latest", "docker/dockerfile:1"} <= names


def test_both_sides_carry_the_same_images_but_for_the_differences_asked_for() -> None:
    hub = {f"{entry.repository}:{entry.tag}": entry.image for entry in catalogue.docker_hub() if entry.tag}
    same = {f"{entry.repository}:{entry.tag}": entry.image for entry in catalogue.ecr_public()}
    assert all(found.digest == hub[name.removeprefix("docker/")].digest for name, found in same.items())
    assert all(name.startswith("docker/library/") for name in same)

    differing = {
        f"{entry.repository}:{entry.tag}": entry.image
        for entry in catalogue.ecr_public(
            differences={"library/node:20-alpine": "lag", "library/alpine": "missing", "library/redis": "platforms"}
        )
    }
    assert "docker/library/alpine:3.19" not in differing
    older = [entry.image.digest for entry in catalogue.docker_hub() if entry.repository == "library/node" and entry.tag is None]
    assert differing["docker/library/node:20-alpine"].digest in older
    redis, at_hub = differing["docker/library/redis:7.2-alpine"], hub["library/redis:7.2-alpine"]
    assert redis.digest != at_hub.digest
    assert redis.platform("linux/amd64").digest == at_hub.platform("linux/amd64").digest


def test_every_image_of_the_catalogue_is_whole() -> None:
    for entry in (
        *catalogue.docker_hub(),
        *catalogue.ecr_public(differences={"library/golang": "extra-platform", "library/nginx": "different"}),
    ):
        check(entry.image)
