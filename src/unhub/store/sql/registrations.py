"""Repositories of accounts with catalog data, policy and resource tags, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.store.records import ChangeKind, RepositoryKey
from unhub.store.records_identity import Registration
from unhub.store.refusals import Counted, NotEmpty, TooMany
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.repositories import repository_id
from unhub.store.sql.schema import registration, repository, repository_manifest, resource_tag

_BUT_LOGO: Final = tuple(column for column in registration.c if column.name != "logo")


class SqlRegistrations:
    """See :class:`unhub.store.protocols_identity.Registrations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, registration_: Registration, tags: Mapping[str, str], *, most: int | None = None) -> bool:
        """See the protocol."""
        key = registration_.key
        fields = {name: getattr(registration_, name) for name in ("account", "created_at", "catalog", "logo", "policy")}
        try:
            async with self._database.write() as connection:
                await _check_room(connection, registration_, most)
                row = insert(repository).values(alias=key.alias, path=key.path, own=True, created_at=registration_.created_at)
                number = (await connection.execute(row.returning(repository.c.id))).scalar_one()
                await connection.execute(insert(registration).values(repository_id=number, **fields))
                for name, value in tags.items():
                    await connection.execute(insert(resource_tag).values(repository_id=number, key=name, value=value))
                await note(connection, ChangeKind.REPOSITORY, key)
        except IntegrityError:
            return False
        return True

    async def get(self, key: RepositoryKey) -> Registration | None:
        """See the protocol."""
        query = select(*_BUT_LOGO).where(registration.c.repository_id == repository_id(key))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _registration(row, key) if row else None

    async def logo(self, key: RepositoryKey) -> bytes | None:
        """See the protocol."""
        query = select(registration.c.logo).where(registration.c.repository_id == repository_id(key))
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def remove(self, key: RepositoryKey, *, force: bool = False) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            number = await _there_is(connection, key)
            if number is None:
                return False
            held = select(repository_manifest.c.digest).where(repository_manifest.c.repository_id == number).limit(1)
            if not force and (await connection.execute(held)).first() is not None:
                raise NotEmpty(key)
            await connection.execute(delete(repository).where(repository.c.id == number))
            await note(connection, ChangeKind.REPOSITORY, key)
        return True

    async def of(self, account: str, *, after: str = "", limit: int = 100) -> list[Registration]:
        """See the protocol."""
        query = (
            select(*_BUT_LOGO, repository.c.alias, repository.c.path)
            .join(repository, repository.c.id == registration.c.repository_id)
            .where(registration.c.account == account, repository.c.path > after)
            .order_by(repository.c.path, repository.c.alias)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [_registration(row, RepositoryKey(row.alias, row.path)) for row in rows]

    async def count(self, account: str) -> int:
        """See the protocol."""
        async with self._database.read() as connection:
            return await _count(connection, account)

    async def set_catalog(self, key: RepositoryKey, catalog: str | None, logo: bytes | None) -> bool:
        """See the protocol."""
        return await self._set(key, catalog=catalog, logo=logo)

    async def set_policy(self, key: RepositoryKey, policy: str | None) -> bool:
        """See the protocol."""
        return await self._set(key, policy=policy)

    async def tags(self, key: RepositoryKey) -> dict[str, str]:
        """See the protocol."""
        query = select(resource_tag).where(resource_tag.c.repository_id == repository_id(key)).order_by(resource_tag.c.key)
        async with self._database.read() as connection:
            return {row.key: row.value for row in (await connection.execute(query)).all()}

    async def set_tags(self, key: RepositoryKey, tags: Mapping[str, str], *, most: int) -> bool | None:
        """See the protocol."""
        mine = registration.c.repository_id == repository_id(key)
        async with self._database.write() as connection:
            number = (await connection.execute(select(registration.c.repository_id).where(mine))).scalar_one_or_none()
            if number is None:
                return None
            names = (await connection.execute(select(resource_tag.c.key).where(resource_tag.c.repository_id == number))).scalars()
            if len({*names.all(), *tags}) > most:
                return False
            for name, value in tags.items():
                await self._database.upsert(connection, resource_tag, {"repository_id": number, "key": name, "value": value}, ["value"])
            await note(connection, ChangeKind.REPOSITORY, key)
        return True

    async def remove_tags(self, key: RepositoryKey, names: Iterable[str]) -> bool:
        """See the protocol."""
        mine = registration.c.repository_id == repository_id(key)
        async with self._database.write() as connection:
            number = (await connection.execute(select(registration.c.repository_id).where(mine))).scalar_one_or_none()
            if number is None:
                return False
            columns = resource_tag.c
            await connection.execute(delete(resource_tag).where(columns.repository_id == number, columns.key.in_(list(names))))
            await note(connection, ChangeKind.REPOSITORY, key)
        return True

    async def _set(self, key: RepositoryKey, **values: object) -> bool:
        async with self._database.write() as connection:
            statement = update(registration).where(registration.c.repository_id == repository_id(key)).values(**values)
            done = await connection.execute(statement)
            if done.rowcount:
                await note(connection, ChangeKind.REPOSITORY, key)
        return done.rowcount > 0


async def _there_is(connection: AsyncConnection, key: RepositoryKey) -> int | None:
    """The number of a repository that is registered."""
    query = select(registration.c.repository_id).where(registration.c.repository_id == repository_id(key))
    return (await connection.execute(query)).scalar_one_or_none()


async def _check_room(connection: AsyncConnection, wanted: Registration, most: int | None) -> None:
    """Raise :class:`TooMany` where there is no room for one more; one that is there takes none."""
    if most is None or await _there_is(connection, wanted.key) is not None:
        return
    if await _count(connection, wanted.account) >= most:
        raise TooMany(Counted.REPOSITORIES, most)


async def _count(connection: AsyncConnection, account: str) -> int:
    query = select(func.count()).select_from(registration).where(registration.c.account == account)
    return (await connection.execute(query)).scalar_one()


def _registration(row: Row[Any], key: RepositoryKey) -> Registration:
    return Registration(key, row.account, row.created_at, row.catalog, None, row.policy)
