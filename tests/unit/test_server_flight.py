"""A blob on its way in a worker: who reads late reads it, too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from unhub.demo.images import digest_of
from unhub.image.digest import Digest
from unhub.server import wire
from unhub.server.flight import Link, SharedFlight
from unhub.server.wire import Line
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import RepositoryKey

DATA = b"a small configuration"
DIGEST = Digest.parse(digest_of(DATA))


class Answer:
    """An answer of the fetcher: its further lines."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.content = self
        self._lines = [wire.encode(line) + b"\n" for line in lines]

    async def readline(self) -> bytes:
        await asyncio.sleep(0)
        return self._lines.pop(0) if self._lines else b""

    def close(self) -> None:
        self._lines.clear()


class Fetcher(Link):
    """Tells of a blob, as the fetcher renames the file before it says that it is done."""

    def __init__(self, first: Line, *further: Line) -> None:
        super().__init__(cast(Any, None))
        self._first, self._further = first, further

    async def subscribe(self, key: RepositoryKey, digest: Digest) -> tuple[Any, Line]:
        return Answer(self._further), self._first


def flight(tmp_path: Path, fetcher: Fetcher) -> SharedFlight:
    blobs = FilesystemBlobs(tmp_path / "blobs")
    return SharedFlight(RepositoryKey("docker", "library/node"), DIGEST, cast(Link, fetcher), blobs, lambda: None)


async def whole(shared: SharedFlight, start: int = 0) -> bytes:
    return b"".join([piece async for piece in shared.read(start)])


@pytest.mark.parametrize("readers", [1, 2])
def test_a_reader_that_comes_after_the_end_reads_the_stored_blob(tmp_path: Path, readers: int) -> None:
    async def story() -> None:
        partial = tmp_path / "spool"
        partial.write_bytes(DATA)
        shared = flight(
            tmp_path,
            Fetcher(Line(path=str(partial), size=len(DATA), published=len(DATA) - 1), Line(size=len(DATA), published=len(DATA), done=True)),
        )
        await shared.begin()
        await FilesystemBlobs(tmp_path / "blobs").commit(partial, DIGEST)
        while not shared.ended:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert await asyncio.gather(*(whole(shared) for _ in range(readers))) == [DATA] * readers
        assert await whole(shared, 8) == DATA[8:]

    asyncio.run(story())


def test_a_flight_that_landed_before_it_was_joined_is_read(tmp_path: Path) -> None:
    async def story() -> None:
        blobs = FilesystemBlobs(tmp_path / "blobs")
        partial = tmp_path / "spool"
        partial.write_bytes(DATA)
        await blobs.commit(partial, DIGEST)
        shared = flight(tmp_path, Fetcher(Line(path=str(partial), size=len(DATA), published=3)))
        await shared.begin()
        assert shared.size == len(DATA)
        assert await whole(shared) == DATA

    asyncio.run(story())
