"""The rows that a store hands out. Times are seconds since 1970 (UTC, float), sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest


class RepositoryKey(NamedTuple):
    """A repository: the upstream or own alias it belongs to, and its path there (``("docker", "library/node")``)."""

    alias: str
    path: str

    def __str__(self) -> str:
        return f"{self.alias}/{self.path}"


@dataclass(frozen=True, slots=True)
class StoredRepository:
    """A repository.

    ``own`` ones hold what was pushed here. ``public`` says whether everybody may read it upstream, ``None`` where
    nobody has looked.
    """

    key: RepositoryKey
    created_at: float
    own: bool = False
    public: bool | None = None
    public_checked_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest or index, verbatim."""

    digest: Digest
    media_type: str
    data: bytes = field(repr=False)
    stored_at: float
    subject: Digest | None = None
    artifact_type: str | None = None

    @property
    def manifest(self) -> Manifest:
        """The bytes read again."""
        return Manifest.parse(self.data, self.media_type, algorithm=self.digest.algorithm)


@dataclass(frozen=True, slots=True)
class StoredTag:
    """What a tag means here.

    ``fetched_at`` is when it got this digest, ``checked_at`` when an upstream last confirmed it; ``source`` names
    that upstream, or is ``push``. ``gone_since`` is when a healthy upstream first said that it is no more.
    """

    repository: RepositoryKey
    name: str
    digest: Digest
    fetched_at: float
    checked_at: float
    source: str
    gone_since: float | None = None
    gone_count: int = 0


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that is attached to another one, as the referrers API lists it."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A stored blob; ``path`` is its file where the store has files, for a server that can send those itself."""

    size: int
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in progress: who began it, and how many bytes have come."""

    id: str
    repository: RepositoryKey
    owner: str
    offset: int
    started_at: float
    touched_at: float


class Priority(StrEnum):
    """Who may spend an upstream's pulls first."""

    CLIENT = "client"
    REFRESH = "refresh"
    PREFETCH = "prefetch"


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What is known of an upstream's pull limit for one credential (an account's name, or empty: anonymous).

    ``limit`` and ``remaining`` are pulls, ``window`` seconds; ``seen_at`` is when a header said so, ``spent`` the
    pulls that were sent since then.
    """

    upstream: str
    credential: str
    limit: int | None
    remaining: int | None
    window: int | None
    seen_at: float
    spent: int = 0
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A digest that must not be served, and why."""

    digest: Digest
    reason: str
    blocked_at: float


@dataclass(frozen=True, slots=True)
class PullRecord:
    """How often a caller was answered with a digest from a repository; ``day`` counts days since 1970 (UTC)."""

    repository: RepositoryKey
    digest: Digest
    reference: str
    caller: str
    day: int
    count: int
    bytes_answered: int = 0
    last_at: float = 0.0


class ChangeKind(StrEnum):
    """What others must forget."""

    TAG = "tag"
    MANIFEST = "manifest"
    BLOB = "blob"
    REPOSITORY = "repository"
    BLOCK = "block"
    CONFIGURATION = "configuration"
    IDENTITY = "identity"
    REVOCATION = "revocation"
    SIGNING_KEY = "signing-key"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that every worker must hear of: ``alias`` and ``path`` are empty where it concerns all."""

    generation: int
    kind: ChangeKind
    alias: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class Evicted:
    """What an eviction removed: the blobs that no repository needs any more, with the bytes they held."""

    repository: RepositoryKey
    digest: Digest
    tags: tuple[str, ...]
    blobs: tuple[Digest, ...]
    size: int
