"""What metering costs each request, and what terms cost: the app of a worker without a server, then wrk at whole mirrors.

The server's own work is left out of the first, so that a difference of half a microsecond is seen; how much of a request that
is, is told by the second.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from tests.hub import docker_hub, ecr_public

from bench.mirror import peers
from bench.mirror.coalescing import curl
from bench.mirror.content import entries, one_image
from bench.mirror.speed import TAG_PATH, Speeds, wrk
from unhub.data.terms import TermsData
from unhub.image.manifest import Manifest
from unhub.mirror.allowances import Allowances, Kind, Monthly
from unhub.mirror.buckets import Buckets, Rate
from unhub.mirror.memory import Memory
from unhub.mirror.names import NameRules
from unhub.mirror.pull import Pull
from unhub.mirror.push import Push, PushRules
from unhub.mirror.upstream import Place, UpstreamRules
from unhub.server.allowance import Allowance
from unhub.server.app import App
from unhub.server.callers import Callers
from unhub.server.counters import Counters
from unhub.server.distribution.app import Distribution
from unhub.server.metering import Metering
from unhub.server.note import Note
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import RepositoryKey
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

WITHOUT, METERED, HELD = "not metered", "metered", "metered, with terms"
REQUESTS = 20_000
OUT_OF_REACH = """
[terms.anonymous]
pulls-a-second = 1_000_000
bytes-a-month = 1_000_000_000_000_000
"""
"""Terms of which everything is looked up and nobody is refused."""


class _Unmetered:
    """In the place of the meters."""

    def answered(self, note: Note, method: str, *, manifest: bool) -> None:
        """Count nothing."""


def in_process(runs: int, requests: int = REQUESTS) -> Speeds:
    """Microseconds that the app takes for a manifest that is ready, without the server's own work, by what is counted."""
    with tempfile.TemporaryDirectory(prefix="unhub-metering-") as folder:
        return asyncio.run(_in_process(Path(folder), runs, requests))


async def _in_process(folder: Path, runs: int, requests: int) -> Speeds:
    speeds = Speeds()
    async with _apps(folder) as apps:
        for app in apps.values():
            for _ in range(2):  # by the second time it is remembered, and kept ready
                await app(_scope("192.0.2.1"), _nothing, _sent)
            _time(app, requests // 10)
        for _ in range(runs):
            for name, app in apps.items():
                speeds.add(name, _time(app, requests))
    return speeds


def _time(app: App, requests: int) -> float:
    """Microseconds a request, as clients of twenty addresses send them."""
    scopes = [_scope(f"192.0.2.{number}") for number in range(20)]
    answered = 0
    began = time.perf_counter()
    for _ in range(requests // len(scopes)):
        for scope in scopes:
            answered += app.at_once(scope, _ignored)
    spent = time.perf_counter() - began
    if answered != requests // len(scopes) * len(scopes):
        raise RuntimeError("a manifest that is ready was waited for")
    return 1e6 * spent / answered


def _scope(address: str) -> dict[str, Any]:
    path = "/v2/library/app/manifests/1.0"
    headers = [(b"host", b"127.0.0.1:5000"), (b"accept", b"application/vnd.oci.image.index.v1+json")]
    about = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    return {**about, "headers": headers, "client": (address, 4711)}


def _ignored(message: dict[str, Any]) -> None:
    del message


async def _sent(message: dict[str, Any]) -> None:
    del message


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


@asynccontextmanager
async def _apps(folder: Path) -> AsyncIterator[dict[str, App]]:
    """Three apps on one store: without meters, with them, and with terms that refuse nobody."""
    url = f"sqlite:///{folder}/unhub.db"
    upgrade(url)
    metadata, blobs = SqlMetadata(url), FilesystemBlobs(folder / "blobs")
    counters, start = Counters(1), time.time()
    made = one_image(1024, "metering")
    manifest = Manifest.parse(made.root.data, made.root.media_type)
    await metadata.manifests.put(
        RepositoryKey("docker", "library/app"), manifest, now=start, tags=["1.0"], source="docker", link_blobs=True
    )

    def app(metering: Metering | _Unmetered, allowance: Allowance | None = None) -> App:
        memory = Memory()
        rules = {"docker": UpstreamRules(alias="docker", place=Place("docker.io"), title="Docker Hub")}
        pull = Pull(metadata, blobs, rules, cast(Any, None), memory, now=lambda: start)  # so that what is ready stays so
        push = Push(metadata, blobs, folder / "uploads", memory, PushRules(), now=time.time)
        names = NameRules(frozenset({"local"}), {"docker.io": "docker"})
        registry = Distribution(pull, push, blobs, names, now=lambda: start, allowance=allowance)
        other = cast(Any, None)
        return App(registry, other, other, other, callers=Callers(), metering=cast(Metering, metering), slot=counters.slot(0), log=None)

    meters = metadata.identity.meters
    held = Metering(meters, counters.slot(0))
    terms = Allowances("bench", {Kind.ANONYMOUS: Rate.a_second(1e6)}, {Kind.ANONYMOUS: Monthly(10**18, refused=True)})
    buckets = Buckets()
    allowance = Allowance(terms, buckets, held.follow(), TermsData().refusals())
    try:
        yield {WITHOUT: app(_Unmetered()), METERED: app(Metering(meters, counters.slot(0))), HELD: app(held, allowance)}
    finally:
        buckets.close()
        await metadata.close()


def whole(runs: int, seconds: int) -> Speeds:
    """Requests a second of whole mirrors by wrk, with and without terms (whose figures are out of reach)."""
    speeds = Speeds()
    made = one_image(64 * 1024, "metering")
    with tempfile.TemporaryDirectory(prefix="unhub-metering-") as folder, contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=None, images=entries([("app", "1.0", made)])))
        fallback = stack.enter_context(ecr_public(images=[]))
        urls: dict[str, str] = {}
        for number, (name, settings) in enumerate(((METERED, ""), (HELD, OUT_OF_REACH))):
            options = peers.UnhubOptions(settings=settings)
            peer, _ = stack.enter_context(peers.unhub_mirror(Path(folder) / str(number), hub, fallback, options=options))
            urls[name] = peer.url + TAG_PATH
        for url in urls.values():
            curl([url])
            wrk(url, 1)
        for _ in range(runs):
            for name, url in urls.items():
                speeds.add(name, wrk(url, seconds))
    return speeds
