"""The matrix of docs/mirror-faults.md: each fault, told to a real mirror through its own upstream and fallback, and what came of it.

Every fault has an upstream of its own in one mirror, with stand-ins of its own behind it, so that all of them can go wrong at
the same time and none disturbs another. Faults of the mirror's own processes and disk have a mirror each.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub import Said, docker_hub, ecr_public
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.handles import Hub
from unhub.demo.images import Image, bulk_layer, digest_of, image

REPOSITORY = "library/app"
LARGE = 1_500_000
BEGUN = 400_000
BANDWIDTH = 1_500_000
SITES = ("registry", "token", "cdn")
ECR_SITES = ("registry", "cdn")
PATIENCE = 100.0
AT_ONCE, SOON = 4.0, 14.0
COLD, FRESH, OLD, FLIGHT = "cold", "fresh", "old", "flight"
HEADERS_WITHIN = 30.0
"""Seconds that clients wait for an answer's headers."""

CUT, NO_ANSWER = 0, -1
"""The status of an answer whose connection was cut, and of none."""


@dataclass
class Site:
    """One fault's corner of the world: its upstream, its fallback if it has one, and the mirror between them and us."""

    alias: str
    mirror: Mirror
    hub: Hub
    ecr: Hub | None
    images: dict[str, Image]
    open: list[AbstractContextManager[Hub]] = field(default_factory=list[AbstractContextManager[Hub]])

    def get(self, what: str, method: str = "GET") -> Said:
        """One request, as patient as a container runtime."""
        connection = http.client.HTTPConnection(self.mirror.address, timeout=HEADERS_WITHIN)
        with closing(connection):
            connection.request(method, f"/v2/{REPOSITORY}/{what}?ns={self.alias}.test")
            try:
                response = connection.getresponse()
            except TimeoutError:
                return Said(NO_ANSWER, {}, b"")
            headers = {name.lower(): value for name, value in response.getheaders()}
            try:
                return Said(response.status, headers, response.read())
            except (http.client.IncompleteRead, ConnectionError):
                return Said(CUT, headers, b"")

    def cut(self) -> None:
        """Break every transfer off, and let new ones begin."""
        self.hub.listen("cdn", on=False)
        self.hub.listen("cdn", on=True)

    def close(self) -> None:
        """Nobody out there answers any more."""
        for hub, sites in ((self.hub, SITES), (self.ecr, ECR_SITES)):
            for site in sites if hub is not None else ():
                with suppress(KeyError):
                    hub.listen(site, on=False)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong: ``arm`` makes it so, ``cuts`` says whether transfers under way break off, too.

    ``again`` lets it happen anew before each situation. ``slow`` ones are tried without a fallback by ``make soak`` alone.
    ``least`` is the shortest time that the page tells, where the machine's own network decides how soon something fails.
    """

    name: str
    arm: Callable[[Site], None]
    cuts: bool = True
    again: bool = False
    slow: bool = False
    least: float = 0.0


@dataclass
class Row:
    """A fault in its four situations, as the page tells of it; ``wrong`` is what must never be."""

    fault: str
    cells: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def images_of(alias: str) -> dict[str, Image]:
    """Content that no other fault's upstream has; that of ``flight`` has a layer that takes a second."""
    sizes = {COLD: 3000, FRESH: 3000, OLD: 3000, FLIGHT: LARGE}
    return {tag: image([bulk_layer(size, f"{alias} {tag}")]) for tag, size in sizes.items()}


