"""This registry's own keys, and what counts no more, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from unhub.store.records import ChangeKind
from unhub.store.records_identity import Revocation, RevokedKind, StoredSigningKey
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.schema import revocation as revocation_table
from unhub.store.sql.schema import signing_key

_FIELDS = ("number", "secret", "created_at", "signs_from", "retired_at")


class SqlSigningKeys:
    """See :class:`unhub.store.protocols_identity.SigningKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: StoredSigningKey) -> bool:
        """See the protocol."""
        columns = signing_key.c
        older = or_(columns.retired_at.is_(None), columns.retired_at > key.signs_from)
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(signing_key).values(**{name: getattr(key, name) for name in _FIELDS}))
                retiring = update(signing_key).where(columns.number < key.number, older)
                await connection.execute(retiring.values(retired_at=key.signs_from))
                await note(connection, ChangeKind.SIGNING_KEY, None, str(key.number))
        except IntegrityError:
            return False
        return True

    async def all(self) -> list[StoredSigningKey]:
        """See the protocol."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(signing_key).order_by(signing_key.c.number.desc()))).all()
        return [StoredSigningKey(**{name: getattr(row, name) for name in _FIELDS}) for row in rows]

    async def forget(self, retired_before: float) -> int:
        """See the protocol."""
        async with self._database.write() as connection:
            gone = (await connection.execute(delete(signing_key).where(signing_key.c.retired_at < retired_before))).rowcount
            if gone:
                await note(connection, ChangeKind.SIGNING_KEY, None)
        return gone


class SqlRevocations:
    """See :class:`unhub.store.protocols_identity.Revocations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, revocation: Revocation) -> None:
        """See the protocol."""
        values = {name: getattr(revocation, name) for name in ("subject", "revoked_at", "until", "reason")}
        async with self._database.write() as connection:
            row = {"kind": revocation.kind.value, **values}
            await self._database.upsert(connection, revocation_table, row, ("revoked_at", "until", "reason"))
            await note(connection, ChangeKind.REVOCATION, None, f"{revocation.kind} {revocation.subject}")

    async def all(self, now: float) -> list[Revocation]:
        """See the protocol."""
        columns = revocation_table.c
        query = select(revocation_table).where(columns.until >= now).order_by(columns.kind, columns.subject)
        async with self._database.read() as connection:
            return [_revocation(row) for row in (await connection.execute(query)).all()]

    async def forget(self, now: float) -> int:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(revocation_table).where(revocation_table.c.until < now))).rowcount


def _revocation(row: Row[Any]) -> Revocation:
    return Revocation(RevokedKind(row.kind), row.subject, row.revoked_at, row.until, row.reason)
