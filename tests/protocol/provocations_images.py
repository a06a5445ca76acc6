"""How the errors of layers and images are provoked, and those operations answered; see ``provocations``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from tests.api_images import ApiImage, digest_of, fresh, image, index
from tests.hub import Said
from tests.protocol.provocations import HERE, UUID, Provoke, World

SETTINGS: Final = '[serve]\nimmutable-tags = ["fresh/*:fixed"]\n'
"""What the settings file says so that a tag can be taken."""

PARTS_MAX: Final = 3

DATA: Final = f"""
[[quota]]
id = "aws-2026-11.layer-parts"
profile = "aws-2026-11"
name = "Layer parts"
amount = {PARTS_MAX}
unit = "parts"
date = 2026-11-26
source = "these tests"
confidence = "source"

[[quota]]
id = "aws-2026-11.tags-per-image"
profile = "aws-2026-11"
name = "Tags per image"
amount = 2
unit = "tags"
date = 2026-11-26
source = "these tests"
confidence = "source"
"""
"""What a data file says so that limits are within reach."""


def answered(world: World, operation: str, given: Mapping[str, Any]) -> Any:
    """The answer to what must be answered."""
    said = world.ask(operation, given)
    assert said.status == 200, said.body
    return said.json


def begun(world: World, name: str, *parts: bytes) -> str:
    """An upload with parts."""
    upload_id = str(answered(world, "InitiateLayerUpload", {"repositoryName": name})["uploadId"])
    start = 0
    for data in parts:
        assert part(world, name, upload_id, start, data).status == 200
        start += len(data)
    return upload_id


def part(world: World, name: str, upload_id: str, start: int, data: bytes) -> Said:
    given = {"repositoryName": name, "uploadId": upload_id, "partFirstByte": start, "partLastByte": start + len(data) - 1}
    return world.ask("UploadLayerPart", {**given, "layerPartBlob": base64.b64encode(data).decode()})


def complete(world: World, name: str, upload_id: str, data: bytes) -> Said:
    return world.ask("CompleteLayerUpload", {"repositoryName": name, "uploadId": upload_id, "layerDigests": [digest_of(data)]})


def layer(world: World, name: str, data: bytes) -> Said:
    return complete(world, name, begun(world, name, data), data)


def put(world: World, name: str, pushed: ApiImage, **more: str) -> Said:
    return world.ask("PutImage", {"repositoryName": name, "imageManifest": pushed.manifest, **more})


def pushed(world: World, *tags: str) -> tuple[str, ApiImage]:
    """A new repository with an image in it."""
    name, one = world.fresh(), image()
    for blob in one.blobs:
        assert layer(world, name, blob).status == 200
    for tag in tags:
        assert put(world, name, one, imageTag=tag).status == 200
    return name, one


def part_apart(world: World) -> Said:
    name = world.fresh()
    return part(world, name, begun(world, name, b"12345"), 7, b"8")


def too_many_parts(world: World) -> Said:
    name = world.fresh()
    return part(world, name, begun(world, name, *[b"1"] * PARTS_MAX), PARTS_MAX, b"1")


def small_parts(world: World) -> Said:
    name = world.fresh()
    return complete(world, name, begun(world, name, b"1", b"2"), b"12")


def empty(world: World) -> Said:
    name = world.fresh()
    return complete(world, name, begun(world, name), b"")


def wrong_layer(world: World) -> Said:
    name = world.fresh()
    return complete(world, name, begun(world, name, b"1"), b"2")


def same_layer(world: World) -> Said:
    name, data = world.fresh(), fresh()
    assert layer(world, name, data).status == 200
    return layer(world, name, data)


def same_image(world: World) -> Said:
    name, one = pushed(world, "1")
    return put(world, name, one, imageTag="1")


def taken_tag(world: World) -> Said:
    name, one = pushed(world, "fixed")
    other = image(*one.blobs[1:])
    assert layer(world, name, other.blobs[0]).status == 200
    return put(world, name, other, imageTag="fixed")


def too_many_tags(world: World) -> Said:
    name, one = pushed(world, "1", "2")
    return put(world, name, one, imageTag="3")


def wrong_digest(world: World) -> Said:
    name, one = pushed(world)
    return put(world, name, one, imageDigest=digest_of("another"))


PROVOKED: Final[dict[tuple[str, str], Provoke]] = {
    ("UploadLayerPart", "InvalidLayerPartException"): part_apart,
    ("UploadLayerPart", "UploadNotFoundException"): lambda world: part(world, HERE, UUID, 0, b"1"),
    ("UploadLayerPart", "LimitExceededException"): too_many_parts,
    ("CompleteLayerUpload", "UploadNotFoundException"): lambda world: complete(world, HERE, UUID, b"1"),
    ("CompleteLayerUpload", "InvalidLayerException"): wrong_layer,
    ("CompleteLayerUpload", "LayerPartTooSmallException"): small_parts,
    ("CompleteLayerUpload", "LayerAlreadyExistsException"): same_layer,
    ("CompleteLayerUpload", "EmptyUploadException"): empty,
    ("PutImage", "ImageAlreadyExistsException"): same_image,
    ("PutImage", "LayersNotFoundException"): lambda world: put(world, HERE, image()),
    ("PutImage", "ReferencedImagesNotFoundException"): lambda world: put(world, HERE, index(image())),
    ("PutImage", "LimitExceededException"): too_many_tags,
    ("PutImage", "ImageTagAlreadyExistsException"): taken_tag,
    ("PutImage", "ImageDigestDoesNotMatchException"): wrong_digest,
    ("DescribeImages", "ImageNotFoundException"): lambda world: world.ask(
        "DescribeImages", {"repositoryName": HERE, "imageIds": [{"imageTag": "none"}]}
    ),
}
"""The errors that only some operations have."""


def availability(world: World) -> Said:
    name, one = pushed(world, "1")
    digests = [digest_of(one.blobs[1]), digest_of("missing"), "", "no digest"]
    return world.ask("BatchCheckLayerAvailability", {"repositoryName": name, "layerDigests": digests})


def part_taken(world: World) -> Said:
    name = world.fresh()
    return part(world, name, begun(world, name), 0, b"1")


def put_with_all(world: World) -> Said:
    name, one = pushed(world)
    return put(world, name, one, imageTag="1", imageDigest=one.digest)


def deleted(world: World) -> Said:
    name, one = pushed(world, "1", "2")
    ids = [{"imageTag": "1"}, {"imageDigest": one.digest, "imageTag": "2"}, {"imageTag": "3"}, {}]
    return world.ask("BatchDeleteImage", {"repositoryName": name, "imageIds": ids})


ANSWERED: Final[dict[str, Provoke]] = {
    "BatchCheckLayerAvailability": availability,
    "InitiateLayerUpload": lambda world: world.ask("InitiateLayerUpload", {"repositoryName": HERE}),
    "UploadLayerPart": part_taken,
    "CompleteLayerUpload": lambda world: layer(world, world.fresh(), b"1"),
    "PutImage": put_with_all,
    "DescribeImages": lambda world: world.ask("DescribeImages", {"repositoryName": pushed(world, "1", "2")[0]}),
    "DescribeImageTags": lambda world: world.ask("DescribeImageTags", {"repositoryName": pushed(world, "1", "2")[0], "maxResults": 1}),
    "BatchDeleteImage": deleted,
}
"""One success of each operation."""
