"""Removing images by digest or by their last tag, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.image.digest import Digest
from unhub.store.records import ChangeKind, RepositoryKey
from unhub.store.records_images import ImageName, Kept, Removal
from unhub.store.sql.changes import note
from unhub.store.sql.manifests import drop_unlinked, keep_blobs_a_while
from unhub.store.sql.repositories import find
from unhub.store.sql.schema import manifest_child, repository_manifest, tag


async def remove(connection: AsyncConnection, key: RepositoryKey, names: Sequence[ImageName], now: float) -> list[Removal]:
    """Remove what can be removed; what became of each. Those that an index lists are tried again after others have left."""
    number = await find(connection, key)
    if number is None:
        return [Removal(name, kept=Kept.UNKNOWN) for name in names]
    removing = _Removing(connection, key, number, now)
    done = [await removing.one(name) for name in names]
    progress = True
    while progress:
        progress = False
        for at, before in enumerate(done):
            if before.kept is Kept.LISTED:
                done[at] = await removing.one(before.name)
                progress = progress or done[at].kept is None
    return done


class _Removing:
    def __init__(self, connection: AsyncConnection, key: RepositoryKey, number: int, now: float) -> None:
        self._connection = connection
        self._key = key
        self._number = number
        self._now = now

    async def one(self, name: ImageName) -> Removal:
        if name.tag is None:
            digest = None if name.digest is None else str(name.digest)
            return await self._whole(name, digest) if digest and await self._is_here(digest) else Removal(name, kept=Kept.UNKNOWN)
        meant = select(tag.c.digest).where(tag.c.repository_id == self._number, tag.c.name == name.tag)
        digest = (await self._connection.execute(meant)).scalar_one_or_none()
        if digest is None:
            return Removal(name, kept=Kept.UNKNOWN)
        if name.digest is not None and str(name.digest) != digest:
            return Removal(name, kept=Kept.MISMATCH)
        if len(await self._tags(digest, most=2)) == 1:
            return await self._whole(name, digest)
        await self._connection.execute(delete(tag).where(tag.c.repository_id == self._number, tag.c.name == name.tag))
        await note(self._connection, ChangeKind.TAG, self._key, name.tag)
        return Removal(name, Digest.parse(digest), (name.tag,))

    async def _whole(self, name: ImageName, digest: str) -> Removal:
        listing = await self._listing(digest)
        if listing:
            return Removal(name, Digest.parse(digest), kept=Kept.LISTED, listed_by=listing)
        tags = await self._tags(digest)
        await self._connection.execute(delete(tag).where(tag.c.repository_id == self._number, tag.c.digest == digest))
        await keep_blobs_a_while(self._connection, self._number, digest, self._now)
        links = repository_manifest.c
        await self._connection.execute(delete(repository_manifest).where(links.repository_id == self._number, links.digest == digest))
        await drop_unlinked(self._connection, [digest])
        for one in tags:
            await note(self._connection, ChangeKind.TAG, self._key, one)
        await note(self._connection, ChangeKind.MANIFEST, self._key, digest)
        return Removal(name, Digest.parse(digest), tags, whole=True)

    async def _is_here(self, digest: str) -> bool:
        links = repository_manifest.c
        query = select(links.digest).where(links.repository_id == self._number, links.digest == digest)
        return (await self._connection.execute(query)).one_or_none() is not None

    async def _tags(self, digest: str, most: int | None = None) -> tuple[str, ...]:
        """Sorted here: SQLite would look through all tags of the repository to have them in order."""
        query = select(tag.c.name).where(tag.c.repository_id == self._number, tag.c.digest == digest).limit(most)
        return tuple(sorted((await self._connection.execute(query)).scalars().all()))

    async def _listing(self, digest: str) -> tuple[Digest, ...]:
        """The indexes of the repository that list a manifest, a few of them."""
        links, parent = repository_manifest.c, manifest_child.c.parent
        here = select(links.digest).where(links.repository_id == self._number, links.digest == parent).exists()
        query = select(parent).where(manifest_child.c.child == digest, here).limit(10)
        return tuple(Digest.parse(text) for text in sorted((await self._connection.execute(query)).scalars().all()))
