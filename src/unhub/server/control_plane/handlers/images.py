"""Operations about images and tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unhub.image.manifest import Manifest
from unhub.mirror.gallery.image_tags import ImageTags
from unhub.mirror.gallery.images import Failure, ImageId, Images
from unhub.mirror.gallery.refusals import refusals_of
from unhub.server.control_plane.call import Call
from unhub.store.records_images import ImageSummary, TaggedImage


async def put_image(call: Call) -> Mapping[str, object]:
    """Take a manifest."""
    given = call.input
    image = ImageId(given.get("imageDigest"), given.get("imageTag"))
    manifest = await _images(call).put(call.repository, given["imageManifest"], given.get("imageManifestMediaType"), image)
    return {"image": {**_about(call), **_taken(manifest, given["imageManifest"], image.tag)}}


async def describe_images(call: Call) -> Mapping[str, object]:
    """Images with their sizes and tags: those that are named, or all by pages."""
    named, images = call.input.get("imageIds"), _images(call)
    if named is None:
        found, more = await images.page(call.repository, call.after, call.limit)
        return {"imageDetails": [_detail(call, one) for one in found], "nextToken": more and call.next_token(more)}
    for other in ("nextToken", "maxResults"):
        if other in call.input:
            constraint = "it cannot be used where images are specified with imageIds"
            raise refusals_of(call.services.facts).make("invalid-parameter", parameter=other, constraint=constraint)
    return {"imageDetails": [_detail(call, one) for one in await images.find(call.repository, _ids(named))]}


async def describe_image_tags(call: Call) -> Mapping[str, object]:
    """Tags with their images, by pages."""
    found, more = await ImageTags(call.services.metadata.images).page(call.repository, call.after, call.limit)
    return {"imageTagDetails": [_tag(one) for one in found], "nextToken": more and call.next_token(more)}


async def batch_delete_image(call: Call) -> Mapping[str, object]:
    """Delete up to a hundred images or tags."""
    done = await _images(call).delete(call.repository, _ids(call.input["imageIds"]))
    return {"imageIds": [_id(one) for one in done.images], "failures": [_failure(one) for one in done.failures]}


def _images(call: Call) -> Images:
    services = call.services
    return Images(services.push, services.metadata.images, refusals_of(services.facts))


def _about(call: Call) -> Mapping[str, object]:
    return {"registryId": call.repository.account, "repositoryName": call.repository.key.path}


def _taken(manifest: Manifest, text: str, tag: str | None) -> Mapping[str, object]:
    image = _id(ImageId(str(manifest.digest), tag))
    return {"imageId": image, "imageManifest": text, "imageManifestMediaType": manifest.media_type}


def _detail(call: Call, image: ImageSummary) -> Mapping[str, object]:
    return {**_about(call), "imageTags": list(image.tags) or None, **_referenced(image)}


def _tag(tagged: TaggedImage) -> Mapping[str, object]:
    return {"imageTag": tagged.tag, "createdAt": tagged.created_at, "imageDetail": _referenced(tagged.image)}


def _referenced(image: ImageSummary) -> Mapping[str, object]:
    return {
        "imageDigest": str(image.digest),
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type,
    }


def _ids(given: list[dict[str, Any]]) -> list[ImageId]:
    return [ImageId(one.get("imageDigest"), one.get("imageTag")) for one in given]


def _id(image: ImageId) -> Mapping[str, object]:
    return {"imageDigest": image.digest, "imageTag": image.tag}


def _failure(failure: Failure) -> Mapping[str, object]:
    return {"imageId": _id(failure.image), "failureCode": failure.code, "failureReason": failure.reason}
