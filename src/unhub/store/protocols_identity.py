"""What a store must remember of accounts, identities, their registries and what they used; see :mod:`unhub.store.protocols`.

Whoever remembers any of it hears of changes by the change table: ``identity`` with the unique id or access key,
``revocation``, ``signing-key``, and ``repository`` where a registration changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from unhub.store.records import RepositoryKey
from unhub.store.records_identity import (
    Account,
    AttachedPolicy,
    IdentityKey,
    IdentityKind,
    MeterField,
    MeterRow,
    MeterSum,
    Registration,
    Revocation,
    StoredAccessKey,
    StoredAlias,
    StoredIdentity,
    StoredSigningKey,
)


class Accounts(Protocol):
    """Accounts and the names of their registries."""

    async def create(self, account: Account, /) -> bool:
        """Add an account; whether it was not there."""
        ...

    async def get(self, account: str, /) -> Account | None:
        """One account, or ``None``."""
        ...

    async def all(self) -> list[Account]:
        """Every account, the oldest first."""
        ...

    async def set_display_name(self, account: str, name: str | None) -> bool:
        """Set the registry's catalog data; whether there is such an account."""
        ...

    async def set_verified(self, account: str, verified: bool) -> bool:
        """Mark a registry as verified or not; whether there is such an account."""
        ...

    async def add_alias(self, alias: StoredAlias, /) -> bool:
        """Give a registry a name; whether nobody had it. A new default or primary one takes the place of the account's older one."""
        ...

    async def alias(self, name: str, /) -> StoredAlias | None:
        """An alias of any registry, or ``None``."""
        ...

    async def aliases(self, account: str, /) -> list[StoredAlias]:
        """The aliases of a registry, the primary one first, then by name."""
        ...

    async def every_alias(self) -> list[StoredAlias]:
        """The aliases of all registries, by name."""
        ...


class Identities(Protocol):
    """Users and roles with their policies."""

    async def create(self, identity: StoredIdentity, /) -> bool:
        """Add a user or role of an account that exists; whether the name was free."""
        ...

    async def get(self, key: IdentityKey, /) -> StoredIdentity | None:
        """One identity, or ``None``."""
        ...

    async def by_id(self, unique_id: str, /) -> StoredIdentity | None:
        """One identity by its unique id, or ``None``."""
        ...

    async def all(self, account: str | None = None, kind: IdentityKind | None = None) -> list[StoredIdentity]:
        """Identities by account, kind and name."""
        ...

    async def delete(self, key: IdentityKey, /) -> bool:
        """Remove an identity with its policies and access keys; whether there was one."""
        ...

    async def attach(self, key: IdentityKey, policy: AttachedPolicy) -> bool:
        """Attach a policy in the place of one of that name; whether there is such an identity."""
        ...

    async def detach(self, key: IdentityKey, name: str) -> bool:
        """Take a policy away; whether there was one."""
        ...

    async def policies(self, key: IdentityKey, /) -> list[AttachedPolicy]:
        """The policies of an identity, by name."""
        ...


class AccessKeys(Protocol):
    """Access keys."""

    async def add(self, key: StoredAccessKey, unique_id: str) -> bool:
        """Add a key of an identity; whether that identity, with this unique id, exists."""
        ...

    async def get(self, key_id: str, /) -> tuple[StoredAccessKey, StoredIdentity] | None:
        """A key with its owner, active or not, or ``None``."""
        ...

    async def of(self, identity: IdentityKey, /) -> list[StoredAccessKey]:
        """The keys of an identity, the oldest first."""
        ...

    async def set_active(self, key_id: str, active: bool) -> bool:
        """Switch a key on or off; whether there is such a key."""
        ...

    async def delete(self, key_id: str, /) -> bool:
        """Remove a key; whether there was one."""
        ...

    async def forget_expired(self, before: float, /) -> int:
        """Drop temporary keys that ended before; how many."""
        ...