@contextmanager
def corners(folder: Path, faults: Sequence[Fault], *, fallback: bool, hold: float, arguments: Sequence[str] = ()) -> Generator[list[Site]]:
    """One mirror with an upstream for each fault."""
    with ExitStack() as stack:
        made: list[tuple[str, Hub, Hub | None, dict[str, Image]]] = []
        text = '[upstream.docker]\nurl = "http://127.0.0.1:9"\nfallback = []\n'
        for number in range(len(faults)):
            alias, images = f"case{number}", images_of(f"{folder.name} case{number}")
            hub = stack.enter_context(docker_hub(images=()))
            ecr = stack.enter_context(ecr_public(images=())) if fallback else None
            for tag, one in images.items():
                hub.add(one, f"{REPOSITORY}:{tag}")
                if ecr is not None:
                    ecr.add(one, f"docker/{REPOSITORY}:{tag}")
            made.append((alias, hub, ecr, images))
            text += f'\n[upstream.{alias}]\nurl = "{hub.url}"\nhosts = ["{alias}.test"]\nhold = {hold}\nstale-while-revalidate = 0\n'
            text += "" if ecr else "fallback = []\n"
            text += f'[[upstream.{alias}.fresh]]\ntags = "old"\nseconds = 0\n'
            text += f'[[upstream.{alias}.fallback]]\nurl = "{ecr.url}/docker"\n' if ecr else ""
        config = folder / "unhub.toml"
        config.write_text(text)
        mirror = stack.enter_context(running_mirror(folder, None, arguments=("--config", config, *arguments)))
        yield [Site(alias, mirror, hub, ecr, images) for alias, hub, ecr, images in made]


