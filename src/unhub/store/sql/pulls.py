"""Who was answered with what, in SQL; the same rows say what was used last."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, or_, select, update

from unhub.image.digest import Digest
from unhub.store.records import PullRecord, RepositoryKey
from unhub.store.sql.database import Database
from unhub.store.sql.repositories import find
from unhub.store.sql.schema import manifest_blob, pull, repository, repository_manifest


class SqlPulls:
    """See :class:`unhub.store.protocols.Pulls`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, pulls: Iterable[PullRecord]) -> None:
        """See the protocol."""
        links = repository_manifest.c
        async with self._database.note() as connection:
            for row in pulls:
                number = await find(connection, row.repository)
                if number is None:
                    continue
                values = {
                    **{"day": row.day, "repository_id": number, "digest": str(row.digest), "reference": row.reference},
                    **{"caller": row.caller, "count": row.count, "bytes_answered": row.bytes_answered, "last_at": row.last_at},
                }
                added = {
                    "count": pull.c.count + row.count,
                    "bytes_answered": pull.c.bytes_answered + row.bytes_answered,
                    "last_at": row.last_at,
                }
                await self._database.upsert(connection, pull, values, expressions=added)
                touched = update(repository_manifest).where(links.repository_id == number, links.digest == str(row.digest))
                await connection.execute(touched.values(accessed_at=row.last_at))

    async def of(self, digest: Digest, limit: int = 1000) -> list[PullRecord]:
        """See the protocol."""
        images = select(manifest_blob.c.manifest).where(manifest_blob.c.blob == str(digest))
        query = (
            select(pull, repository.c.alias, repository.c.path)
            .join(repository, repository.c.id == pull.c.repository_id)
            .where(or_(pull.c.digest == str(digest), pull.c.digest.in_(images)))
            .order_by(pull.c.last_at.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            PullRecord(
                repository=RepositoryKey(row["alias"], row["path"]),
                digest=Digest.parse(row["digest"]),
                reference=row["reference"],
                caller=row["caller"],
                day=row["day"],
                count=row["count"],
                bytes_answered=row["bytes_answered"],
                last_at=row["last_at"],
            )
            for row in rows
        ]

    async def forget(self, before_day: int) -> int:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(pull).where(pull.c.day < before_day))).rowcount