class Registrations(Protocol):
    """Repositories of accounts, beside what :class:`unhub.store.protocols.Repositories` knows of them."""

    async def create(self, registration: Registration, /, tags: Mapping[str, str], *, most: int | None = None) -> bool:
        """Make an own repository with catalog data and resource tags, in one transaction; whether it was not there.

        Raises :class:`unhub.store.refusals.TooMany` where the account would then have more than ``most`` repositories.
        """
        ...

    async def remove(self, key: RepositoryKey, *, force: bool = False) -> bool:
        """Remove a repository with all that it holds; whether there was one.

        Raises :class:`unhub.store.refusals.NotEmpty` where it holds images, unless ``force``.
        """
        ...

    async def get(self, key: RepositoryKey, /) -> Registration | None:
        """One registration, or ``None``; the logo is left out."""
        ...

    async def logo(self, key: RepositoryKey, /) -> bytes | None:
        """The logo of a repository, or ``None``."""
        ...

    async def of(self, account: str, /, *, after: str = "", limit: int = 100) -> list[Registration]:
        """The repositories of an account in the order of their paths, those after ``after`` only; logos are left out."""
        ...

    async def count(self, account: str, /) -> int:
        """How many repositories an account has."""
        ...

    async def set_catalog(self, key: RepositoryKey, catalog: str | None, logo: bytes | None) -> bool:
        """Set or remove the catalog data; whether there is such a repository."""
        ...

    async def set_policy(self, key: RepositoryKey, policy: str | None) -> bool:
        """Set or remove the repository policy; whether there is such a repository."""
        ...

    async def tags(self, key: RepositoryKey, /) -> dict[str, str]:
        """The resource tags, by key."""
        ...

    async def set_tags(self, key: RepositoryKey, tags: Mapping[str, str], *, most: int) -> bool | None:
        """Add or overwrite resource tags unless there were more than ``most`` then (``False``); ``None`` without such a repository."""
        ...

    async def remove_tags(self, key: RepositoryKey, names: Iterable[str]) -> bool:
        """Remove resource tags; whether there is such a repository."""
        ...


class SigningKeys(Protocol):
    """The keys with which this registry signs, sealed."""

    async def add(self, key: StoredSigningKey, /) -> bool:
        """Add a key, and retire the older ones at the time from which it signs; whether its number was free."""
        ...

    async def all(self) -> list[StoredSigningKey]:
        """Every key, the newest first."""
        ...

    async def forget(self, retired_before: float, /) -> int:
        """Drop keys that were retired before; how many."""
        ...


class Revocations(Protocol):
    """What was given out and counts no more."""

    async def add(self, revocation: Revocation, /) -> None:
        """Revoke; a later revocation of the same subject takes the place of the earlier one."""
        ...

    async def all(self, now: float, /) -> list[Revocation]:
        """Every revocation that has not ended."""
        ...

    async def forget(self, now: float, /) -> int:
        """Drop those that have ended; how many."""
        ...


class Meters(Protocol):
    """What callers were answered."""

    async def add(self, rows: Sequence[MeterRow], /) -> None:
        """Add to the counts of the day, all rows or none."""
        ...

    async def sums(self, by: Sequence[MeterField], first_day: int, last_day: int, limit: int = 100_000) -> list[MeterRow]:
        """Counts of days (both included), one row for each combination of ``by``, in the order of those; the rest is empty."""
        ...

    async def report(
        self, by: Sequence[MeterField], first_day: int, last_day: int, *, limit: int, largest: bool = False, account: str | None = None
    ) -> list[MeterSum]:
        """Sums of days (both included), one for each combination of ``by`` (but :attr:`MeterField.EXEMPT`), in the order of those.

        ``largest`` ones come first where that is wanted, by the bytes that count toward limits; with an ``account`` (empty: those
        without one) there are only that one's.
        """
        ...

    async def total(self, first_day: int, last_day: int, *, account: str = "", address: str = "") -> int:
        """Bytes that count toward the limit of an account, or (without one) of an anonymous address."""
        ...

    async def totals(self, first_day: int, last_day: int, callers: Sequence[tuple[str, str]], /) -> dict[tuple[str, str], int]:
        """The same for many: accounts with an empty address, addresses with an empty account. Those without rows are missing."""
        ...

    async def forget_addresses(self, before_day: int, /) -> int:
        """Count older days without addresses from now on, whose sums stay; how many rows had one."""
        ...

    async def forget(self, before_day: int, /) -> int:
        """Drop older days; how many rows."""
        ...


class IdentityStore(Protocol):
    """All of it."""

    @property
    def accounts(self) -> Accounts:
        """Accounts and aliases."""
        ...

    @property
    def identities(self) -> Identities:
        """Users and roles."""
        ...

    @property
    def access_keys(self) -> AccessKeys:
        """Access keys."""
        ...

    @property
    def registrations(self) -> Registrations:
        """Repositories of accounts."""
        ...

    @property
    def signing_keys(self) -> SigningKeys:
        """This registry's own keys."""
        ...

    @property
    def revocations(self) -> Revocations:
        """What counts no more."""
        ...

    @property
    def meters(self) -> Meters:
        """What callers were answered."""
        ...
