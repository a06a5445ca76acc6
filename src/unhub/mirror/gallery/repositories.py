"""Repositories of an account: made, listed and deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from unhub.mirror.gallery.catalog import NewCatalog
from unhub.mirror.gallery.quotas import quotas_of
from unhub.mirror.gallery.refusals import refusals_of
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records import RepositoryKey
from unhub.store.records_identity import Registration, StoredAlias
from unhub.store.refusals import NotEmpty, TooMany

DefaultAlias = Callable[[str], Awaitable[StoredAlias]]
"""The default alias of an account, made where there is none (:meth:`unhub.mirror.identities.Identities.default_alias`)."""


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """Repositories in the order of their names; ``more`` says whether others come after them."""

    rows: tuple[Registration, ...]
    more: bool


class Repositories:
    """The rules. ``now`` is seconds since 1970, ``forget`` hears of what this worker must no longer remember."""

    def __init__(
        self,
        store: IdentityStore,
        default_alias: DefaultAlias,
        *,
        now: Callable[[], float],
        forget: Callable[[RepositoryKey], None],
        facts: Path | None = None,
    ) -> None:
        self._registrations = store.registrations
        self._default_alias = default_alias
        self._now = now
        self._forget = forget
        self._refusals = refusals_of(facts)
        self._most = quotas_of(facts).repositories

    async def create(self, account: str, name: str, catalog: NewCatalog | None, tags: Mapping[str, str]) -> Registration:
        """A new repository, with an alias for the registry where it is the first. Raises :class:`ApiRefused`: taken, or too many."""
        alias = await self._default_alias(account)
        new = Registration(
            RepositoryKey(alias.name, name),
            account,
            self._now(),
            catalog.text if catalog else None,
            catalog.logo if catalog else None,
        )
        try:
            made = await self._registrations.create(new, tags, most=self._most)
        except TooMany as error:
            raise self._refusals.make("too-many-repositories", registry=account, most=error.most) from None
        if not made:
            raise self._refusals.make("repository-already-exists", name=name, registry=account)
        self._forget(new.key)
        return new

    async def page(self, account: str, after: str, limit: int) -> RepositoryPage:
        """Repositories of an account, those after a name only."""
        rows = await self._registrations.of(account, after=after, limit=limit + 1)
        return RepositoryPage(tuple(rows[:limit]), len(rows) > limit)

    async def delete(self, repository: Registration, *, force: bool) -> None:
        """Remove it with all that it holds. Raises :class:`ApiRefused` where it holds images, unless ``force``."""
        try:
            gone = await self._registrations.remove(repository.key, force=force)
        except NotEmpty:
            raise self._refusals.make("repository-not-empty", name=repository.key.path, registry=repository.account) from None
        self._forget(repository.key)
        if not gone:
            raise self._refusals.make("repository-not-found", name=repository.key.path, registry=repository.account)