def run(folder: Path, faults: Sequence[Fault], *, fallback: bool, hold: float, at_once: int = 16) -> list[Row]:
    """Every fault in all four situations, many at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with corners(folder, faults, fallback=fallback, hold=hold) as sites, concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        jobs = [pool.submit(try_one, site, fault) for site, fault in zip(sites, faults, strict=True)]
        return [job.result() for job in jobs]


def try_one(site: Site, fault: Fault) -> Row:
    """Warm up, let it go wrong, ask in each situation, and see what was kept when everything is closed."""
    row = Row(fault.name)
    _warm(site)
    reader = _begin(site)
    armed = time.monotonic()
    fault.arm(site)
    if fault.cuts:
        site.cut()
    site.hub.set(bandwidth=None)
    for situation, ask in (
        ("warm, fresh", lambda: _manifest(site, FRESH, row, fault)),
        ("cold", lambda: _cold(site, row, fault)),
        ("warm, stale", lambda: _manifest(site, OLD, row, fault)),
    ):
        row.cells[situation] = ask()
        if fault.again:
            fault.arm(site)
    row.cells["in flight"] = _flown(reader, row, armed)
    if fault.again:
        wait_until(lambda: {"fetcher", "worker 1"} <= set(site.mirror.processes))
    site.close()
    for tag, situation in ((COLD, "cold"), (FRESH, "warm, fresh"), (OLD, "warm, stale"), (FLIGHT, "in flight")):
        row.cells[situation] += f"; {_kept(site, tag, row)}"
    return row


def _warm(site: Site) -> None:
    for tag in (FRESH, OLD):
        assert site.get(f"manifests/{tag}").status == 200
        assert site.get(f"blobs/{site.images[tag].layers[0]}").status == 200
    assert site.get(f"manifests/{FLIGHT}").status == 200


def _begin(site: Site) -> Reader:
    site.hub.set(bandwidth=BANDWIDTH)
    layer = site.images[FLIGHT].layers[0]
    reader = Reader(site.mirror, f"/v2/{REPOSITORY}/blobs/{layer}?ns={site.alias}.test", layer)
    wait_until(lambda: len(reader.data) >= BEGUN or reader.ended, 60, "the transfer did not begin")
    return reader


def _manifest(site: Site, tag: str, row: Row, fault: Fault) -> str:
    """A tag by GET and by HEAD, which must agree."""
    began = time.monotonic()
    said = site.get(f"manifests/{tag}")
    seconds = time.monotonic() - began
    if said.status == 200 and digest_of(said.body) != site.images[tag].digest:
        row.wrong.append(f"{tag}: other content was served")
    if said.status == 200 and "age" not in said.headers:
        row.wrong.append(f"{tag}: no Age")
    _check_refusal(said, tag, row)
    head = site.get(f"manifests/{tag}", "HEAD")
    if tag == FRESH and (head.status, head.headers.get("docker-content-digest")) != (
        said.status,
        said.headers.get("docker-content-digest"),
    ):
        row.wrong.append(f"{tag}: HEAD says {head.status}")
    return _told(said) + _time(seconds if tag == FRESH else max(seconds, fault.least))


def _cold(site: Site, row: Row, fault: Fault) -> str:
    told = _manifest(site, COLD, row, fault)
    if not told.startswith("200"):
        return told
    layer = site.images[COLD].layers[0]
    began = time.monotonic()
    said = site.get(f"blobs/{layer}")
    if said.status == 200 and digest_of(said.body) != layer:
        row.wrong.append("cold: a layer with other content was served")
    _check_refusal(said, "the layer", row)
    slowly = _time(time.monotonic() - began)
    if said.status == 200:
        return told + (f", its layer{slowly.removeprefix(',')}" if slowly else "")
    return f"{told}, its layer {_told(said)}{slowly}"


def _flown(reader: Reader, row: Row, armed: float) -> str:
    reader.join(PATIENCE)
    if reader.digest_is_wrong:
        row.wrong.append("in flight: other content ended cleanly")
    return ("the layer comes whole" if reader.whole else "the connection is cut") + _time(reader.ended_at - armed)


def _kept(site: Site, tag: str, row: Row) -> str:
    """What can still be had of an image when nobody out there answers."""
    one = site.images[tag]
    manifest, blob = site.get(f"manifests/{one.digest}"), site.get(f"blobs/{one.layers[0]}")
    for said, digest in ((manifest, one.digest), (blob, one.layers[0])):
        if said.status == 200 and digest_of(said.body) != digest:
            row.wrong.append(f"{tag}: other content was kept")
    if (manifest.status, blob.status) == (200, 200):
        return "kept"
    return "the manifest is kept" if manifest.status == 200 else "nothing kept"


def _check_refusal(said: Said, what: str, row: Row) -> None:
    if said.status in (429, 503) and not said.headers.get("retry-after", "").isdigit():
        row.wrong.append(f"{what}: {said.status} without Retry-After")
    if said.status == NO_ANSWER:
        row.wrong.append(f"{what}: no answer within {HEADERS_WITHIN:g} s")
    if said.status >= 400 and said.status not in (404, 429, 503):
        row.wrong.append(f"{what}: {said.status} {said.body[:200]!r}")


def _told(said: Said) -> str:
    parts = ["cut" if said.status == CUT else "no answer" if said.status == NO_ANSWER else str(said.status)]
    parts += ["Warning"] if "warning" in said.headers else []
    parts += ["Retry-After"] if "retry-after" in said.headers else []
    return " ".join([parts[0], *(f"+ {part}" for part in parts[1:])])


def _time(seconds: float) -> str:
    return "" if seconds < AT_ONCE else ", in seconds" if seconds < SOON else ", after a wait"


class Reader:
    """A client that reads a layer in a thread of its own."""

    def __init__(self, mirror: Mirror, path: str, digest: str) -> None:
        self.data = bytearray()
        self.ended = False
        self.whole = False
        self.ended_at = 0.0
        self._digest = digest
        self._thread = threading.Thread(target=self._read, args=(mirror.address, path), daemon=True)
        self._thread.start()

    @property
    def digest_is_wrong(self) -> bool:
        """Whether everything came, and was something else."""
        return self.whole and "sha256:" + hashlib.sha256(self.data).hexdigest() != self._digest

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        assert self.ended, f"a reader was neither served nor cut for {seconds:g} s"

    def _read(self, address: str, path: str) -> None:
        connection = http.client.HTTPConnection(address, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            while piece := response.read1(65536):
                self.data += piece
            self.whole = response.status == 200 and not response.length
        except (OSError, http.client.HTTPException):
            self.whole = False
        finally:
            connection.close()
            self.ended_at = time.monotonic()
            self.ended = True
