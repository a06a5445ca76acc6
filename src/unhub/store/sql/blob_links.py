"""Blobs and the repositories that may serve them, in SQL."""

from __future__ import annotations

from sqlalchemy import delete, select, union

from unhub.image.digest import Digest
from unhub.store.records import ChangeKind, RepositoryKey
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.repositories import find_or_create, found_or_made, repository_id
from unhub.store.sql.schema import blob, manifest_blob, repository, repository_blob, repository_manifest
from unhub.store.sql.schema import upload as uploads


class SqlBlobLinks:
    """See :class:`unhub.store.protocols.BlobLinks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, digest: Digest, size: int, now: float) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            await self._database.upsert(connection, blob, {"digest": str(digest), "size": size, "stored_at": now}, ["size", "stored_at"])

    async def size(self, digest: Digest) -> int | None:
        """See the protocol."""
        async with self._database.read() as connection:
            return (await connection.execute(select(blob.c.size).where(blob.c.digest == str(digest)))).scalar_one_or_none()

    async def expected_size(self, key: RepositoryKey, digest: Digest) -> int | None:
        """See the protocol."""
        query = (
            select(manifest_blob.c.size)
            .join(repository_manifest, repository_manifest.c.digest == manifest_blob.c.manifest)
            .where(repository_manifest.c.repository_id == repository_id(key), manifest_blob.c.blob == str(digest))
            .limit(1)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def forget(self, digest: Digest) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            await connection.execute(delete(blob).where(blob.c.digest == str(digest)))
            await note(connection, ChangeKind.BLOB, None, str(digest))

    async def link(self, key: RepositoryKey, digest: Digest, now: float, *, create: bool = True) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            number = await find_or_create(connection, key, now) if create else await found_or_made(connection, key, now, create=False)
            row = {"repository_id": number, "digest": str(digest), "linked_at": now}
            await self._database.upsert(connection, repository_blob, row, ["linked_at"])

    async def push(
        self, key: RepositoryKey, digest: Digest, size: int, now: float, *, upload: str | None = None, create: bool = True
    ) -> bool:
        """See the protocol."""
        links = repository_blob.c
        async with self._database.write() as connection:
            number = await found_or_made(connection, key, now, create=create)
            mine = select(links.digest).where(links.repository_id == number, links.digest == str(digest))
            new = (await connection.execute(mine)).one_or_none() is None
            stored = {"digest": str(digest), "size": size, "stored_at": now}
            await self._database.upsert(connection, blob, stored, ["size", "stored_at"])
            link = {"repository_id": number, "digest": str(digest), "linked_at": now}
            await self._database.upsert(connection, repository_blob, link, ["linked_at"])
            if upload is not None:
                await connection.execute(delete(uploads).where(uploads.c.id == upload))
        return new

    async def linked(self, key: RepositoryKey, digest: Digest) -> bool:
        """See the protocol."""
        links = repository_blob.c
        query = select(links.digest).where(links.repository_id == repository_id(key), links.digest == str(digest))
        async with self._database.read() as connection:
            return (await connection.execute(query)).one_or_none() is not None

    async def unlink(self, key: RepositoryKey, digest: Digest) -> bool:
        """See the protocol."""
        links = repository_blob.c
        statement = delete(repository_blob).where(links.repository_id == repository_id(key), links.digest == str(digest))
        async with self._database.write() as connection:
            gone = (await connection.execute(statement)).rowcount > 0
            if gone:
                await note(connection, ChangeKind.BLOB, key, str(digest))
        return gone

    async def repositories(self, digest: Digest, limit: int = 100) -> list[RepositoryKey]:
        """See the protocol."""
        numbers = union(
            *(select(table.c.repository_id).where(table.c.digest == str(digest)) for table in (repository_blob, repository_manifest))
        )
        columns = (repository.c.alias, repository.c.path)
        query = select(*columns).where(repository.c.id.in_(numbers)).order_by(*columns).limit(limit)
        async with self._database.read() as connection:
            return [RepositoryKey(row.alias, row.path) for row in (await connection.execute(query)).all()]

    async def unlinked(self, limit: int = 1000) -> list[Digest]:
        """See the protocol."""
        linked = select(repository_blob.c.digest).where(repository_blob.c.digest == blob.c.digest).exists()
        async with self._database.read() as connection:
            rows = (await connection.execute(select(blob.c.digest).where(~linked).limit(limit))).scalars().all()
        return [Digest.parse(text) for text in rows]

    async def stored(self, after: str = "", limit: int = 1000) -> list[tuple[Digest, int]]:
        """See the protocol."""
        query = select(blob.c.digest, blob.c.size).where(blob.c.digest > after).order_by(blob.c.digest).limit(limit)
        async with self._database.read() as connection:
            return [(Digest.parse(row.digest), row.size) for row in (await connection.execute(query)).all()]
