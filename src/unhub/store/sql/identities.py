"""Users and roles with their policies, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.store.records import ChangeKind
from unhub.store.records_identity import AttachedPolicy, IdentityKey, IdentityKind, StoredIdentity
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.schema import identity, identity_policy


class SqlIdentities:
    """See :class:`unhub.store.protocols_identity.Identities`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, identity_: StoredIdentity) -> bool:
        """See the protocol."""
        account, kind, name = identity_.key
        values = {"account": account, "kind": kind.value, "name": name, "created_at": identity_.created_at, "trust": identity_.trust}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(identity).values(**values, unique_id=identity_.unique_id))
                await note(connection, ChangeKind.IDENTITY, None, identity_.unique_id)
        except IntegrityError:
            return False
        return True

    async def get(self, key: IdentityKey) -> StoredIdentity | None:
        """See the protocol."""
        async with self._database.read() as connection:
            row = (await connection.execute(_find(key))).one_or_none()
        return stored_identity(row) if row else None

    async def by_id(self, unique_id: str) -> StoredIdentity | None:
        """See the protocol."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(identity).where(identity.c.unique_id == unique_id))).one_or_none()
        return stored_identity(row) if row else None

    async def all(self, account: str | None = None, kind: IdentityKind | None = None) -> list[StoredIdentity]:
        """See the protocol."""
        query = select(identity).order_by(identity.c.account, identity.c.kind, identity.c.name)
        if account is not None:
            query = query.where(identity.c.account == account)
        if kind is not None:
            query = query.where(identity.c.kind == kind.value)
        async with self._database.read() as connection:
            return [stored_identity(row) for row in (await connection.execute(query)).all()]

    async def delete(self, key: IdentityKey) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            row = await find_row(connection, key)
            if row is not None:
                await connection.execute(delete(identity).where(identity.c.id == row.id))
                await note(connection, ChangeKind.IDENTITY, None, row.unique_id)
        return row is not None

    async def attach(self, key: IdentityKey, policy: AttachedPolicy) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            row = await find_row(connection, key)
            if row is not None:
                values = {"identity_id": row.id, "name": policy.name, "document": policy.document, "attached_at": policy.attached_at}
                await self._database.upsert(connection, identity_policy, values, ("document", "attached_at"))
                await note(connection, ChangeKind.IDENTITY, None, row.unique_id)
        return row is not None

    async def detach(self, key: IdentityKey, name: str) -> bool:
        """See the protocol."""
        columns = identity_policy.c
        async with self._database.write() as connection:
            row = await find_row(connection, key)
            if row is None:
                return False
            statement = delete(identity_policy).where(columns.identity_id == row.id, columns.name == name)
            gone = (await connection.execute(statement)).rowcount > 0
            if gone:
                await note(connection, ChangeKind.IDENTITY, None, row.unique_id)
        return gone

    async def policies(self, key: IdentityKey) -> list[AttachedPolicy]:
        """See the protocol."""
        columns = identity_policy.c
        query = select(identity_policy).join(identity, identity.c.id == columns.identity_id).where(*_is(key)).order_by(columns.name)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [AttachedPolicy(row.name, row.document, row.attached_at) for row in rows]


async def find_row(connection: AsyncConnection, key: IdentityKey) -> Row[Any] | None:
    """An identity's row in the transaction at hand."""
    return (await connection.execute(_find(key))).one_or_none()


def stored_identity(row: Row[Any]) -> StoredIdentity:
    """A row of the table as what it means."""
    key = IdentityKey(row.account, IdentityKind(row.kind), row.name)
    return StoredIdentity(key, row.unique_id, row.created_at, row.trust)


def _is(key: IdentityKey) -> tuple[Any, ...]:
    return (identity.c.account == key.account, identity.c.kind == key.kind.value, identity.c.name == key.name)


def _find(key: IdentityKey) -> Any:
    return select(identity).where(*_is(key))
