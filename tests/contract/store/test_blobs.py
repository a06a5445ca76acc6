"""What every blob store promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.contract.store.images import digest_of
from tests.contract.store.stores import BLOBS
from unhub.image.digest import Digest
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.protocols import BlobStore

DATA = bytes(range(256)) * 10_000


@pytest.fixture(params=BLOBS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return BLOBS[request.param](tmp_path)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


async def read(store: BlobStore, digest: Digest, start: int = 0, end: int | None = None) -> bytes:
    async with store.open(digest, start, end) as pieces:
        return b"".join([piece async for piece in pieces])


def test_what_was_put_is_there_whole_and_in_ranges(store: BlobStore) -> None:
    async def work() -> None:
        digest = digest_of(DATA)
        assert await store.stat(digest) is None
        assert (await store.put(DATA, digest)).size == len(DATA)
        info = await store.stat(digest)
        assert info is not None
        assert info.size == len(DATA)
        assert await read(store, digest) == DATA
        assert await read(store, digest, 5, 9) == DATA[5:9]
        assert await read(store, digest, len(DATA) - 3) == DATA[-3:]
        assert [found async for found in store.all()] == [(digest, info)]

    run(work)


def test_a_committed_file_is_taken_over(store: BlobStore, tmp_path: Path) -> None:
    async def work() -> None:
        partial = tmp_path / "partial"
        partial.write_bytes(DATA)
        await store.commit(partial, digest_of(DATA))
        assert not partial.exists()
        assert await read(store, digest_of(DATA)) == DATA

    run(work)


def test_putting_twice_is_putting_once(store: BlobStore) -> None:
    async def work() -> None:
        await asyncio.gather(*(store.put(DATA, digest_of(DATA)) for _ in range(8)))
        assert len([found async for found in store.all()]) == 1
        assert await read(store, digest_of(DATA)) == DATA

    run(work)


def test_sha512_and_empty_blobs(store: BlobStore) -> None:
    import hashlib

    async def work() -> None:
        long = Digest("sha512", hashlib.sha512(DATA).hexdigest())
        await store.put(DATA, long)
        assert await read(store, long) == DATA
        await store.put(b"", digest_of(b""))
        assert await read(store, digest_of(b"")) == b""

    run(work)


def test_readers_of_a_deleted_blob_read_on(store: BlobStore) -> None:
    async def work() -> None:
        digest = digest_of(DATA)
        await store.put(DATA, digest)
        async with store.open(digest) as pieces:
            assert await store.delete(digest)
            assert b"".join([piece async for piece in pieces]) == DATA
        assert not await store.delete(digest)
        assert await store.stat(digest) is None
        with pytest.raises(FileNotFoundError):
            await read(store, digest)

    run(work)


def test_a_folder_keeps_deleted_bytes_for_the_grace_period_and_no_longer(tmp_path: Path) -> None:
    now = [1000.0]
    store = FilesystemBlobs(tmp_path, grace=60, clock=lambda: now[0])

    async def work() -> None:
        digest = digest_of(DATA)
        info = await store.put(DATA, digest)
        assert info.path is not None
        await store.delete(digest)
        await store.put(DATA, digest)
        await store.delete(digest)
        assert await store.sweep() == 0
        now[0] = 1061.0
        assert await store.sweep() == 1, "deleted twice in one moment is one file"
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert [found async for found in store.all()] == []

    run(work)
