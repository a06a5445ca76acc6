"""Repositories in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.store.records import ChangeKind, RepositoryKey, StoredRepository
from unhub.store.refusals import NoSuchRepository
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.schema import repository


def repository_id(key: RepositoryKey) -> Any:
    """The number of a repository, as a subquery for other statements."""
    return select(repository.c.id).where(repository.c.alias == key.alias, repository.c.path == key.path).scalar_subquery()


async def find(connection: AsyncConnection, key: RepositoryKey) -> int | None:
    """The number of a repository, ``None`` where there is none."""
    return (await connection.execute(select(repository_id(key)))).scalar_one_or_none()


async def find_or_create(connection: AsyncConnection, key: RepositoryKey, now: float, *, own: bool = False) -> int:
    """The number of a repository, made in the transaction at hand where it did not exist."""
    found = await find(connection, key)
    if found is not None:
        return found
    try:
        async with connection.begin_nested():
            statement = insert(repository).values(alias=key.alias, path=key.path, own=own, created_at=now)
            made = await connection.execute(statement.returning(repository.c.id))
            return made.scalar_one()
    except IntegrityError:
        return (await connection.execute(select(repository_id(key)))).scalar_one()


async def found_or_made(connection: AsyncConnection, key: RepositoryKey, now: float, *, create: bool) -> int:
    """The number of an own repository, made where that is allowed. Raises :class:`NoSuchRepository`."""
    if create:
        return await find_or_create(connection, key, now, own=True)
    found = await find(connection, key)
    if found is None:
        raise NoSuchRepository(key)
    return found


class SqlRepositories:
    """See :class:`unhub.store.protocols.Repositories`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: RepositoryKey) -> StoredRepository | None:
        """See the protocol."""
        query = select(repository).where(repository.c.alias == key.alias, repository.c.path == key.path)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _stored(row) if row else None

    async def create(self, key: RepositoryKey, now: float, *, own: bool = False) -> StoredRepository:
        """See the protocol."""
        async with self._database.write() as connection:
            number = await find_or_create(connection, key, now, own=own)
            row = (await connection.execute(select(repository).where(repository.c.id == number))).one()
        return _stored(row)

    async def set_public(self, key: RepositoryKey, public: bool | None, now: float) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            number = await find_or_create(connection, key, now)
            await connection.execute(update(repository).where(repository.c.id == number).values(public=public, public_checked_at=now))
            await note(connection, ChangeKind.REPOSITORY, key)

    async def delete(self, key: RepositoryKey) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            statement = delete(repository).where(repository.c.alias == key.alias, repository.c.path == key.path)
            gone = (await connection.execute(statement)).rowcount > 0
            if gone:
                await note(connection, ChangeKind.REPOSITORY, key)
        return gone

    async def names(self, *, alias: str | None = None, after: RepositoryKey | None = None, limit: int = 100) -> list[RepositoryKey]:
        """See the protocol."""
        columns = (repository.c.alias, repository.c.path)
        query = select(*columns).order_by(*columns).limit(limit)
        if alias is not None:
            query = query.where(repository.c.alias == alias)
        if after is not None:
            query = query.where(tuple_(*columns) > tuple_(*after))
        async with self._database.read() as connection:
            return [RepositoryKey(row.alias, row.path) for row in (await connection.execute(query)).all()]


def _stored(row: Row[Any]) -> StoredRepository:
    key = RepositoryKey(row.alias, row.path)
    return StoredRepository(key, row.created_at, row.own, row.public, row.public_checked_at)
