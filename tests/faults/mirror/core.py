"""The mirror's core in this process, between a store in a folder and the stand-ins: no server, no socket to clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from unhub.demo.handles import Hub
from unhub.image.digest import Digest
from unhub.image.manifest import Descriptor
from unhub.mirror.blobs import BlobFetcher, BlobFlight
from unhub.mirror.budget import Ledger
from unhub.mirror.fetcher import Fetcher
from unhub.mirror.freshness import Freshness
from unhub.mirror.manifests import ManifestFetcher
from unhub.mirror.memory import Memory
from unhub.mirror.pace import Pace
from unhub.mirror.pull import Pull
from unhub.mirror.source import Source
from unhub.mirror.sources import Fallback, Upstream
from unhub.mirror.upstream import FallbackRules, Place, UpstreamRules
from unhub.registry.client import ClientSettings, RegistryClient
from unhub.registry.credentials import Credential, Credentials, NoCredentials
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import RepositoryKey
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

NODE = RepositoryKey("docker", "library/node")
TAG = "21.7.0-alpine3.19"


class Clock:
    """Seconds since 1970 and a monotonic clock that can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


class Local:
    """The fetcher as a worker sees it, without a process in between."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def tag(self, key: RepositoryKey, name: str, *, wait: float | None = None) -> None:
        await self._fetcher.tag(key, name, wait=wait)

    async def digest(self, key: RepositoryKey, digest: Digest) -> None:
        await self._fetcher.digest(key, digest)

    async def revalidate(self, key: RepositoryKey, name: str) -> None:
        self._fetcher.revalidate(key, name)

    async def blob(self, key: RepositoryKey, digest: Digest) -> BlobFlight:
        return await self._fetcher.blob(key, digest)

    async def tags(self, key: RepositoryKey) -> list[str]:
        return await self._fetcher.tags(key)

    async def referrers(self, key: RepositoryKey, digest: Digest) -> Sequence[Descriptor]:
        return await self._fetcher.referrers(key, digest)


@dataclass
class Core:
    """Everything that a test may want to look at."""

    pull: Pull
    fetcher: Fetcher
    metadata: SqlMetadata
    blobs: FilesystemBlobs
    memory: Memory
    clock: Clock
    upstream: Upstream
    folder: Path

    async def read(self, key: RepositoryKey, digest: Digest) -> bytes:
        """A blob as a client would read it: stored, or while it grows; raises where the flight fails."""
        answer = await self.pull.blob(key, digest)
        if answer.stored is not None:
            assert answer.stored.path is not None
            return answer.stored.path.read_bytes()
        assert isinstance(answer.flight, BlobFlight)
        return await self.follow(answer.flight)

    async def follow(self, flight: BlobFlight) -> bytes:
        """What a flight brings from now on, from the first byte; raises where it fails."""
        data, reached = bytearray(), 0
        try:
            file = flight.path.open("rb")
        except FileNotFoundError:
            file = self.blobs.path(flight.digest).open("rb")
        with file:
            async for published in flight.progress():
                data += file.read(published - reached)
                reached = published
        return bytes(data)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the core under test differs from the usual one."""

    freshness: Freshness = field(default_factory=Freshness)
    rate: float = 0.0
    hold: float = 25.0
    fallback_hold: float = 5.0
    revalidate: float = 2.0
    credentials: Credentials | None = None
    serve_private: bool = False
    keep_deleted: bool = True
    clock: Clock = field(default_factory=Clock)
    repositories: tuple[str, ...] = ("library/*",)


@asynccontextmanager
async def core(folder: Path, hub: Hub, fallback: Hub | None, options: Options) -> AsyncGenerator[Core]:
    """The core between a folder and the stand-ins."""
    url = f"sqlite:///{folder}/unhub.db"
    upgrade(url)
    clock = options.clock
    metadata, blobs = SqlMetadata(url), FilesystemBlobs(folder / "blobs", clock=clock.now)
    settings = ClientSettings(
        endpoints={"docker.io": hub.url} | ({"public.ecr.aws": fallback.url} if fallback else {}),
        rates={"docker.io": 0, "public.ecr.aws": 0},
        attempts=1,
    )
    login = options.credentials
    async with RegistryClient(settings, login or NoCredentials()) as client, RegistryClient(settings, NoCredentials()) as anonymous:
        ledger = Ledger(clock.now, await metadata.ledger.budgets())
        place = Place("docker.io")
        rules = UpstreamRules(
            alias="docker",
            place=place,
            title="Docker Hub",
            freshness=options.freshness,
            credential="builder" if login else "",
            serve_private=options.serve_private,
            keep_deleted=options.keep_deleted,
            hold=options.hold,
            fallback_hold=options.fallback_hold,
            revalidate=options.revalidate,
        )
        source = Source(
            "docker", place, client, clock=clock.monotonic, pace=Pace(0, clock.monotonic), ledger=ledger, credential=rules.credential
        )
        twin = Source("docker", place, anonymous, clock=clock.monotonic, pace=Pace(0, clock.monotonic)) if login else None
        fallbacks: list[Fallback] = []
        if fallback is not None:
            wanted = FallbackRules("ecr-public", Place("public.ecr.aws", "docker/"), options.repositories, options.rate)
            other = Source("ecr-public", wanted.place, anonymous, clock=clock.monotonic, pace=Pace(options.rate, clock.monotonic))
            fallbacks.append(Fallback(wanted, other))
        upstream = Upstream(rules, source, fallbacks, twin)
        fetcher = Fetcher(
            {"docker": upstream},
            metadata,
            ManifestFetcher(metadata, now=clock.now, clock=clock.monotonic),
            BlobFetcher(metadata, blobs, folder / "spool", now=clock.now),
            ledger,
            now=clock.now,
            clock=clock.monotonic,
        )
        memory = Memory()
        pull = Pull(metadata, blobs, {"docker": rules}, Local(fetcher), memory, now=clock.now)
        try:
            yield Core(pull, fetcher, metadata, blobs, memory, clock, upstream, folder)
        finally:
            await fetcher.close()
            await metadata.close()


def with_core(
    folder: Path, hub: Hub, fallback: Hub | None, work: Callable[[Core], Awaitable[None]], options: Options | None = None, **changes: object
) -> None:
    """Run some work on a core; ``changes`` are fields of :class:`Options`."""

    async def run() -> None:
        async with core(folder, hub, fallback, replace(options or Options(), **changes)) as made:  # pyright: ignore[reportArgumentType]
            await work(made)

    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(run())


class Login:
    """One account at every registry."""

    def __init__(self, name: str, password: str) -> None:
        self._credential = Credential(name, password, "the test")

    def find(self, registry: str) -> Credential | None:
        return self._credential
