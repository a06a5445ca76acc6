"""What a stand-in carries: repositories with tags and manifests, and the blobs they share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from unhub.demo.catalogue import Entry
from unhub.demo.images import Document, Image


@dataclass(slots=True)
class Repository:
    """One repository: what its tags point at, its manifests, and the digests of the blobs that it links."""

    private: bool = False
    tags: dict[str, str] = field(default_factory=dict[str, str])
    manifests: dict[str, Document] = field(default_factory=dict[str, Document])
    blobs: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Store:
    """Repositories by name, and blobs by digest; ``missing`` are blobs that are named and not there."""

    repositories: dict[str, Repository] = field(default_factory=dict[str, Repository])
    blobs: dict[str, memoryview] = field(default_factory=dict[str, memoryview], repr=False)
    missing: frozenset[str] = frozenset()

    def fill(self, entries: Iterable[Entry]) -> None:
        """Take every entry in."""
        for entry in entries:
            self.add(entry.image, entry.repository, entry.tag, private=entry.private)

    def add(self, image: Image, repository: str, tag: str | None, *, private: bool = False) -> None:
        """Take an image in; a tag that is there moves to it, and the old image stays to be had by its digest."""
        kept = self.repositories.setdefault(repository, Repository(private))
        kept.private = private or kept.private
        kept.manifests.update({document.digest: document for document in image.documents})
        kept.blobs.update(image.blobs)
        self.blobs.update({digest: memoryview(data) for digest, data in image.blobs.items() if digest not in self.blobs})
        if tag is not None:
            kept.tags[tag] = image.digest

    def remove(self, repository: str, tag: str | None) -> None:
        """Take a tag away, or the whole repository. Raises :class:`KeyError` where it is not there."""
        if tag is None:
            del self.repositories[repository]
        else:
            del self.repositories[repository].tags[tag]

    def manifest(self, repository: str, reference: str) -> Document | None:
        """The manifest that a tag or digest names."""
        kept = self.repositories.get(repository)
        return kept.manifests.get(kept.tags.get(reference, reference)) if kept else None

    def blob(self, repository: str, digest: str) -> memoryview | None:
        """A blob that the repository links."""
        kept = self.repositories.get(repository)
        return self.content(digest) if kept and digest in kept.blobs else None

    def content(self, digest: str) -> memoryview | None:
        """A blob by its digest alone."""
        return None if digest in self.missing else self.blobs.get(digest)
