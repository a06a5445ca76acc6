"""The rows about who may do what. Times are seconds since 1970 (UTC, float); ``sealed`` bytes are encrypted with the instance's key."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from unhub.store.records import RepositoryKey


@dataclass(frozen=True, slots=True)
class Account:
    """An account, which is also a registry: 12 digits. ``display_name`` is the registry's catalog data."""

    id: str
    created_at: float
    verified: bool = False
    display_name: str | None = None


class IdentityKind(StrEnum):
    """What an identity is."""

    USER = "user"
    ROLE = "role"


class IdentityKey(NamedTuple):
    """An identity: its account, and its name there among users or roles."""

    account: str
    kind: IdentityKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of account {self.account}"


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """A user or role.

    ``unique_id`` (``AIDA…``, ``AROA…``) differs for one that is made again under the name of a deleted one. ``trust`` is
    the JSON text that says who may assume a role.
    """

    key: IdentityKey
    unique_id: str
    created_at: float
    trust: str | None = None


@dataclass(frozen=True, slots=True)
class AttachedPolicy:
    """A policy document (JSON text) that is attached to an identity under a name."""

    name: str
    document: str
    attached_at: float


@dataclass(frozen=True, slots=True)
class StoredAccessKey:
    """An access key. Signatures need the secret itself, so it is sealed; a session token is only compared, so it is hashed (SHA-256).

    ``session`` is the session's name of a temporary key, which has ``token_hash`` and ``expires_at``, too.
    """

    id: str
    identity: IdentityKey
    secret: bytes = field(repr=False)
    created_at: float
    active: bool = True
    session: str | None = None
    token_hash: bytes | None = field(default=None, repr=False)
    expires_at: float | None = None


class AliasStatus(StrEnum):
    """Whether an alias may be used."""

    ACTIVE = "ACTIVE"
    PENDING = "PENDING"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class StoredAlias:
    """A name of a registry. The ``default`` one was given at the first repository, the ``primary`` one is displayed."""

    name: str
    account: str
    status: AliasStatus
    created_at: float
    primary: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """A repository of an account as the control plane knows it.

    ``catalog`` is JSON text without the logo, ``None`` where there is no catalog data; ``policy`` the text of the repository
    policy as it was set, byte for byte.
    """

    key: RepositoryKey
    account: str
    created_at: float
    catalog: str | None = None
    logo: bytes | None = field(default=None, repr=False)
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A key for signatures of this registry's own, by number; it signs from ``signs_from`` on until a newer one does.

    ``retired_at`` is when it was replaced, ``None`` while nobody replaced it. Nothing that it signed after that counts.
    """

    number: int
    secret: bytes = field(repr=False)
    created_at: float
    signs_from: float
    retired_at: float | None = None


class RevokedKind(StrEnum):
    """What a revocation is about; its subject is the id of that."""

    TOKEN = "token"  # noqa: S105 -- a kind
    """One password with every token that was got by it, or one token: its id."""
    ACCESS_KEY = "access-key"
    IDENTITY = "identity"
    """By its unique id."""
    ACCOUNT = "account"
    EVERYTHING = "everything"
    """The subject is empty."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """What was given out up to ``revoked_at`` counts no more; the row may be forgotten after ``until``."""

    kind: RevokedKind
    subject: str
    revoked_at: float
    until: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MeterRow:
    """What a caller was answered on a day (days since 1970, UTC) from a repository.

    ``account`` is empty for anonymous callers, ``address`` an IPv4 address or an IPv6 /64; ``exempt`` bytes and pulls count
    toward no limit. In a sum, what was not asked for is empty.
    """

    day: int
    account: str
    address: str
    repository: str
    exempt: bool
    pulls: int
    bytes_answered: int


@dataclass(frozen=True, slots=True)
class MeterSum:
    """What was answered in some days, all of it and the part of it that is exempt; what was not asked for is empty."""

    day: int
    account: str
    address: str
    repository: str
    pulls: int
    bytes_answered: int
    exempt_pulls: int
    exempt_bytes: int

    @property
    def counted(self) -> int:
        """The bytes that count toward limits."""
        return self.bytes_answered - self.exempt_bytes


class MeterField(StrEnum):
    """What meters are told apart by."""

    DAY = "day"
    ACCOUNT = "account"
    ADDRESS = "address"
    REPOSITORY = "repository"
    EXEMPT = "exempt"
