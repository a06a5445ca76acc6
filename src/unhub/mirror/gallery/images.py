"""Images through the API: taken, described and deleted, in the store that the registry serves.

The bytes of a manifest are those of the text, and its digest is of exactly these. What ECR Public answers where nobody
has written it down is decided here and said in the documentation: a tag must be one that the registry can be asked for,
an image may come without a tag, and images of schema version 1 are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import ApiRefused, InvalidDigest, ServeError
from unhub.image.manifest import Manifest
from unhub.mirror.gallery.push_words import listed
from unhub.mirror.gallery.refusals import Refusals
from unhub.mirror.gallery.registry_errors import in_api_words
from unhub.mirror.push import Push, parsed
from unhub.mirror.push_words import WrongDigest
from unhub.store.protocols_images import Images as ImageStore
from unhub.store.records_identity import Registration
from unhub.store.records_images import ImageName, ImageSummary, Kept, Removal

NOT_JSON: Final = "Invalid JSON syntax"
"""What AWS says of every manifest that it does not take, one without a media type included."""

TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
"""Tags that the registry can be asked for (distribution specification, "Pulling manifests"); the API's own pattern allows more."""

_CODES: Final = {
    Kept.UNKNOWN: "ImageNotFound",
    Kept.MISMATCH: "ImageTagDoesNotMatchDigest",
    Kept.LISTED: "ImageReferencedByManifestList",
}


class _Typed(msgspec.Struct, frozen=True):
    media_type: str | None = msgspec.field(default=None, name="mediaType")


@dataclass(frozen=True, slots=True)
class ImageId:
    """An image as a request names it: by a digest, a tag, both, or (wrongly) neither."""

    digest: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be deleted; ``code`` is one of AWS's failure codes."""

    image: ImageId
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """What is gone: each tag with its digest, or a digest alone where the image had no tag."""

    images: list[ImageId]
    failures: list[Failure]


