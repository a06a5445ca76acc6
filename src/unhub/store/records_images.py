"""The rows about images as their owners see them: every manifest of a repository. Times are seconds since 1970 (UTC, float)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unhub.image.digest import Digest


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be true for a manifest to be taken: the blobs and manifests that must be there, and how many there may be.

    ``images_max`` are manifests of the repository, ``tags_max`` tags of this one; ``None``: any number. ``fixed`` are tags
    that must not be taken from another manifest.
    """

    blobs: tuple[Digest, ...] = ()
    manifests: tuple[Digest, ...] = ()
    images_max: int | None = None
    tags_max: int | None = None
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """A manifest of a repository without its bytes.

    ``size`` is the bytes of its blobs, of an index those of the largest image below it that is here; ``pushed_at`` is when
    the repository got it.
    """

    digest: Digest
    media_type: str
    artifact_type: str | None
    size: int
    pushed_at: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggedImage:
    """A tag, when it got its digest, and the image (which does not list its tags again)."""

    tag: str
    created_at: float
    image: ImageSummary


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image by its digest or by a tag of it, or by both, which must fit together then."""

    digest: Digest | None = None
    tag: str | None = None


class Kept(StrEnum):
    """Why an image was not removed."""

    UNKNOWN = "unknown"
    MISMATCH = "mismatch"
    """The tag is one of another image."""
    LISTED = "listed"
    """An index of the repository lists it."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of an image that was to be removed.

    ``digest`` is ``None`` where it is not known; ``tags`` are those that are gone, ``whole`` says whether the image is,
    too. ``kept`` is why nothing was done, ``listed_by`` are the indexes for whose sake.
    """

    name: ImageName
    digest: Digest | None = None
    tags: tuple[str, ...] = ()
    whole: bool = False
    kept: Kept | None = None
    listed_by: tuple[Digest, ...] = ()
