"""Registries of accounts: who is meant by an id or alias, and where a repository of an account is kept.

Every account is one registry. Its repositories are kept under the default alias, which never changes, and shown under the
primary one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from unhub.aws.arns import ACCOUNT
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records import RepositoryKey
from unhub.store.records_identity import Account, AliasStatus, Registration, StoredAlias

ACCOUNTS_KEPT: Final = 4096
"""Accounts whose alias is remembered."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry as ``DescribeRegistries`` shows it."""

    account: Account
    aliases: tuple[StoredAlias, ...]

    @property
    def shown_alias(self) -> str:
        """The alias in URIs."""
        return shown(self.aliases)


def shown(aliases: Iterable[StoredAlias]) -> str:
    """The alias in URIs: the primary one, which the store puts first; empty where there is none yet."""
    return next((alias.name for alias in aliases if alias.status is AliasStatus.ACTIVE), "")


class Registries:
    """Looks registries up; under which alias an account's repositories are kept is remembered, since that never changes."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._kept_under: dict[str, str] = {}

    async def account_of(self, registry: str | None, caller: str) -> str | None:
        """The account of a registry by its id or an active alias; the caller's own where none is named.

        ``None`` for an alias that nobody has. Whether there is an account of twelve digits is not looked up: nothing that is
        answered may tell that to strangers.
        """
        if registry is None:
            return caller
        if ACCOUNT.fullmatch(registry):
            return registry
        alias = await self._store.accounts.alias(registry)
        return alias.account if alias is not None and alias.status is AliasStatus.ACTIVE else None

    async def registry(self, account: str) -> Registry | None:
        """The registry of an account, ``None`` where there is no such account."""
        found = await self._store.accounts.get(account)
        return Registry(found, tuple(await self._store.accounts.aliases(account))) if found else None

    async def find(self, account: str, name: str) -> Registration | None:
        """A repository by its account and name."""
        key = await self.key(account, name)
        return None if key is None else await self._store.registrations.get(key)

    async def key(self, account: str, name: str) -> RepositoryKey | None:
        """Where a repository of an account is kept, whether there is one or not; ``None`` where the account has no alias yet."""
        if account not in self._kept_under:
            found = next((alias.name for alias in await self._store.accounts.aliases(account) if alias.default), None)
            if found is None:
                return None
            if len(self._kept_under) >= ACCOUNTS_KEPT:
                self._kept_under.clear()
            self._kept_under[account] = found
        return RepositoryKey(self._kept_under[account], name)

    async def shown_alias(self, account: str) -> str:
        """The alias in URIs of an account's repositories."""
        return shown(await self._store.accounts.aliases(account))

    async def set_display_name(self, account: str, name: str | None) -> None:
        """Set the registry's catalog data."""
        await self._store.accounts.set_display_name(account, name)