class Images:
    """The images of repositories."""

    def __init__(self, push: Push, images: ImageStore, refusals: Refusals) -> None:
        self._push = push
        self._images = images
        self._refusals = refusals

    async def put(self, repository: Registration, text: str, media_type: str | None, image: ImageId) -> Manifest:
        """Take a manifest, under a tag where ``image`` has one. Raises :class:`ApiRefused`."""
        digest = self._digest(image.digest)
        if image.tag is not None:
            self._check_tag(image.tag)
        manifest = self._manifest(text, media_type, "sha256" if digest is None else digest.algorithm)
        with in_api_words(self._refusals, repository):
            if digest is not None and digest != manifest.digest:
                raise WrongDigest(digest, manifest.digest)
            changed = await self._push.take(repository.key, manifest, [] if image.tag is None else [image.tag])
        if not changed:
            words = {"digest": manifest.digest, "tag": image.tag, "name": repository.key.path, "registry": repository.account}
            raise self._refusals.make("untagged-image-already-exists" if image.tag is None else "image-already-exists", **words)
        return manifest

    async def page(self, repository: Registration, after: str, limit: int) -> tuple[list[ImageSummary], str | None]:
        """Images in the order of digests, and after which digest there are more."""
        found = await self._images.page(repository.key, after=after, limit=limit)
        last = str(found[-1].digest) if found else ""
        return found, last if found and await self._images.page(repository.key, after=last, limit=1) else None

    async def find(self, repository: Registration, named: Sequence[ImageId]) -> list[ImageSummary]:
        """The images that are named, each once, in this order. Raises :class:`ApiRefused` where one is not there."""
        names = [self._name(image) for image in named]
        meant = await self._images.pointed(repository.key, {name.tag for name in names if name.tag is not None})
        digests = [name.digest if name.tag is None else meant.get(name.tag) for name in names]
        found = await self._images.find(repository.key, {digest for digest in digests if digest is not None})
        for image, name, digest in zip(named, names, digests, strict=True):
            if digest is None or digest not in found or name.digest not in (None, digest):
                words = {"image": _written(image), "name": repository.key.path, "registry": repository.account}
                raise self._refusals.make("image-not-found", **words)
        return [found[digest] for digest in dict.fromkeys(digests) if digest is not None]

    async def delete(self, repository: Registration, named: Sequence[ImageId]) -> Deleted:
        """Delete images by digest or by tag; what went and what did not. Raises :class:`ApiRefused` where nothing may be deleted."""
        wrong = {number: code for number, image in enumerate(named) if (code := _what_is_wrong(image)) is not None}
        right = [number for number in range(len(named)) if number not in wrong]
        names = [self._name(named[number]) for number in right]
        with in_api_words(self._refusals, repository):
            removals = dict(zip(right, await self._push.remove(repository.key, names), strict=True))
        gone: list[ImageId] = []
        failures: list[Failure] = []
        for number, image in enumerate(named):
            if number in wrong:
                failures.append(Failure(image, wrong[number], self._refusals.reason(wrong[number])))
            elif (kept := removals[number].kept) is not None:
                digests = listed(removals[number].listed_by)
                failures.append(Failure(image, _CODES[kept], self._refusals.reason(_CODES[kept], digests=digests)))
            else:
                gone += _gone(removals[number])
        return Deleted(gone, failures)

    def _manifest(self, text: str, media_type: str | None, algorithm: str) -> Manifest:
        """The manifest of a text, verbatim. Raises :class:`ApiRefused`."""
        try:
            data = text.encode("utf-8")
            manifest = parsed(data, media_type, algorithm)
            typed = media_type is not None or msgspec.json.decode(data, type=_Typed).media_type is not None
        except UnicodeEncodeError:
            raise self._bad_manifest("it is no text of Unicode") from None
        except ServeError as error:
            raise self._bad_manifest(error.message) from None
        if not typed:
            raise self._bad_manifest("it has no mediaType, and imageManifestMediaType does not say it")
        return manifest

    def _bad_manifest(self, hint: str) -> ApiRefused:
        return self._refusals.detailed("invalid-manifest", {"reason": NOT_JSON}, hint=hint[:1].upper() + hint[1:])

    def _name(self, image: ImageId) -> ImageName:
        """Raises :class:`ApiRefused` for what names no image."""
        if image.digest is None and image.tag is None:
            raise self._refusals.make("invalid-parameter", parameter="imageIds", constraint="image digest or image tag must be given")
        return ImageName(self._digest(image.digest), image.tag)

    def _digest(self, text: str | None) -> Digest | None:
        try:
            return None if text is None else Digest.parse(text)
        except InvalidDigest as error:
            raise self._refusals.make("invalid-parameter", parameter="imageDigest", constraint=error.reason) from None

    def _check_tag(self, tag: str) -> None:
        if not TAG.fullmatch(tag):
            constraint = f"must satisfy regular expression {TAG.pattern}"
            raise self._refusals.make("invalid-parameter", parameter="imageTag", constraint=constraint)


def _what_is_wrong(image: ImageId) -> str | None:
    """The failure code of an image that cannot be meant."""
    if image.digest is None and image.tag is None:
        return "MissingDigestAndTag"
    if image.tag is not None and not TAG.fullmatch(image.tag):
        return "InvalidImageTag"
    try:
        if image.digest is not None:
            Digest.parse(image.digest)
    except InvalidDigest:
        return "InvalidImageDigest"
    return None


def _gone(removal: Removal) -> list[ImageId]:
    digest = str(removal.digest)
    return [ImageId(digest, tag) for tag in removal.tags] or [ImageId(digest)]


def _written(image: ImageId) -> str:
    """An image as AWS's texts name it."""
    parts: Mapping[str, str | None] = {"imageDigest": image.digest, "imageTag": image.tag}
    return "{" + ", ".join(f"{name}:'{value}'" for name, value in parts.items() if value is not None) + "}"
