"""Images as their owners see them, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, and_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.store.records import ChangeKind, RepositoryKey
from unhub.store.records_images import ImageName, ImageSummary, Needs, Removal, TaggedImage
from unhub.store.refusals import ContentMissing, Counted, TagTaken, TooMany
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.image_removal import remove
from unhub.store.sql.manifests import insert_manifest, link_manifest, point_tag
from unhub.store.sql.repositories import found_or_made, repository_id
from unhub.store.sql.schema import blob, manifest, manifest_blob, manifest_child, repository_blob, repository_manifest, tag

AT_ONCE: Final = 1000
"""Values that one statement is given at most."""

TAGS_MAX: Final = 20_000
"""Tags of a page of images, unless one image has more."""

DEPTH_MAX: Final = 4
"""Levels of indexes within indexes that are looked into."""


class SqlImages:
    """See :class:`unhub.store.protocols_images.Images`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, key: RepositoryKey, manifest: Manifest, *, now: float, tags: Sequence[str] = (), needs: Needs, create: bool = False
    ) -> bool:
        """See the protocol."""
        digest = str(manifest.digest)
        async with self._database.write() as connection:
            number = await found_or_made(connection, key, now, create=create)
            await _check_content(connection, number, needs)
            there = await _is_linked(connection, number, digest)
            moving = await _moving(connection, number, tags, digest)
            if there and not moving:
                return False
            await _check_fixed(connection, number, [name for name in moving if name in needs.fixed])
            await _check_counts(connection, number, digest, needs, new_image=not there, new_tags=len(moving))
            await insert_manifest(self._database, connection, manifest, now)
            await link_manifest(self._database, connection, number, digest, now)
            for name in moving:
                row = {"repository_id": number, "name": name, "digest": digest, "source": "push"}
                await point_tag(self._database, connection, row, now)
                await note(connection, ChangeKind.TAG, key, name)
            await note(connection, ChangeKind.MANIFEST, key, digest)
        return True

    async def count(self, key: RepositoryKey) -> int:
        """See the protocol."""
        links = repository_manifest.c
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).where(links.repository_id == repository_id(key)))).scalar_one()

    async def page(self, key: RepositoryKey, *, after: str = "", limit: int = 100) -> list[ImageSummary]:
        """See the protocol."""
        links = repository_manifest.c
        query = select(links.digest).where(links.repository_id == repository_id(key), links.digest > after)
        async with self._database.read() as connection:
            digests = list((await connection.execute(query.order_by(links.digest).limit(limit))).scalars().all())
            tags = await _tags(connection, key, digests)
            rows = await _summaries(connection, key, list(tags))
        return [_summary(rows[digest], tags[digest]) for digest in tags if digest in rows]

    async def find(self, key: RepositoryKey, digests: Iterable[Digest]) -> Mapping[Digest, ImageSummary]:
        """See the protocol."""
        found: dict[Digest, ImageSummary] = {}
        async with self._database.read() as connection:
            waiting = sorted({str(digest) for digest in digests})
            while waiting:
                tags = await _tags(connection, key, waiting)
                rows = await _summaries(connection, key, list(tags))
                found |= {Digest.parse(text): _summary(row, tags[text]) for text, row in rows.items()}
                waiting = waiting[len(tags) :]
        return found

    async def tagged(self, key: RepositoryKey, *, after: str = "", limit: int = 100) -> list[TaggedImage]:
        """See the protocol."""
        columns = (tag.c.name, tag.c.digest, tag.c.fetched_at)
        query = select(*columns).where(tag.c.repository_id == repository_id(key), tag.c.name > after).order_by(tag.c.name).limit(limit)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
            rows = await _summaries(connection, key, sorted({row.digest for row in found}))
        return [TaggedImage(row.name, row.fetched_at, _summary(rows[row.digest], ())) for row in found if row.digest in rows]

    async def pointed(self, key: RepositoryKey, tags: Iterable[str]) -> Mapping[str, Digest]:
        """See the protocol."""
        query = select(tag.c.name, tag.c.digest).where(tag.c.repository_id == repository_id(key), tag.c.name.in_(list(tags)))
        async with self._database.read() as connection:
            return {row.name: Digest.parse(row.digest) for row in (await connection.execute(query)).all()}

    async def naming(self, key: RepositoryKey, blob: Digest) -> Digest | None:
        """See the protocol."""
        links, named = repository_manifest.c, manifest_blob.c
        linked = select(links.digest).where(links.repository_id == repository_id(key), links.digest == named.manifest).exists()
        query = select(named.manifest).where(named.blob == str(blob), linked).limit(1)
        async with self._database.read() as connection:
            text = (await connection.execute(query)).scalar_one_or_none()
        return None if text is None else Digest.parse(text)

    async def remove(self, key: RepositoryKey, names: Sequence[ImageName], now: float) -> list[Removal]:
        """See the protocol."""
        async with self._database.write() as connection:
            return await remove(connection, key, names, now)


async def _check_content(connection: AsyncConnection, number: int, needs: Needs) -> None:
    stored = select(repository_blob.c.digest).join(blob, blob.c.digest == repository_blob.c.digest)
    stored = stored.where(repository_blob.c.repository_id == number)
    linked = select(repository_manifest.c.digest).where(repository_manifest.c.repository_id == number)
    there: set[str] = set()
    for some in _parts([str(digest) for digest in needs.blobs]):
        there.update((await connection.execute(stored.where(repository_blob.c.digest.in_(some)))).scalars())
    for some in _parts([str(digest) for digest in needs.manifests]):
        there.update((await connection.execute(linked.where(repository_manifest.c.digest.in_(some)))).scalars())
    blobs = tuple(digest for digest in needs.blobs if str(digest) not in there)
    manifests = tuple(digest for digest in needs.manifests if str(digest) not in there)
    if blobs or manifests:
        raise ContentMissing(blobs=blobs, manifests=manifests)


