"""Whose an alias is, answered from memory: every worker knows all aliases, and hears of new ones by the change table."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from unhub.aws.arns import ACCOUNT
from unhub.mirror.names import Owner
from unhub.store.records import Change, ChangeKind
from unhub.store.records_identity import AliasStatus, StoredAlias


class Aliases(Protocol):
    """Where they are kept (:class:`unhub.store.protocols_identity.Accounts`)."""

    async def every_alias(self) -> list[StoredAlias]:
        """All aliases of all registries."""
        ...


class KnownRegistries:
    """Lives in one event loop. ``taken`` are the aliases of upstreams, which are no registry's whatever the store says."""

    def __init__(self, store: Aliases, taken: Collection[str] = ()) -> None:
        self._store = store
        self._taken = frozenset(taken)
        self._owners: dict[str, Owner] = {}

    def owner(self, alias: str) -> Owner | None:
        """Whose an active alias is; ``None`` where it is nobody's."""
        return self._owners.get(alias)

    async def load(self) -> None:
        """Read all of them anew."""
        aliases = [alias for alias in await self._store.every_alias() if alias.name not in self._taken]
        kept_under = {alias.account: alias.name for alias in aliases if alias.default}
        self._owners = {
            alias.name: Owner(alias.account, kept_under[alias.account])
            for alias in aliases
            if alias.status is AliasStatus.ACTIVE and alias.account in kept_under
        }

    async def apply(self, changes: Iterable[Change]) -> None:
        """Read anew where an account was changed."""
        if any(change.kind is ChangeKind.IDENTITY and ACCOUNT.fullmatch(change.key) for change in changes):
            await self.load()
