"""What a thousand clients at once cost in memory, of all processes of the mirror together."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.hub import docker_hub, ecr_public

from bench.mirror import peers
from bench.mirror.coalescing import MB, fetch_manifests, layer_of, named
from bench.mirror.content import entries

CLIENTS = 1000
SLOWLY = 4.0
"""Seconds over which a slow client reads."""


@dataclass(slots=True)
class Memory:
    """Bytes (PSS: what processes share is counted once) at rest and at the most; clients that failed."""

    rest: int
    warm: int
    cold: int
    failed: int


def resident(processes: list[int]) -> int:
    """The proportional set size of processes, in bytes (proc(5), smaps_rollup)."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def thousand_pulls(clients: int = CLIENTS, size: int = 4 * MB) -> Memory:
    """A thousand clients that read a blob slowly, stored and on its way. Raises :class:`peers.PeerMissing`."""
    rest, warm, failed = _peak(clients, size, warm=True)
    _, cold, also_failed = _peak(clients, size, warm=False)
    return Memory(rest, warm, cold, failed + also_failed)


def _peak(clients: int, size: int, *, warm: bool) -> tuple[int, int, int]:
    """Bytes at rest, bytes at the most, and failed clients, of a mirror that just started."""
    image = named(size, 0)
    with tempfile.TemporaryDirectory(prefix="unhub-memory-") as folder, contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=None, images=entries([image]), bandwidth=None if warm else size / SLOWLY))
        fallback = stack.enter_context(ecr_public(images=[]))
        server, mirror = stack.enter_context(peers.unhub_mirror(Path(folder), hub, fallback))
        rest = resident(server.processes())
        asyncio.run(fetch_manifests(server.url, image[0], image[1]))
        path = f"/v2/library/{image[0]}/blobs/{layer_of(image[2])}"
        if warm:
            mirror.get(path)
        peak, failed = asyncio.run(_watched(server.url, path, clients, size, lambda: resident(server.processes())))
        return rest, peak, failed


async def _watched(url: str, path: str, clients: int, size: int, measure: Callable[[], int]) -> tuple[int, int]:
    """The most that was measured while so many clients read, and how many of them failed."""
    done = asyncio.Event()
    peak = 0

    async def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, await asyncio.to_thread(measure))
            await asyncio.sleep(0.2)

    watching = asyncio.ensure_future(watch())
    results = await asyncio.gather(*(_slow_client(url, path, size) for _ in range(clients)))
    done.set()
    await watching
    return peak, results.count(False)


async def _slow_client(url: str, path: str, size: int) -> bool:
    """Read a blob over some seconds; whether all of it came."""
    parts = urlsplit(url)
    until = time.monotonic() + SLOWLY
    try:
        async with asyncio.timeout(110):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=64 * 1024)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            count = 0
            while data := await reader.read(64 * 1024):
                count += len(data)
                left = size - count
                pause = (until - time.monotonic()) * len(data) / max(left, len(data))
                if pause > 0.002:
                    await asyncio.sleep(pause)
            writer.close()
            return head.startswith(b"HTTP/1.1 200") and count == size
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
