"""Two hundred clients that want the same image at once: what the upstream sees of them, and how fast they are."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub import docker_hub, ecr_public

from bench.mirror import peers
from bench.mirror.client import Puller, PullFailed, Waits
from bench.mirror.content import entries, one_image
from bench.mirror.samples import Samples
from unhub.demo.handles import Hub
from unhub.demo.images import Image

CLIENTS = 200
LATENCY = 0.05
MB = 1024 * 1024


@dataclass(slots=True)
class Seen:
    """What the upstream served for many clients of one image. ``failed`` are clients that did not get it."""

    manifests: int
    blobs: int
    distinct_manifests: int
    distinct_blobs: int
    failed: int
    seconds: float


@dataclass(slots=True)
class Transfer:
    """One download by curl: seconds to the first byte and to the last, and the bytes."""

    first: float
    total: float
    size: int
    status: int


def named(size: int, number: int) -> tuple[str, str, Image]:
    return (f"big{number}", "1.0", one_image(size, f"coalescing {size} {number}"))


def layer_of(made: Image) -> str:
    """The digest of the one layer of the amd64 image."""
    return made.layers[0]


def curl(urls: Sequence[str], *, ca: Path | None = None, seconds: float = 120.0) -> list[Transfer]:
    """Fetch all URLs at once, each over a connection of its own, in two processes. Raises :class:`peers.PeerMissing`."""
    program = peers.program("curl")
    halves = [urls] if len(urls) == 1 else [urls[::2], urls[1::2]]
    processes = [_curl(program, half, ca, seconds) for half in halves]
    found: list[Transfer] = []
    for process in processes:
        output, _ = process.communicate(timeout=seconds + 10)
        for line in output.decode().splitlines():
            status, first, total, size = line.split()
            found.append(Transfer(float(first), float(total), int(size), int(status)))
    return found


def _curl(program: str, urls: Sequence[str], ca: Path | None, seconds: float) -> subprocess.Popen[bytes]:
    options = ["-s", "-m", f"{seconds:g}", "-w", "%{http_code} %{time_starttransfer} %{time_total} %{size_download}\\n"]
    if len(urls) > 1:
        options += ["-Z", "--parallel-immediate", "--parallel-max", "300"]
    if ca is not None:
        options += ["--cacert", str(ca)]
    wanted = [part for url in urls for part in ("-o", "/dev/null", url)]
    return subprocess.Popen([program, *options, *wanted], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


async def _cold_manifests(url: str, image: tuple[str, str, Image], clients: int) -> int:
    """So many clients at once that ask for tag, child and configuration; how many failed."""

    async def one() -> bool:
        async with Puller(url, Waits()) as puller:
            try:
                await puller.pull(f"library/{image[0]}", image[1], layers=False)
            except PullFailed:
                return True
        return False

    return sum(await asyncio.gather(*(one() for _ in range(clients))))


@contextlib.contextmanager
def _peer(name: str, folder: Path, hub: Hub, fallback: Hub) -> Iterator[peers.Peer]:
    with contextlib.ExitStack() as stack:
        match name:
            case "distribution":
                yield stack.enter_context(peers.distribution(folder, hub.url))
            case "drayage":
                yield stack.enter_context(peers.drayage_mirror(folder, hub))
            case _:
                yield stack.enter_context(peers.unhub_mirror(folder, hub, fallback))[0]


def counts(peer: str, clients: int = CLIENTS, size: int = 32 * MB) -> Seen:
    """What 200 cold clients of one image cost, at 50 ms latency. Raises :class:`peers.PeerMissing`."""
    image = named(size, 0)
    with tempfile.TemporaryDirectory(prefix="unhub-coalescing-") as folder, contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=None, latency=LATENCY, images=entries([image])))
        fallback = stack.enter_context(ecr_public(latency=LATENCY, images=[]))
        server = stack.enter_context(_peer(peer, Path(folder), hub, fallback))
        started = time.monotonic()
        failed = asyncio.run(_cold_manifests(server.url, image, clients))
        layers = curl([f"{server.url}/v2/library/{image[0]}/blobs/{layer_of(image[2])}"] * clients)
        failed += sum(one.status != 200 or one.size != size for one in layers)
        manifests = [record.path for record in hub.asked(kind="manifest", method="GET", status=200)]
        blobs = [record.path for record in hub.asked(site="cdn", method="GET")]
        return Seen(len(manifests), len(blobs), len(set(manifests)), len(set(blobs)), failed, time.monotonic() - started)


@dataclass(slots=True)
class Slow:
    """At an upstream of a certain speed: one client alone, then 200 at once, then 200 of what is stored; seconds and MB/s."""

    alone: Samples = field(default_factory=Samples)
    slowest: Samples = field(default_factory=Samples)
    cold_rate: Samples = field(default_factory=Samples)
    warm_rate: Samples = field(default_factory=Samples)
    failed: int = 0


def slow_upstream(rate: float, size: int, runs: int, *, clients: int = CLIENTS, warm: bool = False) -> Slow:
    """Downloads of a layer of ``size`` bytes whose upstream sends ``rate`` bytes a second. Raises :class:`peers.PeerMissing`."""
    images = [named(size, number) for number in range(2 * runs)]
    figures = Slow()
    with tempfile.TemporaryDirectory(prefix="unhub-coalescing-") as folder, contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=None, images=entries(images), bandwidth=rate))
        fallback = stack.enter_context(ecr_public(images=[]))
        server, _ = stack.enter_context(peers.unhub_mirror(Path(folder), hub, fallback))
        for number in range(runs):
            alone, crowd = images[2 * number], images[2 * number + 1]
            figures.alone.values.append(_ask(server.url, alone, 1, figures)[0].total)
            _measure_crowd(server.url, crowd, clients, figures, warm=warm)
    return figures


def _measure_crowd(url: str, image: tuple[str, str, Image], clients: int, figures: Slow, *, warm: bool) -> None:
    started = time.monotonic()
    cold = _ask(url, image, clients, figures)
    figures.cold_rate.values.append(sum(one.size for one in cold) / (time.monotonic() - started) / 1e6)
    figures.slowest.values.append(max(one.total for one in cold))
    if warm:
        started = time.monotonic()
        again = _ask(url, image, clients, figures)
        figures.warm_rate.values.append(sum(one.size for one in again) / (time.monotonic() - started) / 1e6)


def _ask(url: str, image: tuple[str, str, Image], clients: int, figures: Slow) -> list[Transfer]:
    """Manifests first, as every client does, then the layer, all at once."""
    name, tag, made = image
    asyncio.run(fetch_manifests(url, name, tag))
    found = curl([f"{url}/v2/library/{name}/blobs/{layer_of(made)}"] * clients)
    figures.failed += sum(one.status != 200 for one in found)
    return found


async def fetch_manifests(url: str, name: str, tag: str) -> None:
    """Tag and child, as a client asks before it asks for layers: the mirror then knows the blobs of the repository."""
    async with Puller(url, Waits()) as puller:
        index = await puller._manifest(f"library/{name}", tag, None)
        digest = next(row["digest"] for row in index["manifests"] if row["platform"]["architecture"] == "amd64")
        await puller._manifest(f"library/{name}", digest, digest)


@dataclass(slots=True)
class FirstByte:
    """Milliseconds to the first byte of a layer: straight from the upstream, and through the mirror while it is cold."""

    upstream: Samples = field(default_factory=Samples)
    mirror: Samples = field(default_factory=Samples)


def first_byte(runs: int, size: int = 32 * MB) -> FirstByte:
    """One client, 50 ms latency, the layer cold. Raises :class:`peers.PeerMissing`."""
    images = [named(size, number) for number in range(runs)]
    figures = FirstByte()
    with tempfile.TemporaryDirectory(prefix="unhub-coalescing-") as folder, contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=None, images=entries(images), latency=LATENCY))
        fallback = stack.enter_context(ecr_public(images=[]))
        server, _ = stack.enter_context(peers.unhub_mirror(Path(folder), hub, fallback))
        for name, tag, made in images:
            asyncio.run(fetch_manifests(server.url, name, tag))
            figures.upstream.values.append(1000 * _straight(hub, name, layer_of(made)))
            figures.mirror.values.append(1000 * curl([f"{server.url}/v2/library/{name}/blobs/{layer_of(made)}"])[0].first)
    return figures


def _straight(hub: Hub, name: str, digest: str) -> float:
    """Seconds to the first byte for a client that has its token and follows the redirect."""
    from tests.hub import bearer

    token = bearer(hub, f"library/{name}")
    command = [peers.program("curl"), "-sL", "-o", "/dev/null", "-w", "%{time_starttransfer}", "-H", f"Authorization: {token}"]
    done = subprocess.run([*command, f"{hub.url}/v2/library/{name}/blobs/{digest}"], capture_output=True, text=True, check=True, timeout=60)
    return float(done.stdout)
