"""Manifests, tags and referrers in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.store.records import ChangeKind, Referrer, RepositoryKey, StoredManifest, StoredTag
from unhub.store.sql.changes import note
from unhub.store.sql.database import Database
from unhub.store.sql.repositories import find, find_or_create, repository_id
from unhub.store.sql.schema import manifest, manifest_blob, manifest_child, repository_blob, repository_manifest, tag


class SqlManifests:
    """See :class:`unhub.store.protocols.Manifests`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: RepositoryKey, digest: Digest) -> StoredManifest | None:
        """See the protocol."""
        query = (
            select(manifest)
            .join(repository_manifest, repository_manifest.c.digest == manifest.c.digest)
            .where(repository_manifest.c.repository_id == repository_id(key), manifest.c.digest == str(digest))
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _manifest(row) if row else None

    async def resolve(self, key: RepositoryKey, tag: str) -> tuple[StoredTag, StoredManifest] | None:
        """See the protocol."""
        return await self._resolve(key, tag)

    async def _resolve(self, key: RepositoryKey, name: str) -> tuple[StoredTag, StoredManifest] | None:
        query = select(tag, manifest).join(manifest, manifest.c.digest == tag.c.digest).where(_is_tag(key, name))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (_tag(key, row), _manifest(row)) if row else None

    async def put(
        self,
        key: RepositoryKey,
        manifest: Manifest,
        *,
        now: float,
        tags: Sequence[str] = (),
        source: str = "push",
        link_blobs: bool = False,
    ) -> None:
        """See the protocol."""
        async with self._database.write() as connection:
            number = await find_or_create(connection, key, now, own=source == "push")
            await insert_manifest(self._database, connection, manifest, now)
            digest = str(manifest.digest)
            await link_manifest(self._database, connection, number, digest, now)
            if link_blobs:
                for blob in _blobs(manifest):
                    link = {"repository_id": number, "digest": blob, "linked_at": now}
                    await self._database.upsert(connection, repository_blob, link, ["linked_at"])
            for name in tags:
                row = {"repository_id": number, "name": name, "digest": digest, "source": source}
                await point_tag(self._database, connection, row, now)
                await note(connection, ChangeKind.TAG, key, name)
            await note(connection, ChangeKind.MANIFEST, key, digest)

    async def confirm(self, key: RepositoryKey, tag: str, now: float, source: str) -> None:
        """See the protocol."""
        await self._change_tag(key, tag, checked_at=now, source=source, gone_since=None, gone_count=0)

    async def note_gone(self, key: RepositoryKey, tag: str, now: float) -> StoredTag | None:
        """See the protocol."""
        found = await self.tag(key, tag)
        if found is None:
            return None
        await self._change_tag(key, tag, gone_since=found.gone_since or now, gone_count=found.gone_count + 1)
        return await self.tag(key, tag)

    async def _change_tag(self, key: RepositoryKey, name: str, **values: Any) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(tag).where(_is_tag(key, name)).values(**values))
            await note(connection, ChangeKind.TAG, key, name)

    async def tags(self, key: RepositoryKey, *, after: str = "", limit: int | None = None) -> list[str]:
        """See the protocol."""
        query = select(tag.c.name).where(tag.c.repository_id == repository_id(key), tag.c.name > after).order_by(tag.c.name).limit(limit)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars().all())

    async def tag(self, key: RepositoryKey, name: str) -> StoredTag | None:
        """See the protocol."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(tag).where(_is_tag(key, name)))).one_or_none()
        return _tag(key, row) if row else None

    async def delete_tag(self, key: RepositoryKey, name: str) -> bool:
        """See the protocol."""
        async with self._database.write() as connection:
            gone = (await connection.execute(delete(tag).where(_is_tag(key, name)))).rowcount > 0
            if gone:
                await note(connection, ChangeKind.TAG, key, name)
        return gone

    async def delete(self, key: RepositoryKey, digest: Digest, now: float | None = None) -> bool:
        """See the protocol."""
        text = str(digest)
        async with self._database.write() as connection:
            number = await find(connection, key)
            if number is None:
                return False
            if now is not None:
                await keep_blobs_a_while(connection, number, text, now)
            await connection.execute(delete(tag).where(tag.c.repository_id == number, tag.c.digest == text))
            links = repository_manifest.c
            statement = delete(repository_manifest).where(links.repository_id == number, links.digest == text)
            gone = (await connection.execute(statement)).rowcount
            await drop_unlinked(connection, [text])
            if gone:
                await note(connection, ChangeKind.MANIFEST, key, text)
        return gone > 0

    async def referrers(
        self, key: RepositoryKey, subject: Digest, *, artifact_type: str | None = None, after: str = "", limit: int = 1000
    ) -> list[Referrer]:
        """See the protocol."""
        query = (
            select(manifest)
            .join(repository_manifest, repository_manifest.c.digest == manifest.c.digest)
            .where(repository_manifest.c.repository_id == repository_id(key), manifest.c.subject == str(subject), manifest.c.digest > after)
            .order_by(manifest.c.digest)
            .limit(limit)
        )
        if artifact_type is not None:
            query = query.where(manifest.c.artifact_type == artifact_type)
        async with self._database.read() as connection:
            return [_referrer(row) for row in (await connection.execute(query)).all()]

    async def digests(self, key: RepositoryKey, *, after: str = "", limit: int = 1000) -> list[Digest]:
        """See the protocol."""
        links = repository_manifest.c
        query = select(links.digest).where(links.repository_id == repository_id(key), links.digest > after)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(links.digest).limit(limit))).scalars().all()
        return [Digest.parse(text) for text in rows]

    async def missing_children(self, key: RepositoryKey, manifest: Manifest) -> list[Digest]:
        """See the protocol."""
        wanted = {str(child.digest): child.digest for child in manifest.children}
        links = repository_manifest.c
        query = select(links.digest).where(links.repository_id == repository_id(key), links.digest.in_(wanted))
        async with self._database.read() as connection:
            there = set((await connection.execute(query)).scalars().all())
        return [digest for text, digest in wanted.items() if text not in there]


async def insert_manifest(database: Database, connection: AsyncConnection, image: Manifest, now: float) -> None:
    """Store a manifest with what it names, where it is not stored yet."""
    digest = str(image.digest)
    row = {
        **{"digest": digest, "media_type": image.media_type, "data": image.data, "stored_at": now},
        **{"subject": str(image.subject.digest) if image.subject else None, "artifact_type": _artifact_type(image)},
        "annotations": json.dumps(dict(image.annotations), sort_keys=True) if image.annotations else None,
    }
    await database.upsert(connection, manifest, row, [])
    for child in {str(child.digest) for child in image.children}:
        await database.upsert(connection, manifest_child, {"parent": digest, "child": child}, [])
    for blob, size in _blobs(image).items():
        await database.upsert(connection, manifest_blob, {"manifest": digest, "blob": blob, "size": size}, [])


async def link_manifest(database: Database, connection: AsyncConnection, number: int, digest: str, now: float) -> None:
    """Let a repository have a stored manifest; one that it has keeps the time when it got it."""
    row = {"repository_id": number, "digest": digest, "linked_at": now, "accessed_at": now}
    await database.upsert(connection, repository_manifest, row, ["accessed_at"])


async def point_tag(database: Database, connection: AsyncConnection, row: dict[str, Any], now: float) -> None:
    """Make a tag mean a digest from now on; the row says the repository, name, digest and source."""
    moved = {**row, "fetched_at": now, "checked_at": now, "gone_since": None, "gone_count": 0}
    await database.upsert(connection, tag, moved, ["digest", "fetched_at", "checked_at", "source", "gone_since", "gone_count"])


async def keep_blobs_a_while(connection: AsyncConnection, number: int, digest: str, now: float) -> None:
    """Let a repository's links to the blobs of a manifest that leaves begin anew: who pushes may have seen them there."""
    named = select(manifest_blob.c.blob).where(manifest_blob.c.manifest == digest)
    links = repository_blob.c
    statement = update(repository_blob).where(links.repository_id == number, links.digest.in_(named))
    await connection.execute(statement.values(linked_at=now))


