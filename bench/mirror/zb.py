"""The cases of zot's benchmark ``zb``, by their names, with a client of our own; beside distribution where it can them.

zb pushes and pulls images of one layer; a request is a whole push or a whole pull. On demand, time to first byte counts.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hub import docker_hub, ecr_public

from bench.mirror import peers
from bench.mirror.coalescing import MB, curl, layer_of
from bench.mirror.content import AMD64, entries, raw_layer
from bench.mirror.samples import percentile
from bench.mirror.upload import Connection
from unhub.demo.images import Image, image

CLIENTS = 2
SIZES = (MB, 10 * MB, 100 * MB)
REQUESTS = {MB: 40, 10 * MB: 16, 100 * MB: 4}


@dataclass(frozen=True, slots=True)
class Case:
    """A case: how many of 100 requests are pushes, how large images are (with their shares), whether pushes are streamed."""

    name: str
    sizes: tuple[tuple[int, float], ...] = ()
    pushes: float = 0.0
    streamed: bool = False
    catalog: bool = False

    @property
    def requests(self) -> int:
        return 200 if self.catalog else max(2 * CLIENTS, min(REQUESTS[size] for size, _ in self.sizes) * (2 if len(self.sizes) > 1 else 1))


def _cases() -> list[Case]:
    cases = [Case("Get Catalog", catalog=True)]
    named = [(f"{size // MB}MB", ((size, 1.0),)) for size in SIZES]
    mixed = ((MB, 0.2), (10 * MB, 0.7), (100 * MB, 0.1))
    thirds = ((MB, 1.0), (10 * MB, 1.0), (100 * MB, 1.0))
    cases += [Case(f"Push Monolith {text}", sizes, 1.0) for text, sizes in named]
    cases += [Case(f"Push Chunk Streamed {text}", sizes, 1.0, streamed=True) for text, sizes in named]
    cases += [Case(f"Pull {text}", sizes) for text, sizes in named]
    cases += [Case("Pull Mixed 20% 1MB, 70% 10MB, 10% 100MB", mixed)]
    cases += [Case("Push Monolith Mixed 20% 1MB, 70% 10MB, 10% 100MB", mixed, 1.0)]
    cases += [Case("Push Chunk Mixed 33% 1MB, 33% 10MB, 33% 100MB", thirds, 1.0, streamed=True)]
    cases += [Case(f"Pull 75% and Push 25% Mixed {text}", sizes, 0.25) for text, sizes in named]
    return cases


CASES = _cases()


@dataclass(slots=True)
class Row:
    """What a case came to: requests a second, and milliseconds that requests took."""

    rate: float
    p50: float
    p99: float
    failed: int


class Runner:
    """Runs cases against one registry; ``prefix`` is where it takes pushes."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix
        self._made: dict[int, Image] = {}
        self._serial = 0
        self._lock = threading.Lock()

    def run(self, case: Case, seed: int = 1) -> Row:
        """One case with two clients at once."""
        pick = random.Random(seed)
        sizes = [
            pick.choices([size for size, _ in case.sizes], [share for _, share in case.sizes])[0] if case.sizes else 0
            for _ in range(case.requests)
        ]
        writes = [pick.random() < case.pushes for _ in range(case.requests)]
        work = [self._request(case, size, write) for size, write in zip(sizes, writes, strict=True)]
        for size in {size for size, write in zip(sizes, writes, strict=True) if not write and size}:
            self._ready(size)
        return _timed(self._url, work)

    def _request(self, case: Case, size: int, write: bool) -> Callable[[Connection], None]:
        if case.catalog:
            return _catalog
        if not write:
            return lambda connection: self._pull(connection, size)
        with self._lock:
            self._serial += 1
            made = image([raw_layer(size, f"zb {self._serial}")], platform=AMD64)
        return lambda connection: self._push(connection, made, streamed=case.streamed)

    def _ready(self, size: int) -> None:
        if size not in self._made:
            made = self._made[size] = image([raw_layer(size, f"zb pull {size}")], platform=AMD64)
            connection = Connection(self._url)
            self._push(connection, made, streamed=False)
            connection.close()

    def _name(self, made: Image) -> str:
        return f"{self._prefix}zb-{made.digest[7:19]}"

    def _push(self, connection: Connection, made: Image, *, streamed: bool) -> None:
        name = self._name(made)
        for digest, data in made.blobs.items():
            (connection.push_blob_streamed if streamed else connection.push_blob)(name, digest, data)
        connection.expect(201, "PUT", f"/v2/{name}/manifests/1", made.root.data, Content_Type=made.root.media_type)

    def _pull(self, connection: Connection, size: int) -> None:
        made = self._made[size]
        name = self._name(made)
        connection.expect(200, "HEAD", f"/v2/{name}/manifests/1", Accept=made.root.media_type)
        connection.expect(200, "GET", f"/v2/{name}/manifests/1", Accept=made.root.media_type)
        for digest, data in made.blobs.items():
            status, count = connection.download(f"/v2/{name}/blobs/{digest}")
            if status != 200 or count != len(data):
                raise RuntimeError(f"{status} and {count} bytes of {len(data)}")