async def _is_linked(connection: AsyncConnection, number: int, digest: str) -> bool:
    links = repository_manifest.c
    query = select(links.digest).where(links.repository_id == number, links.digest == digest)
    return (await connection.execute(query)).one_or_none() is not None


async def _moving(connection: AsyncConnection, number: int, tags: Sequence[str], digest: str) -> list[str]:
    """Those tags that do not mean this digest yet."""
    query = select(tag.c.name).where(tag.c.repository_id == number, tag.c.name.in_(tags), tag.c.digest == digest)
    there = set((await connection.execute(query)).scalars().all())
    return [name for name in dict.fromkeys(tags) if name not in there]


async def _check_fixed(connection: AsyncConnection, number: int, tags: Sequence[str]) -> None:
    query = select(tag.c.name).where(tag.c.repository_id == number, tag.c.name.in_(tags)).order_by(tag.c.name).limit(1)
    taken = (await connection.execute(query)).scalar_one_or_none() if tags else None
    if taken is not None:
        raise TagTaken(taken)


async def _check_counts(connection: AsyncConnection, number: int, digest: str, needs: Needs, *, new_image: bool, new_tags: int) -> None:
    if needs.images_max is not None and new_image:
        images = select(func.count()).where(repository_manifest.c.repository_id == number)
        if (await connection.execute(images)).scalar_one() >= needs.images_max:
            raise TooMany(Counted.IMAGES, needs.images_max)
    if needs.tags_max is not None and new_tags:
        tags = select(func.count()).where(tag.c.repository_id == number, tag.c.digest == digest)
        if (await connection.execute(tags)).scalar_one() + new_tags > needs.tags_max:
            raise TooMany(Counted.TAGS, needs.tags_max)


async def _tags(connection: AsyncConnection, key: RepositoryKey, digests: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The tags of the first of these images: of so many that there are not too many tags, and of one at least."""
    query = select(tag.c.digest, tag.c.name).where(tag.c.repository_id == repository_id(key))
    found: dict[str, list[str]] = {}
    count = 0
    for some in _parts(digests):
        ordered = query.where(tag.c.digest.in_(some)).order_by(tag.c.digest, tag.c.name).limit(TAGS_MAX + 1)
        found |= {digest: [] for digest in some}
        rows = (await connection.execute(ordered)).all()
        for row in rows:
            found[row.digest].append(row.name)
        count += len(rows)
        if count > TAGS_MAX:
            return await _cut(connection, query, found)
    return {digest: tuple(names) for digest, names in found.items()}


async def _cut(connection: AsyncConnection, query: Any, found: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Only the images before the one whose tags may be more than were read; that one whole where it is the first."""
    last = max(digest for digest, names in found.items() if names)
    whole = {digest: tuple(names) for digest, names in found.items() if digest < last}
    if not whole:
        names = (await connection.execute(query.where(tag.c.digest == last).order_by(tag.c.name))).all()
        whole[last] = tuple(row.name for row in names)
    return whole


async def _summaries(connection: AsyncConnection, key: RepositoryKey, digests: Sequence[str]) -> dict[str, Row[Any]]:
    """What is known of images, but for their tags, by digest."""
    links = repository_manifest.c
    found: dict[str, Row[Any]] = {}
    for some in _parts(digests):
        sizes = _sizes(key, some)
        query = (
            select(manifest.c.digest, manifest.c.media_type, manifest.c.artifact_type, links.linked_at, sizes.c.size)
            .select_from(manifest)
            .join(repository_manifest, and_(links.digest == manifest.c.digest, links.repository_id == repository_id(key)))
            .join(sizes, sizes.c.top == manifest.c.digest)
            .where(manifest.c.digest.in_(some))
        )
        found |= {row.digest: row for row in (await connection.execute(query)).all()}
    return found


def _sizes(key: RepositoryKey, digests: Sequence[str]) -> Any:
    """Bytes of the blobs of each, or of the largest below it that the repository has.

    What the repository has is asked for each child: SQLite would begin a join with all manifests of the repository.
    """
    links = repository_manifest.alias("links")
    mine = links.c.repository_id == repository_id(key)
    top = select(links.c.digest.label("top"), links.c.digest.label("node"), literal(0).label("depth"))
    below = top.where(mine, links.c.digest.in_(digests)).cte("below", recursive=True)
    next_ = (
        select(below.c.top, manifest_child.c.child, below.c.depth + 1)
        .select_from(below)
        .join(manifest_child, manifest_child.c.parent == below.c.node)
        .where(below.c.depth < DEPTH_MAX, select(links.c.digest).where(mine, links.c.digest == manifest_child.c.child).exists())
    )
    tree = below.union(next_)
    own = select(func.coalesce(func.sum(manifest_blob.c.size), 0)).where(manifest_blob.c.manifest == tree.c.node).scalar_subquery()
    return select(tree.c.top, func.max(own).label("size")).group_by(tree.c.top).subquery("sizes")


def _summary(row: Row[Any], tags: tuple[str, ...]) -> ImageSummary:
    return ImageSummary(Digest.parse(row.digest), row.media_type, row.artifact_type, int(row.size), row.linked_at, tags)


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
