"""Making room: whole images leave in one transaction, what others use stays."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.image.digest import Digest
from unhub.store.records import ChangeKind, Evicted, RepositoryKey
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.manifests import drop_unlinked
from unhub.store.sql.repositories import find
from unhub.store.sql.schema import blob, manifest, manifest_blob, manifest_child, pin, repository, repository_blob, repository_manifest, tag


class SqlEviction:
    """See :class:`unhub.store.protocols.Eviction`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage(self) -> int:
        """See the protocol."""
        async with self._database.read() as connection:
            return int((await connection.execute(select(func.coalesce(func.sum(blob.c.size), 0)))).scalar_one())

    async def oldest(self, limit: int) -> list[tuple[RepositoryKey, Digest, float]]:
        """See the protocol."""
        links, parents = repository_manifest.alias("links"), repository_manifest.alias("parents")
        in_an_index = (
            select(manifest_child.c.child)
            .join(parents, parents.c.digest == manifest_child.c.parent)
            .where(manifest_child.c.child == links.c.digest, parents.c.repository_id == links.c.repository_id)
            .exists()
        )
        children = repository_manifest.alias("children")
        newest_child = (
            select(func.max(children.c.accessed_at))
            .join(manifest_child, manifest_child.c.child == children.c.digest)
            .where(manifest_child.c.parent == links.c.digest, children.c.repository_id == links.c.repository_id)
            .scalar_subquery()
        )
        accessed = func.coalesce(newest_child, 0)
        query = (
            select(repository.c.alias, repository.c.path, links.c.digest, links.c.accessed_at, accessed.label("child_accessed_at"))
            .join(repository, repository.c.id == links.c.repository_id)
            .where(~repository.c.own, ~in_an_index)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        dated = [
            (RepositoryKey(row.alias, row.path), Digest.parse(row.digest), max(row.accessed_at, row.child_accessed_at)) for row in rows
        ]
        return sorted(dated, key=lambda row: row[2])[:limit]

    async def collect(self, before: float) -> list[tuple[Digest, int]]:
        """See the protocol."""
        used = (
            select(manifest_blob.c.blob)
            .join(repository_manifest, repository_manifest.c.digest == manifest_blob.c.manifest)
            .where(manifest_blob.c.blob == repository_blob.c.digest, repository_manifest.c.repository_id == repository_blob.c.repository_id)
            .exists()
        )
        linked = select(repository_blob.c.digest).where(repository_blob.c.digest == blob.c.digest).exists()
        had = select(repository_manifest.c.digest).where(repository_manifest.c.digest == manifest.c.digest).exists()
        async with self._database.write() as connection:
            await connection.execute(delete(manifest).where(manifest.c.stored_at < before, ~had))
            await connection.execute(delete(repository_blob).where(repository_blob.c.linked_at < before, ~used))
            rows = (await connection.execute(select(blob.c.digest, blob.c.size).where(blob.c.stored_at < before, ~linked))).all()
            await _forget(connection, [row.digest for row in rows])
        return [(Digest.parse(row.digest), row.size) for row in rows]

    async def evict(self, key: RepositoryKey, digest: Digest, *, heed_pins: bool = True) -> Evicted | None:
        """See the protocol."""
        async with self._database.write() as connection:
            number = await find(connection, key)
            if number is None or not await _linked(connection, number, [str(digest)]):
                return None
            family = await _family(connection, number, str(digest))
            names = await _tags(connection, number, family)
            if heed_pins and await _pinned(connection, key, names):
                return None
            leaving = [one for one in family if one == str(digest) or not await _used_elsewhere(connection, number, one, family)]
            links = repository_manifest.c
            await connection.execute(delete(tag).where(tag.c.repository_id == number, tag.c.digest.in_(leaving)))
            await connection.execute(delete(repository_manifest).where(links.repository_id == number, links.digest.in_(leaving)))
            blobs, size = await _drop_blobs(connection, number, leaving)
            await drop_unlinked(connection, leaving)
            for name in names:
                await note(connection, ChangeKind.TAG, key, name)
            for one in leaving:
                await note(connection, ChangeKind.MANIFEST, key, one)
        return Evicted(key, digest, tuple(names), tuple(Digest.parse(text) for text in blobs), size)


async def _linked(connection: AsyncConnection, number: int, digests: Sequence[str]) -> list[str]:
    links = repository_manifest.c
    query = select(links.digest).where(links.repository_id == number, links.digest.in_(digests))
    return list((await connection.execute(query)).scalars().all())


async def _family(connection: AsyncConnection, number: int, top: str) -> list[str]:
    """A manifest with its children and what is attached to any of them, as far as the repository links them."""
    found, waiting = [top], [top]
    while waiting:
        children = select(manifest_child.c.child).where(manifest_child.c.parent.in_(waiting))
        attached = select(manifest.c.digest).where(manifest.c.subject.in_(waiting))
        next_ = {*(await connection.execute(children)).scalars().all(), *(await connection.execute(attached)).scalars().all()}
        waiting = await _linked(connection, number, sorted(next_ - set(found)))
        found += waiting
    return found


async def _tags(connection: AsyncConnection, number: int, digests: Sequence[str]) -> list[str]:
    query = select(tag.c.name).where(tag.c.repository_id == number, tag.c.digest.in_(digests)).order_by(tag.c.name)
    return list((await connection.execute(query)).scalars().all())


async def _pinned(connection: AsyncConnection, key: RepositoryKey, names: Iterable[str]) -> bool:
    patterns = (await connection.execute(select(pin.c.pattern))).scalars().all()
    texts = [str(key), *(f"{key}:{name}" for name in names)]
    return any(fnmatch.fnmatchcase(text, pattern) for text in texts for pattern in patterns)


async def _used_elsewhere(connection: AsyncConnection, number: int, digest: str, family: Sequence[str]) -> bool:
    """Whether another index of the repository lists this manifest."""
    parents = select(manifest_child.c.parent).where(manifest_child.c.child == digest, manifest_child.c.parent.not_in(family))
    rows = (await connection.execute(parents)).scalars().all()
    return bool(rows) and bool(await _linked(connection, number, rows))


async def _drop_blobs(connection: AsyncConnection, number: int, leaving: Sequence[str]) -> tuple[list[str], int]:
    """Unlink the blobs that no manifest left in the repository uses; forget those that no repository links."""
    candidates = set((await connection.execute(select(manifest_blob.c.blob).where(manifest_blob.c.manifest.in_(leaving)))).scalars().all())
    used = (
        select(manifest_blob.c.blob)
        .join(repository_manifest, repository_manifest.c.digest == manifest_blob.c.manifest)
        .where(repository_manifest.c.repository_id == number, manifest_blob.c.blob.in_(candidates))
    )
    unused = sorted(candidates - set((await connection.execute(used)).scalars().all()))
    links = repository_blob.c
    await connection.execute(delete(repository_blob).where(links.repository_id == number, links.digest.in_(unused)))
    still = set((await connection.execute(select(links.digest).where(links.digest.in_(unused)))).scalars().all())
    free = [text for text in unused if text not in still]
    rows = (await connection.execute(select(blob.c.digest, blob.c.size).where(blob.c.digest.in_(free)))).all()
    await _forget(connection, [row.digest for row in rows])
    return [row.digest for row in rows], sum(row.size for row in rows)


async def _forget(connection: AsyncConnection, digests: Sequence[str]) -> None:
    await connection.execute(delete(blob).where(blob.c.digest.in_(digests)))
    for digest in digests:
        await note(connection, ChangeKind.BLOB, None, digest)
