"""Access keys, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from unhub.store.records import ChangeKind
from unhub.store.records_identity import IdentityKey, IdentityKind, StoredAccessKey, StoredIdentity
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.identities import find_row
from unhub.store.sql.schema import access_key, identity

_FIELDS = ("id", "secret", "created_at", "active", "session", "token_hash", "expires_at")


class SqlAccessKeys:
    """See :class:`unhub.store.protocols_identity.AccessKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: StoredAccessKey, unique_id: str) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            owner = await find_row(connection, key.identity)
            if owner is None or owner.unique_id != unique_id:
                return False
            values = {name: getattr(key, name) for name in _FIELDS}
            await connection.execute(insert(access_key).values(identity_id=owner.id, **values))
            await note(connection, ChangeKind.IDENTITY, None, key.id)
        return True

    async def get(self, key_id: str) -> tuple[StoredAccessKey, StoredIdentity] | None:
        """See the protocol."""
        owner = (identity.c.account, identity.c.kind, identity.c.name, identity.c.unique_id, identity.c.trust)
        query = (
            select(access_key, *owner, identity.c.created_at.label("owner_created_at"))
            .join(identity, identity.c.id == access_key.c.identity_id)
            .where(access_key.c.id == key_id)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        name = IdentityKey(row.account, IdentityKind(row.kind), row.name)
        return _key(row, name), StoredIdentity(name, row.unique_id, row.owner_created_at, row.trust)

    async def of(self, identity_: IdentityKey) -> list[StoredAccessKey]:
        """See the protocol."""
        async with self._database.read() as connection:
            owner = await find_row(connection, identity_)
            if owner is None:
                return []
            query = select(access_key).where(access_key.c.identity_id == owner.id).order_by(access_key.c.created_at, access_key.c.id)
            return [_key(row, identity_) for row in (await connection.execute(query)).all()]

    async def set_active(self, key_id: str, active: bool) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            done = await connection.execute(update(access_key).where(access_key.c.id == key_id).values(active=active))
            if done.rowcount:
                await note(connection, ChangeKind.IDENTITY, None, key_id)
        return done.rowcount > 0

    async def delete(self, key_id: str) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(access_key).where(access_key.c.id == key_id))
            if done.rowcount:
                await note(connection, ChangeKind.IDENTITY, None, key_id)
        return done.rowcount > 0

    async def forget_expired(self, before: float) -> int:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(access_key).where(access_key.c.expires_at < before))).rowcount


def _key(row: Row[Any], identity_: IdentityKey) -> StoredAccessKey:
    return StoredAccessKey(identity=identity_, **{name: getattr(row, name) for name in _FIELDS})
