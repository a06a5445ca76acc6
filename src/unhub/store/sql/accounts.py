"""Accounts and the aliases of their registries, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from unhub.store.records import ChangeKind
from unhub.store.records_identity import Account, AliasStatus, StoredAlias
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.schema import account as account_table
from unhub.store.sql.schema import registry_alias


class SqlAccounts:
    """See :class:`unhub.store.protocols_identity.Accounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, account: Account) -> bool:
        """See the protocol."""
        values = {
            "id": account.id,
            "created_at": account.created_at,
            "verified": account.verified,
            "display_name": account.display_name,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(account_table).values(**values))
                await note(connection, ChangeKind.IDENTITY, None, account.id)
        except IntegrityError:
            return False
        return True

    async def get(self, account: str) -> Account | None:
        """See the protocol."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(account_table).where(account_table.c.id == account))).one_or_none()
        return _account(row) if row else None

    async def all(self) -> list[Account]:
        """See the protocol."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(account_table).order_by(account_table.c.created_at, account_table.c.id))).all()
        return [_account(row) for row in rows]

    async def set_display_name(self, account: str, name: str | None) -> bool:
        """See the protocol."""
        return await self._update(account, display_name=name)

    async def set_verified(self, account: str, verified: bool) -> bool:
        """See the protocol."""
        return await self._update(account, verified=verified)

    async def add_alias(self, alias: StoredAlias) -> bool:
        """See the protocol."""
        columns = registry_alias.c
        values = {name: getattr(alias, name) for name in ("name", "account", "created_at", "primary", "default")}
        try:
            async with self._database.write() as connection:
                for name in ("primary", "default"):
                    if values[name]:
                        mine = update(registry_alias).where(columns.account == alias.account, columns[name])
                        await connection.execute(mine.values({name: False}))
                await connection.execute(insert(registry_alias).values(**values, status=alias.status.value))
                await note(connection, ChangeKind.IDENTITY, None, alias.account)
        except IntegrityError:
            return False
        return True

    async def alias(self, name: str) -> StoredAlias | None:
        """See the protocol."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(registry_alias).where(registry_alias.c.name == name))).one_or_none()
        return _alias(row) if row else None

    async def aliases(self, account: str) -> list[StoredAlias]:
        """See the protocol."""
        columns = registry_alias.c
        query = select(registry_alias).where(columns.account == account).order_by(columns.primary.desc(), columns.name)
        async with self._database.read() as connection:
            return [_alias(row) for row in (await connection.execute(query)).all()]

    async def every_alias(self) -> list[StoredAlias]:
        """See the protocol."""
        async with self._database.read() as connection:
            return [_alias(row) for row in (await connection.execute(select(registry_alias).order_by(registry_alias.c.name))).all()]

    async def _update(self, account: str, **values: object) -> bool:
        async with self._database.write() as connection:
            done = await connection.execute(update(account_table).where(account_table.c.id == account).values(**values))
            if done.rowcount:
                await note(connection, ChangeKind.IDENTITY, None, account)
        return done.rowcount > 0


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.created_at, row.verified, row.display_name)


def _alias(row: Row[Any]) -> StoredAlias:
    return StoredAlias(row.name, row.account, AliasStatus(row.status), row.created_at, row.primary, row.default)