async def drop_unlinked(connection: AsyncConnection, digests: Sequence[str]) -> None:
    """Remove those manifests that no repository links any more."""
    linked = select(repository_manifest.c.digest).where(repository_manifest.c.digest == manifest.c.digest).exists()
    await connection.execute(delete(manifest).where(manifest.c.digest.in_(digests), ~linked))


def _is_tag(key: RepositoryKey, name: str) -> ColumnElement[bool]:
    return and_(tag.c.repository_id == repository_id(key), tag.c.name == name)


def _blobs(image: Manifest) -> dict[str, int]:
    """The blobs that a manifest names, with their sizes in bytes."""
    config = [image.config] if image.config else []
    return {str(descriptor.digest): descriptor.size for descriptor in [*config, *image.layers]}


def _artifact_type(image: Manifest) -> str | None:
    """What a manifest is listed as (distribution specification, "Listing Referrers"): an index without a type has none."""
    if image.artifact_type or image.is_index or image.config is None:
        return image.artifact_type
    return image.config.media_type


def _manifest(row: Row[Any]) -> StoredManifest:
    return StoredManifest(
        digest=Digest.parse(row.digest),
        media_type=row.media_type,
        data=bytes(row.data),
        stored_at=row.stored_at,
        subject=Digest.parse(row.subject) if row.subject else None,
        artifact_type=row.artifact_type,
    )


def _tag(key: RepositoryKey, row: Row[Any]) -> StoredTag:
    return StoredTag(
        repository=key,
        name=row.name,
        digest=Digest.parse(row.digest),
        fetched_at=row.fetched_at,
        checked_at=row.checked_at,
        source=row.source,
        gone_since=row.gone_since,
        gone_count=row.gone_count,
    )


def _referrer(row: Row[Any]) -> Referrer:
    annotations: dict[str, str] = json.loads(row.annotations) if row.annotations else {}
    return Referrer(row.media_type, Digest.parse(row.digest), len(row.data), row.artifact_type, annotations)
