"""What stores promise to those who look after them: listings, and deletions that take nothing new away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.store.images import digest_of, image
from tests.contract.store.stores import METADATA, with_metadata
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey

NODE = RepositoryKey("docker", "library/node")
REDIS = RepositoryKey("docker", "library/redis")
DATA = b"data" * 100

TIMED_BLOBS: dict[str, Callable[[Path, Callable[[], float]], BlobStore]] = {
    "folder": lambda folder, clock: FilesystemBlobs(folder / "blobs", clock=clock)
}


@pytest.fixture(params=METADATA)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return METADATA[request.param](tmp_path)


def test_manifests_of_a_repository_are_listed_in_order_and_by_pages(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        images = sorted((image(f"node {number}") for number in range(5)), key=lambda one: str(one.digest))
        for one in images:
            await store.manifests.put(NODE, one, now=1)
        await store.manifests.put(REDIS, image("redis"), now=1)
        assert await store.manifests.digests(NODE) == [one.digest for one in images]
        assert await store.manifests.digests(NODE, after=str(images[1].digest), limit=2) == [images[2].digest, images[3].digest]
        assert await store.manifests.digests(RepositoryKey("docker", "none")) == []

    with_metadata(url, work)


def test_a_pin_holds_an_image_but_for_who_does_not_heed_it(url: str) -> None:
    async def work(store: MetadataStore) -> None:
        node = image("node", [DATA])
        await store.manifests.put(NODE, node, now=1, tags=["20"], source="docker", link_blobs=True)
        await store.policy.pin("docker/library/node:20", 1)
        assert await store.eviction.evict(NODE, node.digest) is None
        assert await store.manifests.tags(NODE) == ["20"]
        evicted = await store.eviction.evict(NODE, node.digest, heed_pins=False)
        assert evicted is not None
        assert evicted.tags == ("20",)
        assert await store.policy.pins() == ["docker/library/node:20"]

    with_metadata(url, work)


@pytest.mark.parametrize("kind", TIMED_BLOBS)
@pytest.mark.parametrize("by_commit", [False, True])
def test_a_deletion_takes_nothing_that_was_stored_after_it_was_decided(tmp_path: Path, kind: str, *, by_commit: bool) -> None:
    now = [1000.0]
    store = TIMED_BLOBS[kind](tmp_path, lambda: now[0])
    digest = digest_of(DATA)

    async def put() -> None:
        if not by_commit:
            await store.put(DATA, digest)
            return
        partial = tmp_path / "partial"
        partial.write_bytes(DATA)
        await store.commit(partial, digest)

    async def work() -> None:
        await put()
        now[0] = 2000.0
        assert not await store.delete(digest, stored_before=1000.0)
        assert await store.stat(digest) is not None
        await put()
        assert not await store.delete(digest, stored_before=1500.0), "stored again meanwhile"
        assert await store.delete(digest, stored_before=2001.0)
        assert await store.stat(digest) is None
        assert not await store.delete(digest, stored_before=3000.0)

    asyncio.run(work())
