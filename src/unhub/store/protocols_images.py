"""What a store must be able to do with images as their owners see them; see :mod:`unhub.store.protocols`.

An image is any manifest of a repository, an index and what an index lists included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.store.records import RepositoryKey
from unhub.store.records_images import ImageName, ImageSummary, Needs, Removal, TaggedImage


class Images(Protocol):
    """Images of repositories."""

    async def put(
        self, key: RepositoryKey, manifest: Manifest, *, now: float, tags: Sequence[str] = (), needs: Needs, create: bool = False
    ) -> bool:
        """Store and link a manifest and point ``tags`` at it, if all that it needs is there; whether anything changed.

        ``create`` makes the repository where it is missing. Raises :class:`unhub.store.refusals.NoSuchRepository`,
        :class:`~unhub.store.refusals.ContentMissing`, :class:`~unhub.store.refusals.TagTaken` and
        :class:`~unhub.store.refusals.TooMany`. All of it is one transaction: what is needed cannot go between the look and the write.
        """
        ...

    async def count(self, key: RepositoryKey) -> int:
        """How many images a repository has."""
        ...

    async def page(self, key: RepositoryKey, *, after: str = "", limit: int = 100) -> list[ImageSummary]:
        """Images in the order of digests, those after ``after`` only.

        There may be fewer than ``limit`` where they have very many tags; the list is empty only at the end.
        """
        ...

    async def find(self, key: RepositoryKey, digests: Iterable[Digest]) -> Mapping[Digest, ImageSummary]:
        """Those of at most a few hundred images that the repository has."""
        ...

    async def tagged(self, key: RepositoryKey, *, after: str = "", limit: int = 100) -> list[TaggedImage]:
        """Tags with their images in the order of names (ASCII), those after ``after`` only."""
        ...

    async def pointed(self, key: RepositoryKey, tags: Iterable[str]) -> Mapping[str, Digest]:
        """What at most a few hundred tags mean; those that there are."""
        ...

    async def naming(self, key: RepositoryKey, blob: Digest) -> Digest | None:
        """One of the manifests of the repository that name a blob; ``None`` where none does."""
        ...

    async def remove(self, key: RepositoryKey, names: Sequence[ImageName], now: float) -> list[Removal]:
        """Remove images, all that can be in one transaction; what became of each, in the order of ``names``.

        By a digest an image leaves with all of its tags; by a tag only that tag does, and the image with its last one. What
        an index of the repository lists stays, unless that index leaves, too, wherever in ``names`` it stands. Blobs stay
        linked as if they had been linked ``now``: a push that has seen them may still come.
        """
        ...