def _catalog(connection: Connection) -> None:
    connection.expect(200, "GET", "/v2/_catalog")


def _timed(url: str, work: Sequence[Callable[[Connection], None]]) -> Row:
    took: list[float] = []
    failed: list[str] = []

    def client(share: Sequence[Callable[[Connection], None]]) -> None:
        connection = Connection(url)
        for request in share:
            started = time.perf_counter()
            try:
                request(connection)
            except (OSError, RuntimeError) as error:
                failed.append(str(error))
            took.append(time.perf_counter() - started)
        connection.close()

    threads = [threading.Thread(target=client, args=(work[number::CLIENTS],)) for number in range(CLIENTS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    return Row(len(work) / seconds, 1000 * percentile(took, 50), 1000 * percentile(took, 99), len(failed))


def compare(cases: Sequence[Case] = CASES, *, runs: int = 1) -> tuple[dict[str, dict[str, list[Row]]], dict[str, str]]:
    """Each case on unhub and on distribution, in turn: rows by server and case, and who is missing."""
    found: dict[str, dict[str, list[Row]]] = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="unhub-zb-") as folder, contextlib.ExitStack() as stack:
        top = Path(folder)
        runners: dict[str, Runner] = {}
        server, _ = stack.enter_context(peers.unhub_mirror(top / "unhub", stack.enter_context(docker_hub(images=[]))))
        runners["unhub"] = Runner(server.url, "local/")
        try:
            runners["distribution"] = Runner(stack.enter_context(peers.distribution(top / "registry")).url, "")
        except peers.PeerMissing as gone:
            missing["distribution"] = str(gone)
        for case in cases:
            for number in range(runs):
                for name, runner in runners.items():
                    found.setdefault(name, {}).setdefault(case.name, []).append(runner.run(case, seed=number + 1))
    return found, missing


def on_demand(size: int) -> tuple[float, float]:
    """Seconds to the first and to the last byte of a layer that has to be fetched first ("On-demand Sync")."""
    made = image([raw_layer(size, f"on demand {size}")], platform=AMD64)
    with tempfile.TemporaryDirectory(prefix="unhub-zb-") as folder, contextlib.ExitStack() as stack:
        hub = stack.enter_context(docker_hub(limit=None, images=entries([("demand", "1.0", made)])))
        fallback = stack.enter_context(ecr_public(images=[]))
        server, _ = stack.enter_context(peers.unhub_mirror(Path(folder), hub, fallback))
        curl([f"{server.url}/v2/library/demand/manifests/1.0"])
        got = curl([f"{server.url}/v2/library/demand/blobs/{layer_of(made)}"])[0]
        if got.status != 200 or got.size != size:
            raise RuntimeError(f"on demand: {got.status} and {got.size} bytes of {size}")
        return got.first, got.total
