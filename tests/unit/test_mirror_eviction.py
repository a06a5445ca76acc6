"""Making room in a mirror: what leaves, what stays, and that nobody who is being served or is pushing notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.kept_images import APP, NODE, REDIS, Kept, digest_of, image, index, with_kept
from unhub.image.digest import Digest
from unhub.mirror.capacity import Capacity, Volume, volume_of
from unhub.mirror.eviction import Evictor, Times
from unhub.store.records import RepositoryKey
from unhub.store.records_images import ImageName, Needs

LARGE = 1000
GRACE = 60.0


def layer(name: str, size: int = LARGE) -> bytes:
    return name.encode().ljust(size, b".")


def evictor(kept: Kept, cap: int, *, flying: set[Digest] | None = None, free: int = 10**9) -> Evictor:
    async def no_sleep(seconds: float) -> None:
        kept.later(seconds)

    return Evictor(
        kept.metadata,
        kept.blobs,
        Capacity(bytes=cap),
        lambda: Volume(10**10, free),
        in_flight=lambda: frozenset(flying or ()),
        now=kept.now,
        sleep=no_sleep,
        times=Times(grace=GRACE),
    )


@pytest.mark.parametrize(
    ("text", "bytes_", "share"),
    [
        ("80%", None, 0.8),
        ("0.5%", None, 0.005),
        ("500GB", 500 * 10**9, 0.0),
        ("20 GiB", 20 * 2**30, 0.0),
        ("1.5tb", 15 * 10**11, 0.0),
        ("1000000", 1_000_000, 0.0),
    ],
)
def test_a_capacity_is_bytes_with_a_unit_or_a_share_of_the_volume(text: str, bytes_: int | None, share: float) -> None:
    assert Capacity.parse(text) == Capacity(bytes_, pytest.approx(share))


@pytest.mark.parametrize("text", ["", "much", "80 GBB", "0%", "101%", "-5GB", "0", "1e9", "5 %%", "٣GB"])
def test_what_is_no_capacity_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is|unit|share"):
        Capacity.parse(text)


def test_a_share_is_of_what_others_leave(tmp_path: Path) -> None:
    share = Capacity(share=0.8)
    assert share.limit(0, Volume(1000, 1000)) == 800, "an empty volume"
    assert share.limit(500, Volume(1000, 500)) == 800, "a volume that only the cache uses"
    assert share.limit(0, Volume(1000, 100)) == 80, "others take nine tenths: the cache is small, and it is there"
    assert volume_of(tmp_path).total >= volume_of(tmp_path).free > 0


def test_below_the_cap_nothing_leaves(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "20", image("node", layer("node")))
        kept.later(10_000)
        await evictor(kept, cap=100_000).tend()
        assert await kept.is_whole(NODE, "20")

    with_kept(tmp_path, work)


def test_the_longest_unused_images_leave_whole_down_to_the_low_water(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        images = [image(f"node {number}", layer(f"node {number}")) for number in range(10)]
        for number, one in enumerate(images):
            await kept.pull(NODE, str(number), one)
            kept.later(100)
        kept.later(10_000)
        room = evictor(kept, cap=8 * (LARGE + 20))
        await room.tend()
        assert await kept.metadata.manifests.tags(NODE) == [str(number) for number in range(3, 10)], "0 to 2: below nine tenths of the cap"
        assert room.done.images == 3
        assert room.done.bytes == sum(len(data) for one in images[:3] for data in one.blobs)
        for number in range(3, 10):
            assert await kept.is_whole(NODE, str(number))
        assert await kept.blobs.stat(digest_of(images[0].blobs[1])) is not None, "its file outlives the rows by the grace period"
        kept.later(GRACE + 1)
        await room.tend()
        assert await kept.blobs.stat(digest_of(images[0].blobs[1])) is None
        assert await kept.blobs.stat(digest_of(images[3].blobs[1])) is not None

    with_kept(tmp_path, work)


def test_an_index_leaves_with_its_platforms_and_by_the_last_use_of_any(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        amd, arm = image("amd", layer("amd")), image("arm", layer("arm"))
        await kept.pull(NODE, None, amd)
        await kept.pull(NODE, None, arm)
        await kept.pull_index(NODE, "20", index(amd64=amd, arm64=arm))
        kept.later(1000)
        await kept.pull(REDIS, "7", image("redis", layer("redis")))
        kept.later(10_000)
        await evictor(kept, cap=LARGE + 500).tend()
        assert await kept.metadata.manifests.tags(NODE) == []
        assert await kept.metadata.manifests.digests(NODE) == []
        assert await kept.is_whole(REDIS, "7")

    with_kept(tmp_path, work)


def test_layers_that_a_kept_image_shares_stay(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        base = layer("base")
        await kept.pull(NODE, "old", image("old", base, layer("old")))
        kept.later(1000)
        await kept.pull(NODE, "new", image("new", base, layer("new")))
        await kept.push(APP, "1", image("app", base, layer("app")))
        kept.later(10_000)
        room = evictor(kept, cap=1)
        await room.tend()
        kept.later(GRACE + 1)
        await room.tend()
        assert await kept.metadata.manifests.tags(NODE) == []
        assert await kept.is_whole(APP, "1"), "what was pushed is nobody's cache"
        assert not await kept.there(layer("old"))

    with_kept(tmp_path, work)


def test_pinned_images_stay_however_many_there_are(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        for number in range(150):
            await kept.pull(REDIS, str(number), image(f"redis {number}", layer(f"redis {number}", 10)))
        await kept.metadata.policy.pin("docker/library/redis:*", kept.now())
        kept.later(1000)
        await kept.pull(NODE, "20", image("node", layer("node")))
        kept.later(10_000)
        await evictor(kept, cap=1).tend()
        assert len(await kept.metadata.manifests.tags(REDIS)) == 150
        assert await kept.metadata.manifests.tags(NODE) == [], "those that may leave are found behind all the others"

    with_kept(tmp_path, work)


def test_what_was_just_used_or_is_in_flight_stays(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        flying = image("flying", layer("flying"))
        await kept.pull(NODE, None, flying)
        await kept.pull_index(NODE, "flying", index(amd64=flying))
        await kept.pull(NODE, "idle", image("idle", layer("idle")))
        kept.later(10_000)
        await kept.pull(NODE, "young", image("young", layer("young")))
        await evictor(kept, cap=1, flying={digest_of(layer("flying"))}).tend()
        assert await kept.metadata.manifests.tags(NODE) == ["flying", "young"]

    with_kept(tmp_path, work)


def test_a_file_stays_where_somebody_linked_or_stored_it_meanwhile(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        mounted, pushed, gone = layer("mounted"), layer("pushed"), layer("gone")
        await kept.pull(NODE, "20", image("node", mounted, pushed, gone))
        kept.later(10_000)
        room = evictor(kept, cap=1)
        await room.tend()
        assert await kept.metadata.blobs.size(digest_of(mounted)) is None
        await kept.metadata.blobs.link(APP, digest_of(mounted), kept.now())
        kept.later(GRACE / 2)
        await kept.blobs.put(pushed, digest_of(pushed))  # a push that has not come to its row yet
        kept.later(GRACE / 2 + 1)
        await room.tend()
        assert await kept.there(mounted), "linked again: stored again"
        assert await kept.blobs.stat(digest_of(pushed)) is not None, "newer than the decision to delete it"
        assert await kept.blobs.stat(digest_of(gone)) is None

    with_kept(tmp_path, work)


def test_files_that_a_kill_left_without_a_row_are_taken_in_or_deleted(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        linked, orphan, normal = layer("linked"), layer("orphan"), layer("normal")
        await kept.pull(NODE, "20", image("node", normal))
        for data in (linked, orphan):
            await kept.blobs.put(data, digest_of(data))
        await kept.metadata.blobs.link(NODE, digest_of(linked), kept.now())
        kept.later(1)
        room = evictor(kept, cap=10**6)
        await room.find_orphans()
        await room.tend()
        assert await kept.blobs.stat(digest_of(orphan)) is not None, "it may be a push of this moment"
        kept.later(GRACE + 1)
        await room.tend()
        assert await kept.there(linked)
        assert await kept.there(normal)
        assert await kept.blobs.stat(digest_of(orphan)) is None

    with_kept(tmp_path, work)


def test_uploads_that_no_manifest_came_for_go_after_a_day(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        data = layer("never used")
        await kept.metadata.repositories.create(APP, kept.now(), own=True)
        await kept.metadata.blobs.link(APP, await kept.blob(data), kept.now())
        room = evictor(kept, cap=10**6)
        kept.later(80_000)
        await room.tend()
        assert await kept.there(data)
        kept.later(10_000)
        await room.tend()
        kept.later(GRACE + 1)
        await room.tend()
        assert await kept.blobs.stat(digest_of(data)) is None

    with_kept(tmp_path, work)


@pytest.mark.parametrize("by", ["digest", "last tag", "repository"])
def test_layers_of_deleted_own_images_go_after_a_day_and_not_before(tmp_path: Path, by: str) -> None:
    async def work(kept: Kept) -> None:
        shared, mine = layer("shared"), layer("mine")
        stays, goes = image("stays", shared), image("goes", shared, mine)
        await kept.push(RepositoryKey("local", "team/stays"), "1", stays)
        await kept.push(APP, "1", goes)
        kept.later(10 * 86_400)
        keeper = evictor(kept, cap=10**9)
        await keeper.tend()
        assert await kept.is_whole(APP, "1"), "what is used stays, however long ago it was pushed"
        if by == "repository":
            await kept.metadata.repositories.delete(APP)
        else:
            name = ImageName(goes.digest) if by == "digest" else ImageName(tag="1")
            assert [one.whole for one in await kept.metadata.images.remove(APP, [name], kept.now())] == [True]
        for _ in range(20):
            kept.later(4000)
            await keeper.tend()
            assert await kept.there(mine) == (by != "repository"), "somebody may be pushing what uses it"
        for _ in range(4):
            kept.later(4000)
            await keeper.tend()
        assert not await kept.there(mine)
        assert await kept.is_whole(RepositoryKey("local", "team/stays"), "1")
        files = {path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()}
        assert files == {digest_of(data).encoded for data in stays.blobs}

    with_kept(tmp_path, work)


def test_a_deleted_own_image_that_is_pushed_again_keeps_its_layers(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        own = await kept.push(APP, "1", image("own", layer("own")))
        kept.later(10 * 86_400)
        keeper = evictor(kept, cap=10**9)
        await kept.metadata.images.remove(APP, [ImageName(own.digest)], kept.now())
        kept.later(80_000)
        await keeper.tend()
        needs = Needs(blobs=tuple(digest_of(data) for data in own.blobs))
        assert await kept.metadata.images.put(APP, own.manifest, now=kept.now(), tags=["1"], needs=needs)
        for _ in range(50):
            kept.later(4000)
            await keeper.tend()
        assert await kept.is_whole(APP, "1")

    with_kept(tmp_path, work)


def test_a_full_disk_gets_room_at_once_and_many_who_want_it_make_it_once(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        await kept.pull(NODE, "20", image("node", layer("node")))
        kept.later(10_000)
        room = evictor(kept, cap=10**6)
        assert await asyncio.gather(*(room.make_room() for _ in range(5))) == [True] * 5
        assert room.done.images == 1
        assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [], "the bytes are really gone"
        kept.later(100)
        assert not await room.make_room(), "there is nothing left to give"

    with_kept(tmp_path, work)


def test_it_goes_on_after_a_failure_and_says_what_failed(tmp_path: Path) -> None:
    async def work(kept: Kept) -> None:
        rounds = 0

        async def chore() -> None:
            nonlocal rounds
            rounds += 1
            if rounds == 1:
                raise OSError("no such luck")
            raise asyncio.CancelledError

        seen: list[str | None] = []

        async def sleep(seconds: float) -> None:
            seen.append(room.done.failure)
            kept.later(3600)

        room = Evictor(
            kept.metadata,
            kept.blobs,
            Capacity(bytes=1),
            lambda: Volume(1, 1),
            in_flight=frozenset,
            now=kept.now,
            sleep=sleep,
            chores=[chore],
        )
        with pytest.raises(asyncio.CancelledError):
            await room.run()
        assert seen == ["OSError: no such luck"]

    with_kept(tmp_path, work)
