"""Uploads in progress, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from unhub.store.records import RepositoryKey, Upload
from unhub.store.sql.database import Database
from unhub.store.sql.repositories import found_or_made
from unhub.store.sql.schema import repository, upload


class SqlUploads:
    """See :class:`unhub.store.protocols.Uploads`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._query = select(upload, repository.c.alias, repository.c.path).join(repository, repository.c.id == upload.c.repository_id)

    async def begin(self, upload: Upload, *, create: bool = True) -> None:
        """See the protocol."""
        await self._insert(upload, create)

    async def _insert(self, begun: Upload, create: bool) -> None:
        async with self._database.note() as connection:
            number = await found_or_made(connection, begun.repository, begun.started_at, create=create)
            row = {
                **{"id": begun.id, "repository_id": number, "owner": begun.owner, "offset": begun.offset},
                **{"started_at": begun.started_at, "touched_at": begun.touched_at},
            }
            await connection.execute(insert(upload).values(**row))

    async def get(self, key: RepositoryKey, upload_id: str) -> Upload | None:
        """See the protocol."""
        query = self._query.where(upload.c.id == upload_id, repository.c.alias == key.alias, repository.c.path == key.path)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _upload(row) if row else None

    async def advance(self, upload_id: str, offset: int, now: float) -> None:
        """See the protocol."""
        async with self._database.note() as connection:
            await connection.execute(update(upload).where(upload.c.id == upload_id).values(offset=offset, touched_at=now))

    async def end(self, upload_id: str) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(upload).where(upload.c.id == upload_id))).rowcount > 0

    async def abandoned(self, before: float) -> list[Upload]:
        """See the protocol."""
        async with self._database.read() as connection:
            return [_upload(row) for row in (await connection.execute(self._query.where(upload.c.touched_at < before))).all()]


def _upload(row: Row[Any]) -> Upload:
    return Upload(row.id, RepositoryKey(row.alias, row.path), row.owner, row.offset, row.started_at, row.touched_at)
