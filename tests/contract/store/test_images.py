"""What every metadata store promises about images as their owners see them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.contract.store.images import digest_of, image, index
from tests.contract.store.stores import METADATA, with_metadata
from unhub.image.manifest import Manifest
from unhub.store.protocols import MetadataStore
from unhub.store.records import ChangeKind, RepositoryKey, Upload
from unhub.store.records_images import ImageName, Kept, Needs
from unhub.store.refusals import ContentMissing, Counted, NoSuchRepository, TagTaken, TooMany
from unhub.store.sql import images as sql_images

APP = RepositoryKey("u7m1j8y0", "team/app")
OTHER = RepositoryKey("u7m1j8y0", "team/other")
ANYTHING = Needs()
LAYER = b"a layer"


@pytest.fixture(params=METADATA)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return METADATA[request.param](tmp_path)


async def put(store: MetadataStore, one: Manifest, *tags: str, now: float = 1, needs: Needs = ANYTHING, key: RepositoryKey = APP) -> bool:
    return await store.images.put(key, one, now=now, tags=tags, needs=needs, create=True)


async def have_blobs(store: MetadataStore, *blobs: bytes, key: RepositoryKey = APP, now: float = 1) -> None:
    for data in blobs:
        await store.blobs.push(key, digest_of(data), len(data), now)


async def all_pages(store: MetadataStore, limit: int) -> list[str]:
    found: list[str] = []
    while page := await store.images.page(APP, after=found[-1] if found else "", limit=limit):
        found += [str(one.digest) for one in page]
    return found


def names(*some: Manifest | str) -> list[ImageName]:
    return [ImageName(tag=one) if isinstance(one, str) else ImageName(one.digest) for one in some]


def test_a_manifest_is_taken_once_and_says_whether_anything_changed(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two = image("one"), image("two")
        assert await put(store, one, "1", "latest")
        assert not await put(store, one, "1", now=5)
        assert not await put(store, one, now=5)
        assert await put(store, one, "2", now=6)
        assert await put(store, two, "latest", now=7)
        found = await store.images.find(APP, [one.digest, two.digest, image("none").digest])
        assert [(str(key), row.tags, row.pushed_at) for key, row in sorted(found.items(), key=lambda item: item[1].pushed_at)] == [
            (str(one.digest), ("1", "2"), 1),
            (str(two.digest), ("latest",), 7),
        ]
        tagged = await store.images.tagged(APP)
        assert [(row.tag, row.created_at, row.image.digest) for row in tagged] == [
            ("1", 1, one.digest),
            ("2", 6, one.digest),
            ("latest", 7, two.digest),
        ], "a tag that was pushed again with the same image is as old as before"

    with_metadata(url, work)


def test_what_a_manifest_needs_must_be_in_the_same_repository(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one", [LAYER])
        needs = Needs(blobs=(digest_of(LAYER), digest_of(b"config of one")), manifests=(image("child").digest,))
        await store.repositories.create(APP, 1, own=True)
        await have_blobs(store, LAYER, b"config of one", key=OTHER)
        await put(store, image("child"), key=OTHER)
        with pytest.raises(ContentMissing) as refused:
            await put(store, one, "1", needs=needs)
        assert (refused.value.blobs, refused.value.manifests) == (needs.blobs, needs.manifests)
        await have_blobs(store, LAYER)
        await put(store, image("child"))
        with pytest.raises(ContentMissing) as refused:
            await put(store, one, "1", needs=needs)
        assert (refused.value.blobs, refused.value.manifests) == ((digest_of(b"config of one"),), ())
        assert await store.manifests.tags(APP) == []
        await have_blobs(store, b"config of one")
        assert await put(store, one, "1", needs=needs)
        await store.blobs.forget(digest_of(LAYER))
        with pytest.raises(ContentMissing):
            await put(store, one, "2", needs=needs)

    with_metadata(url, work)


def test_very_many_needs_are_looked_up(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        there = digest_of(LAYER)
        await have_blobs(store, LAYER)
        many = tuple(digest_of(f"blob {number}".encode()) for number in range(2500))
        with pytest.raises(ContentMissing) as refused:
            await put(store, image("one"), needs=Needs(blobs=(*many, there), manifests=many))
        assert (refused.value.blobs, refused.value.manifests) == (many, many)

    with_metadata(url, work)


def test_images_and_tags_are_counted_before_one_more_is_taken(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two, three = image("one"), image("two"), image("three")
        needs = Needs(images_max=2, tags_max=2)
        await put(store, one, "a", "b", needs=needs)
        await put(store, two, needs=needs)
        with pytest.raises(TooMany) as images:
            await put(store, three, "c", needs=needs)
        assert (images.value.counted, images.value.most) == (Counted.IMAGES, 2)
        with pytest.raises(TooMany) as tags:
            await put(store, one, "c", needs=needs)
        assert (tags.value.counted, tags.value.most) == (Counted.TAGS, 2)
        assert await put(store, two, "b", "c", needs=needs), "tags may move"
        assert await put(store, one, "d", needs=needs)
        assert not await put(store, one, "a", "d", needs=needs)
        assert await store.images.count(APP) == 2
        assert await store.images.count(OTHER) == 0

    with_metadata(url, work)


def test_a_fixed_tag_is_given_once_and_never_moves(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two = image("one"), image("two")
        needs = Needs(fixed=("v1", "latest"))
        assert await put(store, one, "v1", "moving", needs=needs)
        assert not await put(store, one, "v1", needs=needs)
        with pytest.raises(TagTaken) as refused:
            await put(store, two, "moving", "v1", "new", needs=needs)
        assert refused.value.tag == "v1"
        assert await store.images.pointed(APP, ["v1", "moving", "new"]) == {"v1": one.digest, "moving": one.digest}
        assert await put(store, two, "moving", "latest", needs=needs)
        await store.images.remove(APP, names("v1"), 5)
        assert await put(store, two, "v1", needs=needs), "what was deleted may be given again"

    with_metadata(url, work)


def test_of_many_pushes_at_once_no_more_are_taken_than_there_may_be(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        await store.repositories.create(APP, 1, own=True)
        pushes = [put(store, image(f"number {number}"), needs=Needs(images_max=3)) for number in range(10)]
        done = await asyncio.gather(*pushes, return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == ["TooMany"] * 7 + ["bool"] * 3
        assert await store.images.count(APP) == 3

    with_metadata(url, work)


def test_nothing_makes_a_repository_that_must_be_there(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        writes = [
            lambda: store.images.put(APP, image("one"), now=1, tags=["1"], needs=ANYTHING),
            lambda: store.uploads.begin(Upload("u", APP, "me", 0, 1, 1), create=False),
            lambda: store.blobs.push(APP, digest_of(LAYER), 7, 1, create=False),
            lambda: store.blobs.link(APP, digest_of(LAYER), 1, create=False),
        ]
        for write in writes:
            with pytest.raises(NoSuchRepository) as refused:
                await write()
            assert refused.value.key == APP
        assert await store.repositories.names() == []
        assert await store.blobs.size(digest_of(LAYER)) is None
        await store.repositories.create(APP, 1, own=True)
        for write in writes:
            await write()

    with_metadata(url, work)


def test_a_pushed_blob_is_new_to_a_repository_once(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        assert await store.blobs.push(APP, digest_of(LAYER), 7, 1)
        assert not await store.blobs.push(APP, digest_of(LAYER), 7, 2)
        assert await store.blobs.push(OTHER, digest_of(LAYER), 7, 3)

    with_metadata(url, work)


def test_images_come_in_pages_by_digest(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        images = sorted((image(f"number {number}") for number in range(7)), key=lambda one: str(one.digest))
        for number, one in enumerate(images):
            await put(store, one, *(f"{number}-{letter}" for letter in "ba"[: number % 3]))
        await put(store, image("elsewhere"), "1", key=OTHER)
        for limit in (1, 3, 7, 100):
            assert await all_pages(store, limit) == [str(one.digest) for one in images]
        page = await store.images.page(APP, limit=3)
        assert [row.tags for row in page] == [(), ("1-b",), ("2-a", "2-b")]
        assert [row.tag for row in await store.images.tagged(APP, after="2-a", limit=2)] == ["2-b", "4-b"]

    with_metadata(url, work)


@pytest.mark.parametrize("most", [1, 4, 5, 6, 50])
def test_a_page_ends_early_where_its_images_have_very_many_tags(url: str, most: int) -> None:
    async def work(store: MetadataStore) -> None:
        images = sorted((image(f"number {number}") for number in range(6)), key=lambda one: str(one.digest))
        for number, one in enumerate(images):
            await put(store, one, *(f"{number}-{tag}" for tag in range(0 if number in {1, 4} else 5)))
        with patch.object(sql_images, "TAGS_MAX", most):
            assert await all_pages(store, 100) == [str(one.digest) for one in images]
            page = await store.images.page(APP)
            assert len(page[0].tags) == 5
            found = await store.images.find(APP, (one.digest for one in images))
            assert [len(found[one.digest].tags) for one in images] == [5, 0, 5, 5, 0, 5]

    with_metadata(url, work)


def test_an_index_is_as_large_as_the_largest_image_below_it_that_is_here(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        small, large, absent = image("small", [b"1"]), image("large", [b"1" * 100, b"2" * 100, b"2" * 100]), image("absent", [b"3" * 999])
        inner = index(large, absent)
        outer = index(small, inner)
        for one in (small, large, inner, outer, index(absent)):
            await put(store, one)
        await put(store, absent, key=OTHER)
        found = await store.images.find(APP, [one.digest for one in (small, large, inner, outer, index(absent))])
        sizes = {digest: row.size for digest, row in found.items()}
        assert sizes == {
            small.digest: len("config of small") + 1,
            large.digest: len("config of large") + 200,
            inner.digest: len("config of large") + 200,
            outer.digest: len("config of large") + 200,
            index(absent).digest: 0,
        }

    with_metadata(url, work)


def test_an_image_says_what_kind_of_artifact_it_is(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        plain = image("plain")
        signature = image("signature", subject=plain, artifact_type="application/vnd.example.signature")
        for one in (plain, signature, index(plain)):
            await put(store, one)
        found = await store.images.find(APP, [plain.digest, signature.digest, index(plain).digest])
        assert {row.artifact_type for row in found.values()} == {
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.example.signature",
            None,
        }
        assert found[plain.digest].media_type == plain.media_type

    with_metadata(url, work)


def test_a_blob_is_named_by_an_image_of_the_repository(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        first, second = image("first", [LAYER]), image("second", [LAYER])
        await put(store, first, now=1)
        await put(store, second, now=2)
        await put(store, image("elsewhere", [b"other"]), now=3, key=OTHER)
        assert await store.images.naming(APP, digest_of(LAYER)) in {first.digest, second.digest}
        assert await store.images.naming(APP, digest_of(b"config of first")) == first.digest
        assert await store.images.naming(APP, digest_of(b"other")) is None

    with_metadata(url, work)


def test_tags_are_resolved_together(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two = image("one"), image("two")
        await put(store, one, "1", "one")
        await put(store, two, "2")
        assert await store.images.pointed(APP, ["1", "2", "3"]) == {"1": one.digest, "2": two.digest}
        assert await store.images.pointed(APP, []) == {}
        assert await store.images.pointed(OTHER, ["1"]) == {}

    with_metadata(url, work)


def test_an_image_leaves_with_its_last_tag_or_by_its_digest_with_all(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two, bare = image("one"), image("two"), image("bare")
        await put(store, one, "a", "b")
        await put(store, two, "c", "d")
        await put(store, bare)
        first, second, third, fourth = await store.images.remove(APP, names("a", two, bare, "none"), 9)
        assert (first.digest, first.tags, first.whole) == (one.digest, ("a",), False)
        assert (second.digest, second.tags, second.whole) == (two.digest, ("c", "d"), True)
        assert (third.digest, third.tags, third.whole) == (bare.digest, (), True)
        assert fourth.kept is Kept.UNKNOWN
        assert await store.manifests.tags(APP) == ["b"]
        (last,) = await store.images.remove(APP, [ImageName(one.digest, "b")], 9)
        assert (last.tags, last.whole) == (("b",), True)
        assert await store.images.count(APP) == 0
        assert await store.manifests.get(APP, one.digest) is None

    with_metadata(url, work)


def test_what_is_not_there_or_does_not_fit_together_stays(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two = image("one"), image("two")
        assert [row.kept for row in await store.images.remove(APP, names(one, "a"), 1)] == [Kept.UNKNOWN] * 2
        await put(store, one, "a")
        await put(store, two, "b")
        found = await store.images.remove(APP, [ImageName(one.digest, "b"), ImageName(image("none").digest), ImageName()], 2)
        assert [row.kept for row in found] == [Kept.MISMATCH, Kept.UNKNOWN, Kept.UNKNOWN]
        assert await store.manifests.tags(APP) == ["a", "b"]
        again = await store.images.remove(APP, names(one, one), 3)
        assert [row.kept for row in again] == [None, Kept.UNKNOWN]

    with_metadata(url, work)


def test_what_an_index_lists_stays_unless_the_index_leaves_too(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        child, other = image("child"), image("other")
        listing, above = index(child), index(index(child))
        for one, tags in ((child, ["child"]), (other, []), (listing, ["all"]), (above, [])):
            await put(store, one, *tags)
        await put(store, child, "same", key=OTHER)
        by_digest, by_tag, free = await store.images.remove(APP, names(child, "child", other), 5)
        assert (by_digest.kept, by_digest.listed_by) == (Kept.LISTED, (listing.digest,))
        assert (by_tag.kept, by_tag.digest) == (Kept.LISTED, child.digest)
        assert free.whole
        assert await store.manifests.tags(APP) == ["all", "child"]
        (elsewhere,) = await store.images.remove(OTHER, names(child), 5)
        assert elsewhere.whole, "an index of another repository is no reason to stay"
        all_of_them = await store.images.remove(APP, names(child, listing, above), 6)
        assert [row.whole for row in all_of_them] == [True, True, True]
        assert await store.images.count(APP) == 0

    with_metadata(url, work)


def test_a_removal_is_told_to_all_who_remember_the_image(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two = image("one"), image("two")
        await put(store, one, "a", "b")
        await put(store, two, "c", "d")
        before = await store.changes.generation()
        await store.images.remove(APP, names(one, "c", "none"), 5)
        told = [(change.kind, change.path, change.key) for change in await store.changes.since(before)]
        assert told == [
            *((ChangeKind.TAG, APP.path, name) for name in ("a", "b")),
            (ChangeKind.MANIFEST, APP.path, str(one.digest)),
            (ChangeKind.TAG, APP.path, "c"),
        ]

    with_metadata(url, work)


@pytest.mark.parametrize("by", ["remove", "delete"])
def test_blobs_of_a_removed_image_stay_for_a_while(url: str, by: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one", [LAYER])
        blobs = [LAYER, b"config of one"]
        await have_blobs(store, *blobs, now=10)
        await put(store, one, "1", now=10)
        if by == "remove":
            await store.images.remove(APP, names(one), 500)
        else:
            assert await store.manifests.delete(APP, one.digest, 500)
        assert await store.eviction.collect(400) == []
        assert [await store.blobs.linked(APP, digest_of(data)) for data in blobs] == [True, True]
        assert sorted((digest for digest, _ in await store.eviction.collect(501)), key=str) == digests(blobs)
        assert await store.blobs.size(digest_of(LAYER)) is None

    with_metadata(url, work)


def digests(blobs: Iterable[bytes]) -> list[object]:
    return sorted((digest_of(data) for data in blobs), key=str)


def test_manifests_of_a_deleted_repository_are_collected(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one", [LAYER])
        await have_blobs(store, LAYER)
        await put(store, one, "1")
        await store.repositories.delete(APP)
        await store.eviction.collect(50)
        await store.repositories.create(APP, 60, own=True)
        assert await store.blobs.size(digest_of(LAYER)) is None
        assert await store.blobs.expected_size(APP, digest_of(LAYER)) is None
        assert await put(store, one, "1", now=61)
        assert [row.pushed_at for row in await store.images.page(APP)] == [61]

    with_metadata(url, work)
