"""Why a store does not take something that it was told to take only under conditions. Nothing is changed then."""

from __future__ import annotations

from enum import StrEnum

from unhub.image.digest import Digest
from unhub.store.records import RepositoryKey


class StoreRefused(Exception):
    """A condition of a write does not hold."""


class NoSuchRepository(StoreRefused):
    """There is no repository ``key``, and none was to be made."""

    def __init__(self, key: RepositoryKey) -> None:
        super().__init__(f"there is no repository {key}")
        self.key = key


class ContentMissing(StoreRefused):
    """A repository lacks blobs or manifests that a manifest names, in the order in which it names them."""

    def __init__(self, *, blobs: tuple[Digest, ...] = (), manifests: tuple[Digest, ...] = ()) -> None:
        super().__init__(f"{len(blobs)} blobs and {len(manifests)} manifests are missing")
        self.blobs = blobs
        self.manifests = manifests


class Counted(StrEnum):
    """What there may be too many of."""

    IMAGES = "images"
    """Manifests in a repository."""
    TAGS = "tags"
    """Tags of a manifest."""
    REPOSITORIES = "repositories"
    """Repositories of an account."""


class NotEmpty(StoreRefused):
    """A repository that was to be removed only while empty holds images."""

    def __init__(self, key: RepositoryKey) -> None:
        super().__init__(f"{key} holds images")
        self.key = key


class TooMany(StoreRefused):
    """There would be more than ``most`` of something."""

    def __init__(self, counted: Counted, most: int) -> None:
        super().__init__(f"there would be more than {most} {counted}")
        self.counted = counted
        self.most = most


class Listed(StoreRefused):
    """Indexes of its repository list the image ``digest``, which was to be removed."""

    def __init__(self, digest: Digest, by: tuple[Digest, ...]) -> None:
        super().__init__(f"{digest} is listed by {by[0]}")
        self.digest = digest
        self.by = by


class TagTaken(StoreRefused):
    """A tag means another manifest, and must go on doing so."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"the tag {tag} is taken")
        self.tag = tag
