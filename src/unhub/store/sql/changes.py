"""The change table: what other workers and nodes must forget. Written in the transaction of the change itself."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.store.records import Change, ChangeKind, RepositoryKey
from unhub.store.sql.database import Database
from unhub.store.sql.schema import change


async def note(connection: AsyncConnection, kind: ChangeKind, key: RepositoryKey | None, what: str = "") -> None:
    """Add a change to the transaction at hand."""
    alias, path = key or ("", "")
    await connection.execute(insert(change).values(kind=kind.value, alias=alias, path=path, key=what))


class SqlChanges:
    """See :class:`unhub.store.protocols.Changes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, kind: ChangeKind, key: RepositoryKey | None = None, what: str = "") -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            await note(connection, kind, key, what)

    async def generation(self) -> int:
        """See the protocol."""
        async with self._database.read() as connection:
            return (await connection.execute(select(func.coalesce(func.max(change.c.generation), 0)))).scalar_one()

    async def since(self, generation: int, limit: int = 1000) -> list[Change]:
        """See the protocol."""
        query = select(change).where(change.c.generation > generation).order_by(change.c.generation).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Change(row.generation, ChangeKind(row.kind), row.alias, row.path, row.key) for row in rows]

    async def forget(self, before: int) -> None:
        """See the protocol."""
        newest = select(func.max(change.c.generation)).scalar_subquery()
        async with self._database.write() as connection:
            await connection.execute(delete(change).where(change.c.generation < before, change.c.generation < newest))
