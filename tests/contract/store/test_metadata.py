"""What every metadata store promises."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.contract.store.images import digest_of, image, index
from tests.contract.store.stores import METADATA, with_metadata
from unhub.store.protocols import MetadataStore
from unhub.store.records import Block, BudgetRow, ChangeKind, PullRecord, RepositoryKey, Upload
from unhub.store.sql.metadata import SqlMetadata

NODE = RepositoryKey("docker", "library/node")
APP = RepositoryKey("local", "team/app")
LAYER, SHARED = b"a layer", b"a shared layer"


@pytest.fixture(params=METADATA)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return METADATA[request.param](tmp_path)


def test_a_tag_means_the_manifest_it_was_pointed_at_last(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        first, second = image("first"), image("second")
        await store.manifests.put(NODE, first, now=1, tags=["20", "latest"], source="docker")
        await store.manifests.put(NODE, second, now=2, tags=["latest"], source="ecr-public")
        found = await store.manifests.resolve(NODE, "latest")
        assert found is not None
        tag, manifest = found
        assert (tag.digest, tag.fetched_at, tag.source) == (second.digest, 2, "ecr-public")
        assert manifest.data == second.data
        assert manifest.media_type == second.media_type
        assert await store.manifests.tags(NODE) == ["20", "latest"]
        kept = await store.manifests.resolve(NODE, "20")
        assert kept is not None
        assert kept[1].data == first.data

    with_metadata(url, work)


def test_a_manifest_is_seen_only_through_a_repository_that_links_it(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        secret = image("secret")
        await store.manifests.put(APP, secret, now=1, tags=["1"])
        assert await store.manifests.get(APP, secret.digest) is not None
        assert await store.manifests.get(NODE, secret.digest) is None
        await store.repositories.create(NODE, 2)
        assert await store.manifests.get(NODE, secret.digest) is None

    with_metadata(url, work)


def test_tags_are_listed_in_ascii_order_after_a_name(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        names = ["b", "A", "a", "_", "1", "1.0", "1-0", "Z"]
        await store.manifests.put(APP, image("one"), now=1, tags=names)
        assert await store.manifests.tags(APP) == sorted(names)
        assert await store.manifests.tags(APP, after="1.0", limit=3) == ["A", "Z", "_"]
        assert await store.manifests.tags(APP, after="zzz") == []

    with_metadata(url, work)


def test_deleting_a_tag_leaves_the_manifest_deleting_a_manifest_takes_its_tags(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one")
        await store.manifests.put(APP, one, now=1, tags=["a", "b", "c"])
        assert await store.manifests.delete_tag(APP, "a")
        assert not await store.manifests.delete_tag(APP, "a")
        assert await store.manifests.get(APP, one.digest) is not None
        assert await store.manifests.delete(APP, one.digest)
        assert not await store.manifests.delete(APP, one.digest)
        assert await store.manifests.tags(APP) == []
        assert await store.manifests.get(APP, one.digest) is None

    with_metadata(url, work)


def test_a_deleted_manifest_of_one_repository_stays_in_the_other(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one")
        await store.manifests.put(APP, one, now=1, tags=["a"])
        await store.manifests.put(NODE, one, now=1, tags=["a"])
        await store.manifests.delete(APP, one.digest)
        assert await store.manifests.get(NODE, one.digest) is not None

    with_metadata(url, work)


def test_referrers_are_listed_by_subject_and_type_also_before_the_subject_comes(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        subject = image("subject")
        signature = image("signature", subject=subject, artifact_type="application/signature")
        bill = image("bill", subject=subject, artifact_type="application/sbom")
        untyped = image("untyped", subject=subject)
        for one in (signature, bill, untyped):
            await store.manifests.put(APP, one, now=1)
        found = await store.manifests.referrers(APP, subject.digest)
        assert {row.digest for row in found} == {signature.digest, bill.digest, untyped.digest}
        assert [row.digest for row in found] == sorted((row.digest for row in found), key=str)
        (only,) = await store.manifests.referrers(APP, subject.digest, artifact_type="application/sbom")
        assert (only.digest, only.size, only.annotations) == (bill.digest, len(bill.data), {"name": "bill"})
        types = {row.digest: row.artifact_type for row in found}
        assert types[untyped.digest] == "application/vnd.oci.image.config.v1+json", "without a type it is the config's"
        assert await store.manifests.referrers(NODE, subject.digest) == []

    with_metadata(url, work)


def test_an_upstream_that_confirms_a_tag_also_forgets_that_it_was_gone(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        await store.manifests.put(NODE, image("one"), now=1, tags=["20"], source="docker")
        assert await store.manifests.note_gone(NODE, "none", 5) is None
        for now, count in ((5, 1), (700, 2)):
            gone = await store.manifests.note_gone(NODE, "20", now)
            assert gone is not None
            assert (gone.gone_since, gone.gone_count) == (5, count)
        await store.manifests.confirm(NODE, "20", 800, "docker")
        tag = await store.manifests.tag(NODE, "20")
        assert tag is not None
        assert (tag.gone_since, tag.gone_count, tag.checked_at, tag.fetched_at) == (None, 0, 800, 1)

    with_metadata(url, work)


def test_a_blob_is_served_by_the_repositories_that_link_it(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        layer = digest_of(LAYER)
        await store.blobs.add(layer, len(LAYER), 1)
        assert await store.blobs.size(layer) == len(LAYER)
        assert not await store.blobs.linked(APP, layer)
        await store.blobs.link(APP, layer, 1)
        assert await store.blobs.linked(APP, layer)
        assert await store.blobs.repositories(layer) == [APP]
        assert await store.blobs.unlink(APP, layer)
        assert not await store.blobs.unlink(APP, layer)
        assert await store.blobs.unlinked() == [layer]
        await store.blobs.forget(layer)
        assert await store.blobs.size(layer) is None

    with_metadata(url, work)


def test_a_pulled_through_manifest_links_the_blobs_that_it_names(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one", [LAYER])
        await store.manifests.put(NODE, one, now=1, tags=["1"], source="docker", link_blobs=True)
        assert one.config is not None
        assert await store.blobs.linked(NODE, digest_of(LAYER))
        assert await store.blobs.linked(NODE, one.config.digest)
        assert await store.blobs.size(digest_of(LAYER)) is None, "linked, not fetched yet"
        assert await store.blobs.expected_size(NODE, digest_of(LAYER)) == len(LAYER)
        assert await store.blobs.expected_size(NODE, digest_of(b"other")) is None
        assert await store.blobs.expected_size(APP, digest_of(LAYER)) is None

    with_metadata(url, work)


def test_an_index_says_which_children_are_missing(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        arm, amd = image("arm"), image("amd")
        await store.manifests.put(NODE, arm, now=1)
        assert await store.manifests.missing_children(NODE, index(arm, amd)) == [amd.digest]

    with_metadata(url, work)


def test_uploads_are_known_to_their_repository_until_they_end(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        await store.uploads.begin(Upload("u1", APP, "alice", 0, 10, 10))
        await store.uploads.advance("u1", 500, 20)
        found = await store.uploads.get(APP, "u1")
        assert found is not None
        assert (found.offset, found.touched_at, found.owner) == (500, 20, "alice")
        assert await store.uploads.get(NODE, "u1") is None
        assert [upload.id for upload in await store.uploads.abandoned(21)] == ["u1"]
        assert await store.uploads.abandoned(20) == []
        assert await store.uploads.end("u1")
        assert not await store.uploads.end("u1")

    with_metadata(url, work)


def test_budgets_and_states_outlive_the_process(url: str) -> None:
    row = BudgetRow("docker", "", 100, -3, 21600, 5.5, 2, "192.0.2.1")

    async def write(store: MetadataStore) -> None:
        await store.ledger.save_budget(BudgetRow("docker", "", 100, 50, 21600, 1.0))
        await store.ledger.save_budget(row)
        await store.ledger.save_state("breaker", "open")

    async def read(store: MetadataStore) -> None:
        assert await store.ledger.budgets() == [row]
        assert await store.ledger.state("breaker") == "open"
        assert await store.ledger.state("other") is None

    with_metadata(url, write)
    with_metadata(url, read)


def test_blocks_and_pins(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        bad = Block(digest_of(b"bad"), "CVE-2026-0001", 3)
        await store.policy.block(bad)
        assert await store.policy.blocks() == [bad]
        assert await store.policy.unblock(bad.digest)
        assert not await store.policy.unblock(bad.digest)
        await store.policy.pin("docker/library/node:*", 1)
        assert await store.policy.pins() == ["docker/library/node:*"]
        assert await store.policy.unpin("docker/library/node:*")

    with_metadata(url, work)


def test_pulls_of_a_day_add_up(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one = image("one")
        await store.manifests.put(NODE, one, now=1, tags=["1"], source="docker")
        pull = PullRecord(NODE, one.digest, "1", "192.0.2.7", 20_000, 2, 10, 50.0)
        await store.pulls.record([pull, pull])
        await store.pulls.record([PullRecord(RepositoryKey("docker", "nowhere"), one.digest, "1", "x", 1, 1)])
        (found,) = await store.pulls.of(one.digest)
        assert (found.count, found.bytes_answered, found.caller, found.reference) == (4, 20, "192.0.2.7", "1")
        assert await store.pulls.forget(20_001) == 1
        assert await store.pulls.of(one.digest) == []

    with_metadata(url, work)


def test_who_pulled_an_image_has_its_layers(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two, other = image("one", [LAYER, SHARED]), image("two", [SHARED]), image("other", [b"another layer"])
        for made in (one, two, other):
            await store.manifests.put(NODE, made, now=1, source="docker")
            await store.pulls.record([PullRecord(NODE, made.digest, str(made.digest), "192.0.2.7", 1, 1, 10, 50.0)])
        assert {row.digest for row in await store.pulls.of(digest_of(SHARED))} == {one.digest, two.digest}
        (found,) = await store.pulls.of(digest_of(LAYER))
        assert (found.digest, found.repository, found.caller, found.count) == (one.digest, NODE, "192.0.2.7", 1)
        assert await store.pulls.of(digest_of(b"nobody's layer")) == []
        assert [row.digest for row in await store.pulls.of(other.digest)] == [other.digest]

    with_metadata(url, work)


def test_every_change_is_told_in_order(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        start = await store.changes.generation()
        one = image("one")
        await store.manifests.put(APP, one, now=1, tags=["1"])
        await store.manifests.delete(APP, one.digest)
        await store.changes.announce(ChangeKind.CONFIGURATION)
        told = await store.changes.since(start)
        assert [(change.kind, change.key) for change in told] == [
            (ChangeKind.TAG, "1"),
            (ChangeKind.MANIFEST, str(one.digest)),
            (ChangeKind.MANIFEST, str(one.digest)),
            (ChangeKind.CONFIGURATION, ""),
        ]
        newest = await store.changes.generation()
        assert newest == told[-1].generation
        await store.changes.forget(newest + 5)
        assert await store.changes.generation() == newest, "the newest stays, so that the number never goes back"

    with_metadata(url, work)


def test_a_lease_has_one_holder_until_it_runs_out(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        assert await store.lease("server", "a", 10, 100)
        assert not await store.lease("server", "b", 10, 105)
        assert await store.lease("server", "a", 10, 105)
        assert await store.holder("server", 112) == "a"
        assert await store.lease("server", "b", 10, 116)
        await store.release("server", "a")
        assert await store.holder("server", 117) == "b"
        await store.release("server", "b")
        assert await store.holder("server", 117) is None

    with_metadata(url, work)


def test_eviction_takes_whole_images_and_leaves_what_others_use(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        old_amd, old_arm = image("old amd", [LAYER, SHARED]), image("old arm", [b"arm"])
        new = image("new", [SHARED])
        for one in (old_amd, old_arm):
            await store.manifests.put(NODE, one, now=1, source="docker", link_blobs=True)
        await store.manifests.put(NODE, index(old_amd, old_arm), now=1, tags=["20", "20.1"], source="docker", link_blobs=True)
        await store.manifests.put(NODE, new, now=2, tags=["21"], source="docker", link_blobs=True)
        await store.manifests.put(APP, image("pushed"), now=0, tags=["1"])
        for data in (LAYER, SHARED, b"arm"):
            await store.blobs.add(digest_of(data), len(data), 1)
        assert await store.eviction.usage() == len(LAYER) + len(SHARED) + len(b"arm")
        oldest = await store.eviction.oldest(10)
        assert [(key, digest) for key, digest, _ in oldest] == [(NODE, index(old_amd, old_arm).digest), (NODE, new.digest)]
        gone = await store.eviction.evict(NODE, oldest[0][1])
        assert gone is not None
        assert gone.tags == ("20", "20.1")
        assert set(gone.blobs) == {digest_of(LAYER), digest_of(b"arm")}
        assert gone.size == len(LAYER) + len(b"arm")
        assert await store.manifests.tags(NODE) == ["21"]
        assert await store.manifests.get(NODE, old_amd.digest) is None
        assert await store.blobs.linked(NODE, digest_of(SHARED))
        assert await store.eviction.evict(NODE, gone.digest) is None

    with_metadata(url, work)


def test_eviction_spares_pins_and_the_pulled_are_newest(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        one, two = image("one"), image("two")
        await store.manifests.put(NODE, one, now=1, tags=["1"], source="docker")
        await store.manifests.put(NODE, two, now=2, tags=["2"], source="docker")
        await store.pulls.record([PullRecord(NODE, one.digest, "1", "x", 0, 1, 0, 99.0)])
        assert [digest for _, digest, _ in await store.eviction.oldest(10)] == [two.digest, one.digest]
        await store.policy.pin("docker/library/node:1", 0)
        assert await store.eviction.evict(NODE, one.digest) is None
        assert await store.eviction.evict(NODE, two.digest) is not None

    with_metadata(url, work)


def test_blobs_that_nobody_used_are_collected(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        kept = image("kept", [LAYER])
        await store.manifests.put(APP, kept, now=1, tags=["1"])
        for data in (LAYER, b"abandoned"):
            await store.blobs.add(digest_of(data), len(data), 1)
            await store.blobs.link(APP, digest_of(data), 1)
        await store.blobs.add(digest_of(b"fresh"), 5, 100)
        assert await store.eviction.collect(50) == [(digest_of(b"abandoned"), len(b"abandoned"))]
        assert await store.blobs.size(digest_of(LAYER)) is not None
        assert await store.blobs.size(digest_of(b"fresh")) == 5

    with_metadata(url, work)


def test_a_repository_leaves_with_its_tags(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        made = await store.repositories.create(APP, 1, own=True)
        assert made.own
        assert await store.repositories.create(APP, 5) == made
        await store.manifests.put(APP, image("one"), now=1, tags=["1"])
        await store.repositories.set_public(NODE, True, 7)
        node = await store.repositories.get(NODE)
        assert node is not None
        assert (node.public, node.public_checked_at, node.own) == (True, 7, False)
        assert await store.repositories.names() == [NODE, APP]
        assert await store.repositories.names(alias="local") == [APP]
        assert await store.repositories.names(after=NODE, limit=5) == [APP]
        assert await store.repositories.delete(APP)
        assert not await store.repositories.delete(APP)
        assert await store.manifests.tags(APP) == []

    with_metadata(url, work)


def test_many_writers_lose_nothing(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        async def put(number: int) -> None:
            await store.manifests.put(NODE, image(f"image {number}"), now=number, tags=[f"t{number:02}"], source="docker")

        await asyncio.gather(*(put(number) for number in range(40)))
        assert await store.manifests.tags(NODE) == [f"t{number:02}" for number in range(40)]

    with_metadata(url, work)


def test_a_pushed_blob_is_noted_linked_and_its_upload_over_at_once(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        digest = digest_of(LAYER)
        await store.uploads.begin(Upload("one", APP, "me", 0, 1, 1))
        await store.uploads.begin(Upload("two", APP, "me", 0, 1, 1))

        await store.blobs.push(APP, digest, len(LAYER), 2, upload="one")
        other = RepositoryKey("local", "new")
        await store.blobs.push(other, digest, len(LAYER), 3)

        assert await store.blobs.size(digest) == len(LAYER)
        assert await store.blobs.linked(APP, digest)
        assert await store.uploads.get(APP, "one") is None
        assert await store.uploads.get(APP, "two") is not None
        made = await store.repositories.get(other)
        assert made is not None
        assert made.own

    with_metadata(url, work)


def test_a_write_that_is_cancelled_keeps_no_other_from_writing(url: str) -> None:
    """Whenever it is cancelled: the next write, as that of another process, gets the lock at once."""

    async def work(store: MetadataStore) -> None:
        await store.manifests.put(NODE, image("one"), now=1, tags=["20"])
        rows = [PullRecord(NODE, image("one").digest, str(number), "192.0.2.7", 1, 1, 1, 1.0) for number in range(20)]
        other = SqlMetadata(url)
        try:
            for step in range(60):
                writing = asyncio.ensure_future(store.pulls.record(rows))
                await asyncio.sleep(step * 0.0003)
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                async with asyncio.timeout(5):
                    await other.manifests.confirm(NODE, "20", step, "docker")
        finally:
            await other.close()

    with_metadata(url, work)
