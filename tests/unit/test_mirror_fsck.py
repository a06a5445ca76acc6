"""Checking a cache: every kind of damage is found, mended from upstream or removed, and told; the second look finds nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.kept_images import APP, NODE, REDIS, Image, Kept, digest_of, image, index, with_kept
from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.mirror.fsck import Checker, Found, Kind
from unhub.mirror.healing import Healer
from unhub.store.records import Priority, RepositoryKey, StoredManifest, Upload

LAYER = b"a layer"


@dataclass
class Upstream:
    """Has images, or is away."""

    kept: Kept
    images: list[Image] = field(default_factory=list[Image])

    async def digest(self, key: RepositoryKey, digest: Digest, *, priority: Priority = Priority.CLIENT) -> StoredManifest:
        assert priority is Priority.PREFETCH, "healing takes no pull that a build needs"
        for one in self.images:
            if one.digest == digest:
                await self.kept.metadata.manifests.put(key, one.manifest, now=self.kept.now(), link_blobs=True, source="docker")
                stored = await self.kept.metadata.manifests.get(key, digest)
                assert stored is not None
                return stored
        raise ServeError("there is none", status=404, registry_code="MANIFEST_UNKNOWN")

    async def blob(self, key: RepositoryKey, digest: Digest) -> Arriving:
        for one in self.images:
            for data in one.blobs:
                if digest_of(data) == digest:
                    return Arriving(self.kept, data)
        raise ServeError("there is none", status=404, registry_code="BLOB_UNKNOWN")


@dataclass
class Arriving:
    kept: Kept
    data: bytes

    async def progress(self) -> AsyncIterator[int]:
        yield 0
        await self.kept.blob(self.data)


def checker(kept: Kept, healer: Healer | None = None) -> Checker:
    return Checker(kept.metadata, kept.blobs, spool=kept.folder / "spool", uploads=kept.folder / "uploads", healer=healer)


async def look(kept: Kept) -> list[Found]:
    return [found async for found in checker(kept).run()]


async def heal(kept: Kept, upstream: Upstream | None = None) -> list[Found]:
    healer = Healer(kept.metadata, kept.blobs, upstream, frozenset({"docker"}), now=kept.now)
    return [found async for found in checker(kept, healer).run()]


def kinds(found: list[Found]) -> list[Kind]:
    return [one.kind for one in found]


def checked(work: Callable[[Kept], Awaitable[None]], folder: Path) -> None:
    with_kept(folder, work)


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def test_a_cache_in_order_has_nothing_wrong(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        amd = await kept.pull(NODE, None, image("amd", LAYER))
        await kept.pull_index(NODE, "20", index(amd64=amd, arm64=image("arm, never pulled")))
        await kept.push(APP, "1", image("app", LAYER, b"own"))
        check = checker(kept)
        assert [found async for found in check.run()] == []
        assert (check.looked.blobs, check.looked.manifests, check.looked.tags) == (4, 3, 2)

    checked(work, tmp_path)


def test_a_damaged_blob_is_fetched_again(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        node = await kept.pull(NODE, "20", image("node", LAYER))
        spoil(kept.blobs.path(digest_of(LAYER)))
        (found,) = await look(kept)
        assert (found.kind, found.mended, found.action) == (Kind.DAMAGED_BLOB, False, None)
        (found,) = await heal(kept, Upstream(kept, [node]))
        assert found.mended
        assert found.action == "fetched again through docker/library/node"
        assert kept.blobs.path(digest_of(LAYER)).read_bytes() == LAYER
        assert await look(kept) == []

    checked(work, tmp_path)


def test_a_damaged_blob_that_nobody_sends_now_is_removed_and_never_served_wrong(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "20", image("node", LAYER))
        spoil(kept.blobs.path(digest_of(LAYER)))
        (found,) = await heal(kept)
        assert found.mended
        assert found.action == "removed: it will be fetched when it is asked for"
        assert await kept.blobs.stat(digest_of(LAYER)) is None
        assert await look(kept) == []

    checked(work, tmp_path)


def test_what_was_pushed_and_is_damaged_is_lost_until_it_is_pushed_again(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        app = await kept.push(APP, "1", image("app", LAYER))
        spoil(kept.blobs.path(digest_of(LAYER)))
        (found,) = await heal(kept, Upstream(kept))
        assert (found.kind, found.mended) == (Kind.DAMAGED_BLOB, False)
        assert found.action == "lost: push it again to local/team/app"
        assert kinds(await look(kept)) == [Kind.LOST_BLOB], "told again until it is there"
        await kept.push(APP, "1", app)
        assert await look(kept) == []

    checked(work, tmp_path)


def test_what_was_pushed_is_healed_by_whoever_has_the_same_layer(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        node = await kept.pull(NODE, "20", image("node", LAYER))
        await kept.push(APP, "1", image("app", LAYER))
        kept.blobs.path(digest_of(LAYER)).unlink()
        (found,) = await heal(kept, Upstream(kept, [node]))
        assert (found.kind, found.mended) == (Kind.LOST_BLOB, True)
        assert await kept.is_whole(APP, "1")

    checked(work, tmp_path)


def test_a_row_without_a_file_and_a_wrong_size_are_found(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "20", image("node", LAYER, b"other"))
        kept.blobs.path(digest_of(LAYER)).unlink()
        await kept.metadata.blobs.add(digest_of(b"other"), 99, kept.now())
        assert kinds(await look(kept)) == [Kind.WRONG_SIZE, Kind.LOST_BLOB]
        assert all(found.mended for found in await heal(kept))
        assert await kept.metadata.blobs.size(digest_of(b"other")) == len(b"other")
        assert await look(kept) == []

    checked(work, tmp_path)


def test_a_damaged_manifest_is_fetched_again_with_its_tags_in_every_repository(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        node = await kept.pull(NODE, "20", image("node", LAYER))
        await kept.pull(NODE, "latest", node)
        await kept.pull(REDIS, "same", node)
        execute(kept, "UPDATE manifest SET data = X'7b7d'")
        assert kinds(await look(kept)) == [Kind.DAMAGED_MANIFEST] * 2
        found = await heal(kept, Upstream(kept, [node]))
        assert [one.action for one in found] == ["fetched again"]
        assert await kept.metadata.manifests.tags(NODE) == ["20", "latest"]
        assert await kept.metadata.manifests.tags(REDIS) == ["same"]
        assert await kept.is_whole(NODE, "20")
        assert await look(kept) == []

    checked(work, tmp_path)


def test_a_missing_link_and_a_tag_without_manifest_are_mended(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        node = await kept.pull(NODE, "20", image("node", LAYER))
        redis = await kept.pull(REDIS, "7", image("redis"))
        execute(kept, f"DELETE FROM repository_blob WHERE digest = '{digest_of(LAYER)}'")
        execute(kept, f"DELETE FROM repository_manifest WHERE digest = '{redis.digest}'")
        assert kinds(await look(kept)) == [Kind.MISSING_LINK, Kind.TAG_WITHOUT_MANIFEST]
        assert all(found.mended for found in await heal(kept, Upstream(kept, [node, redis])))
        assert await kept.is_whole(NODE, "20")
        assert await kept.is_whole(REDIS, "7")

    checked(work, tmp_path)


def test_a_tag_of_what_nobody_has_is_removed(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        app = await kept.push(APP, "1", image("app"))
        execute(kept, f"DELETE FROM repository_manifest WHERE digest = '{app.digest}'")
        (found,) = await heal(kept)
        assert (found.kind, found.mended) == (Kind.TAG_WITHOUT_MANIFEST, False), "pushed: lost, and said so"
        assert await kept.metadata.manifests.tags(APP) == []

    checked(work, tmp_path)


def test_what_kills_leave_is_harmless_told_and_removed(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "20", image("node", LAYER))
        wanted, orphan = b"linked, its row never came", b"orphan"
        for data in (wanted, orphan):
            await kept.blobs.put(data, digest_of(data))
        await kept.metadata.blobs.link(NODE, digest_of(wanted), kept.now())
        cut = tmp_path / "spool" / "sha256" / digest_of(b"cut").encoded
        cut.parent.mkdir(parents=True)
        cut.write_bytes(b"cu")
        (tmp_path / "uploads").mkdir()
        (tmp_path / "uploads" / "0123").write_bytes(b"nobody's")
        found = await look(kept)
        assert sorted(kinds(found)) == [Kind.UPLOAD, Kind.TRANSFER, Kind.FILE_WITHOUT_ROW, Kind.FILE_WITHOUT_ROW]
        assert not any(one.kind.is_wrong for one in found)
        await heal(kept)
        assert await kept.there(wanted)
        assert await kept.blobs.stat(digest_of(orphan)) is None
        assert not cut.exists()
        assert list((tmp_path / "uploads").iterdir()) == []
        assert await look(kept) == []

    checked(work, tmp_path)


def test_an_upload_under_way_is_left_alone_and_one_that_lost_bytes_is_ended(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        (tmp_path / "uploads").mkdir()
        for name, size in (("good", 5), ("short", 3), ("done", None)):
            await kept.metadata.uploads.begin(Upload(name, APP, "somebody", 5, kept.now(), kept.now()))
            if size is not None:
                (tmp_path / "uploads" / name).write_bytes(b"12345"[:size])
        found = {one.kind: one for one in await look(kept)}
        assert found[Kind.SHORT_UPLOAD].note == "5 bytes were acknowledged, 3 are there"
        assert found[Kind.UPLOAD].what == "local/team/app done", "killed between becoming a blob and being forgotten: harmless"
        await heal(kept)
        assert await kept.metadata.uploads.get(APP, "short") is None
        assert await kept.metadata.uploads.get(APP, "done") is None
        assert await kept.metadata.uploads.get(APP, "good") is not None

    checked(work, tmp_path)


def execute(kept: Kept, statement: str) -> None:
    """Damage that no code of ours does."""
    with sqlite3.connect(kept.folder / "unhub.db") as database:
        database.execute(statement)
    database.close()
