"""Pulls, pushes, pins, evictions, purges and kills in any order: what a tag means is always whole, or the tag is gone."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.kept_images import APP, NODE, REDIS, Kept, digest_of, image, index
from unhub.image.digest import Digest
from unhub.mirror.capacity import Capacity, Volume
from unhub.mirror.eviction import Evictor, Times
from unhub.mirror.fsck import Checker
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import RepositoryKey
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

T = TypeVar("T")

REPOSITORIES = st.sampled_from([NODE, REDIS])
TAGS = st.sampled_from(["1", "2", "latest"])
LAYERS = st.lists(st.sampled_from([f"layer {number}".encode().ljust(100, b".") for number in range(6)]), max_size=3, unique=True)
GRACE = 60.0


class Upkeep(RuleBasedStateMachine):
    """A cache of a few hundred bytes in which everything happens; rows leave before files, so a kill can be between them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.pinned: set[str] = set()
        self.flying: set[Digest] = set()
        self.pushed: set[str] = set()
        self.clock = [1_000_000.0]

    @initialize()
    def begin(self) -> None:
        path = Path(self.folder.name)
        url = f"sqlite:///{path / 'unhub.db'}"
        upgrade(url)
        self.kept = Kept(path, SqlMetadata(url), FilesystemBlobs(path / "blobs", clock=lambda: self.clock[0]), self.clock)
        self.start_evictor()

    def start_evictor(self) -> None:
        async def sleep(seconds: float) -> None:
            self.kept.later(seconds)

        self.evictor = Evictor(
            self.kept.metadata,
            self.kept.blobs,
            Capacity(bytes=500),
            lambda: Volume(10**9, 10**9),
            in_flight=lambda: frozenset(self.flying),
            now=self.kept.now,
            sleep=sleep,
            times=Times(grace=GRACE, young=5.0, unused=1000.0),
        )

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def main() -> T:
            return await work()

        return self.loop.run_until_complete(main())

    @rule(key=REPOSITORIES, tag=TAGS, layers=LAYERS)
    def pull(self, key: RepositoryKey, tag: str, layers: list[bytes]) -> None:
        self.run(lambda: self.kept.pull(key, tag, image(f"{key}{layers}", *layers)))

    @rule(key=REPOSITORIES, tag=TAGS, first=LAYERS, second=LAYERS)
    def pull_index(self, key: RepositoryKey, tag: str, first: list[bytes], second: list[bytes]) -> None:
        async def work() -> None:
            amd, arm = image("amd", *first), image("arm", *second)
            await self.kept.pull(key, None, amd)
            await self.kept.pull(key, None, arm)
            await self.kept.pull_index(key, tag, index(amd64=amd, arm64=arm))

        self.run(work)

    @rule(tag=TAGS, layers=LAYERS)
    def push(self, tag: str, layers: list[bytes]) -> None:
        self.run(lambda: self.kept.push(APP, tag, image(f"app {layers}", *layers)))
        self.pushed.add(tag)

    @rule(key=REPOSITORIES, tag=TAGS)
    def pin(self, key: RepositoryKey, tag: str) -> None:
        if self.run(lambda: self.kept.metadata.manifests.tag(key, tag)) is not None:
            self.pinned.add(f"{key}:{tag}")
            self.run(lambda: self.kept.metadata.policy.pin(f"{key}:{tag}", self.kept.now()))

    @rule()
    def unpin_all(self) -> None:
        for pattern in self.pinned:
            self.run(lambda pattern=pattern: self.kept.metadata.policy.unpin(pattern))
        self.pinned.clear()

    @rule(layers=LAYERS)
    def fly(self, layers: list[bytes]) -> None:
        self.flying = {digest_of(layer) for layer in layers}

    @rule(seconds=st.sampled_from([1.0, 10.0, GRACE + 1, 2000.0]))
    def wait(self, seconds: float) -> None:
        self.kept.later(seconds)

    @rule()
    def tend(self) -> None:
        before = self.flying_tags()
        self.run(self.evictor.tend)
        assert before <= self.flying_tags(), "an image with a blob in flight stays"

    @rule()
    def disk_full(self) -> None:
        self.run(self.evictor.make_room)

    @rule()
    def kill(self) -> None:
        """What the fetcher remembered is gone; files may lie about without a row."""
        self.start_evictor()
        self.run(self.evictor.find_orphans)

    def flying_tags(self) -> set[str]:
        async def work() -> set[str]:
            found: set[str] = set()
            for key in (NODE, REDIS):
                for name in await self.kept.metadata.manifests.tags(key):
                    resolved = await self.kept.metadata.manifests.resolve(key, name)
                    assert resolved is not None
                    blobs = {row.digest for row in [resolved[1].manifest.config, *resolved[1].manifest.layers] if row is not None}
                    if blobs & self.flying:
                        found.add(f"{key}:{name}")
            return found

        return self.run(work)

    @invariant()
    def what_is_tagged_is_whole(self) -> None:
        if not hasattr(self, "kept"):
            return

        async def work() -> None:
            for key in (NODE, REDIS, APP):
                for name in await self.kept.metadata.manifests.tags(key):
                    assert await self.kept.is_whole(key, name), f"{key}:{name} cannot be pulled"
            for name in self.pushed:
                assert await self.kept.is_whole(APP, name), f"pushed {name} was lost"
            for text in self.pinned:
                path, _, name = text.rpartition(":")
                assert await self.kept.is_whole(RepositoryKey(*path.split("/", 1)), name), f"pinned {text} was evicted"

        self.run(work)

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not hasattr(self, "kept"):
            return

        async def work() -> None:
            folder = self.kept.folder
            check = Checker(self.kept.metadata, self.kept.blobs, spool=folder / "spool", uploads=folder / "uploads")
            assert [found async for found in check.run() if found.kind.is_wrong] == []

        self.run(work)

    def teardown(self) -> None:
        if hasattr(self, "kept"):
            self.run(self.kept.metadata.close)
        self.loop.close()
        self.folder.cleanup()


Upkeep.TestCase.settings = settings(max_examples=max(settings.default.max_examples // 20, 1), stateful_step_count=15)
TestUpkeep = pytest.mark.hypothesis(Upkeep.TestCase)
