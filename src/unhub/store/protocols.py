"""What a store must be able to do: a blob store, and a metadata store made of small parts.

Every backend runs the contract suites of ``tests/contract``. All methods are coroutines; none is answered from
anything but the store, so that what one process writes the next one sees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.store.protocols_images import Images
from unhub.store.records import (
    BlobInfo,
    Block,
    BudgetRow,
    Change,
    ChangeKind,
    Evicted,
    PullRecord,
    Referrer,
    RepositoryKey,
    StoredManifest,
    StoredRepository,
    StoredTag,
    Upload,
)


class BlobStore(Protocol):
    """Content by digest. A blob is whole or not there; what is stored was verified by whoever stored it."""

    async def stat(self, digest: Digest) -> BlobInfo | None:
        """The blob's size and place, or ``None``."""
        ...

    def open(self, digest: Digest, start: int = 0, end: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes from ``start`` up to, not including, ``end``. Raises ``FileNotFoundError``."""
        ...

    async def commit(self, partial: Path, digest: Digest) -> BlobInfo:
        """Take over a verified file; it is gone from its place afterwards. Raises ``OSError`` (no space)."""
        ...

    async def put(self, data: bytes, digest: Digest) -> BlobInfo:
        """Store verified bytes."""
        ...

    async def delete(self, digest: Digest, *, stored_before: float | None = None) -> bool:
        """Remove a blob; whether there was one. Readers that have it open keep reading.

        With ``stored_before`` (seconds since 1970) it stays where it was stored then or later, so that what decided to
        delete it cannot take away what somebody has stored since.
        """
        ...

    def all(self) -> AsyncIterator[tuple[Digest, BlobInfo]]:
        """Every blob, in no order."""
        ...


class Repositories(Protocol):
    """Repositories, own and pulled through."""

    async def get(self, key: RepositoryKey) -> StoredRepository | None:
        """One repository, or ``None``."""
        ...

    async def create(self, key: RepositoryKey, now: float, *, own: bool = False) -> StoredRepository:
        """The repository, made where it did not exist; ``own`` ones hold what was pushed, and are never evicted."""
        ...

    async def set_public(self, key: RepositoryKey, public: bool | None, now: float) -> None:
        """Note whether everybody may read it upstream, or that this is no longer known."""
        ...

    async def delete(self, key: RepositoryKey) -> bool:
        """Remove it with its tags and links; whether there was one."""
        ...

    async def names(self, *, alias: str | None = None, after: RepositoryKey | None = None, limit: int = 100) -> list[RepositoryKey]:
        """Repositories in the order of alias and path, those after ``after`` only."""
        ...


class Manifests(Protocol):
    """Manifests and tags. A manifest is seen only through a repository that links it."""

    async def get(self, key: RepositoryKey, digest: Digest) -> StoredManifest | None:
        """A manifest that the repository links, or ``None``."""
        ...

    async def resolve(self, key: RepositoryKey, tag: str) -> tuple[StoredTag, StoredManifest] | None:
        """A tag with its manifest, or ``None``."""
        ...

    async def put(
        self,
        key: RepositoryKey,
        manifest: Manifest,
        *,
        now: float,
        tags: Sequence[str] = (),
        source: str = "push",
        link_blobs: bool = False,
    ) -> None:
        """Store and link a manifest and point ``tags`` at it, in one transaction.

        ``link_blobs`` also links the blobs it names (pull-through: they may be fetched later).
        """
        ...

    async def confirm(self, key: RepositoryKey, tag: str, now: float, source: str) -> None:
        """An upstream said that the tag still means what it means here."""
        ...

    async def note_gone(self, key: RepositoryKey, tag: str, now: float) -> StoredTag | None:
        """A healthy upstream said that there is no such tag; the tag with its count, or ``None`` where it is unknown."""
        ...

    async def tags(self, key: RepositoryKey, *, after: str = "", limit: int | None = None) -> list[str]:
        """Names of tags in ASCII order, those after ``after`` only."""
        ...

    async def tag(self, key: RepositoryKey, name: str) -> StoredTag | None:
        """One tag, or ``None``."""
        ...

    async def delete_tag(self, key: RepositoryKey, name: str) -> bool:
        """Remove a tag only; whether there was one."""
        ...

    async def delete(self, key: RepositoryKey, digest: Digest, now: float | None = None) -> bool:
        """Remove a manifest from a repository with all its tags; whether there was one.

        With ``now`` its blobs stay linked as if they had been linked then: a push that has seen them may still come.
        """
        ...

    async def referrers(
        self, key: RepositoryKey, subject: Digest, *, artifact_type: str | None = None, after: str = "", limit: int = 1000
    ) -> list[Referrer]:
        """What is attached to ``subject`` in the repository, in the order of digests, those after ``after`` only."""
        ...

    async def digests(self, key: RepositoryKey, *, after: str = "", limit: int = 1000) -> list[Digest]:
        """The manifests that a repository links, in the order of digests, those after ``after`` only."""
        ...

    async def missing_children(self, key: RepositoryKey, manifest: Manifest) -> list[Digest]:
        """The manifests that an index names and the repository does not link."""
        ...


class BlobLinks(Protocol):
    """Which blobs exist, and which repositories may serve them."""

    async def add(self, digest: Digest, size: int, now: float) -> None:
        """Note that a blob is in the blob store."""
        ...

    async def size(self, digest: Digest) -> int | None:
        """Bytes of a blob that is in the blob store, or ``None``."""
        ...

    async def expected_size(self, key: RepositoryKey, digest: Digest) -> int | None:
        """Bytes that a manifest of the repository says a blob has, stored or not; ``None`` where none names it."""
        ...

    async def forget(self, digest: Digest) -> None:
        """Note that a blob is no longer in the blob store; its links stay."""
        ...

    async def link(self, key: RepositoryKey, digest: Digest, now: float, *, create: bool = True) -> None:
        """Let a repository serve a blob.

        Unless ``create``, raises :class:`unhub.store.refusals.NoSuchRepository` where the repository is missing.
        """
        ...

    async def push(
        self, key: RepositoryKey, digest: Digest, size: int, now: float, *, upload: str | None = None, create: bool = True
    ) -> bool:
        """Note that a blob is in the blob store, let an own repository serve it, and forget its upload: all or nothing.

        Returns whether the repository did not have it. ``create`` as in :meth:`link`.
        """
        ...

    async def linked(self, key: RepositoryKey, digest: Digest) -> bool:
        """Whether a repository may serve a blob, stored or not."""
        ...

    async def unlink(self, key: RepositoryKey, digest: Digest) -> bool:
        """Take a blob away from a repository; whether it had it."""
        ...

    async def repositories(self, digest: Digest, limit: int = 100) -> list[RepositoryKey]:
        """The repositories that link a blob or manifest: where it can be fetched again."""
        ...

    async def unlinked(self, limit: int = 1000) -> list[Digest]:
        """Blobs in the blob store that no repository links."""
        ...

    async def stored(self, after: str = "", limit: int = 1000) -> list[tuple[Digest, int]]:
        """Blobs that are noted as stored, in the order of digests."""
        ...


class Uploads(Protocol):
    """Uploads in progress."""

    async def begin(self, upload: Upload, *, create: bool = True) -> None:
        """Remember a new upload.

        Unless ``create``, raises :class:`unhub.store.refusals.NoSuchRepository` where the repository is missing.
        """
        ...

    async def get(self, key: RepositoryKey, upload_id: str) -> Upload | None:
        """An upload of this repository, or ``None``."""
        ...

    async def advance(self, upload_id: str, offset: int, now: float) -> None:
        """Note how many bytes have come."""
        ...

    async def end(self, upload_id: str) -> bool:
        """Forget an upload; whether there was one."""
        ...

    async def abandoned(self, before: float) -> list[Upload]:
        """Uploads that nobody has touched since ``before``."""
        ...


class Ledger(Protocol):
    """What must survive a restart of the fetcher: budgets, negative answers, named states."""

    async def budgets(self) -> list[BudgetRow]:
        """Every budget that is known."""
        ...

    async def save_budget(self, row: BudgetRow) -> None:
        """Store a budget in place of the older one of that upstream and credential."""
        ...

    async def state(self, name: str) -> str | None:
        """A named text, or ``None``."""
        ...

    async def save_state(self, name: str, text: str) -> None:
        """Store a named text."""
        ...


class Policy(Protocol):
    """What the operator forbids or protects."""

    async def block(self, block: Block) -> None:
        """Serve a digest no more."""
        ...

    async def unblock(self, digest: Digest) -> bool:
        """Serve it again; whether it was blocked."""
        ...

    async def blocks(self) -> list[Block]:
        """Every blocked digest."""
        ...

    async def pin(self, pattern: str, now: float) -> None:
        """Never evict what matches a glob on ``alias/path:tag``."""
        ...

    async def unpin(self, pattern: str) -> bool:
        """Take a pin back; whether there was one."""
        ...

    async def pins(self) -> list[str]:
        """Every pin."""
        ...


class Pulls(Protocol):
    """Who was answered with what."""

    async def record(self, pulls: Iterable[PullRecord]) -> None:
        """Add to the counts of the day, and note the access for eviction."""
        ...

    async def of(self, digest: Digest, limit: int = 1000) -> list[PullRecord]:
        """Who pulled a manifest, or the manifests kept here that name a layer or configuration; newest first.

        The digest of a record is the manifest's.
        """
        ...

    async def forget(self, before_day: int) -> int:
        """Drop what is older than a day; how many rows."""
        ...


class Changes(Protocol):
    """What changed, for those who remember things."""

    async def announce(self, kind: ChangeKind, key: RepositoryKey | None = None, what: str = "") -> None:
        """Tell every process that something changed beside the store's own writes."""
        ...

    async def generation(self) -> int:
        """The number of the newest change."""
        ...

    async def since(self, generation: int, limit: int = 1000) -> list[Change]:
        """Changes after a generation, oldest first."""
        ...

    async def forget(self, before: int) -> None:
        """Drop changes before a generation."""
        ...


class Eviction(Protocol):
    """Making room, by whole images."""

    async def usage(self) -> int:
        """Bytes of all stored blobs."""
        ...

    async def oldest(self, limit: int) -> list[tuple[RepositoryKey, Digest, float]]:
        """Tagged or bare top-level manifests of pulled-through repositories with their last access, oldest first."""
        ...

    async def collect(self, before: float) -> list[tuple[Digest, int]]:
        """Drop links to blobs that no manifest of their repository has used since ``before``, and forget blobs without links.

        Manifests that no repository links go, too. Returns those blobs with their sizes: their bytes may be deleted.
        """
        ...

    async def evict(self, key: RepositoryKey, digest: Digest, *, heed_pins: bool = True) -> Evicted | None:
        """Remove an image whole from a repository, in one transaction: tags, index, children, links.

        What other images use stays. ``None`` where it is no longer there, or pinned, unless pins are not heeded (a purge).
        """
        ...


class MetadataStore(Protocol):
    """All of it, and the way to close it."""

    @property
    def repositories(self) -> Repositories:
        """Repositories."""
        ...

    @property
    def manifests(self) -> Manifests:
        """Manifests and tags."""
        ...

    @property
    def blobs(self) -> BlobLinks:
        """Blobs and who may serve them."""
        ...

    @property
    def images(self) -> Images:
        """Manifests and tags as their owners see them."""
        ...

    @property
    def uploads(self) -> Uploads:
        """Uploads in progress."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Budgets and states."""
        ...

    @property
    def policy(self) -> Policy:
        """Blocks and pins."""
        ...

    @property
    def pulls(self) -> Pulls:
        """Who pulled."""
        ...

    @property
    def changes(self) -> Changes:
        """What changed."""
        ...

    @property
    def eviction(self) -> Eviction:
        """Making room."""
        ...

    async def lease(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Take or renew a named lease; whether ``owner`` has it now."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        ...

    async def holder(self, name: str, now: float) -> str | None:
        """Who holds a lease, ``None`` where nobody does."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...
