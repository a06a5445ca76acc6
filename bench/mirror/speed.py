"""Warm speed beside the peers: manifests by tag with wrk, a large blob with curl, both in alternating rounds."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub import docker_hub, ecr_public

from bench.mirror import peers
from bench.mirror.client import ACCEPT
from bench.mirror.coalescing import MB, curl, layer_of
from bench.mirror.content import entries, one_image
from bench.mirror.samples import Samples
from bench.mirror.upload import push_image
from unhub.demo.handles import Hub
from unhub.demo.images import Image

CONNECTIONS = 16
TAG_PATH = "/v2/library/app/manifests/1.0"
QUIET = "[serve]\nrequest-log = false\n"

_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)")


@dataclass(slots=True)
class Speeds:
    """A figure of every round by server, and why servers are missing."""

    figures: dict[str, Samples] = field(default_factory=dict[str, Samples])
    missing: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, name: str, value: float) -> None:
        self.figures.setdefault(name, Samples()).values.append(value)


def wrk(url: str, seconds: int) -> float:
    """Requests a second over 16 connections. Raises :class:`RuntimeError` where answers were errors."""
    command = [peers.program("wrk"), "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-H", f"Accept: {ACCEPT}", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if bad := _BAD.search(said):
        raise RuntimeError(f"{bad[1]} answers of {url} were errors")
    rate = _RATE.search(said)
    if rate is None:
        raise RuntimeError(f"wrk says nothing of {url}: {said}")
    return float(rate[1])


def manifests(runs: int, seconds: int) -> Speeds:
    """Requests a second for the manifest of a tag, by server."""
    speeds = Speeds()
    made = one_image(64 * 1024, "speed")
    with tempfile.TemporaryDirectory(prefix="unhub-speed-") as folder, contextlib.ExitStack() as stack:
        top = Path(folder)
        hub = stack.enter_context(docker_hub(limit=None, images=entries([("app", "1.0", made)])))
        fallback = stack.enter_context(ecr_public(images=entries([("app", "1.0", made)], "docker/")))
        urls: dict[str, str] = {}
        for name, opened in _manifest_servers(top, hub, fallback, made):
            try:
                urls[name] = stack.enter_context(opened)
            except peers.PeerMissing as missing:
                speeds.missing[name] = str(missing)
        for url in urls.values():
            curl([url])
            wrk(url, 1)
        for _ in range(runs):
            for name, url in urls.items():
                speeds.add(name, wrk(url, seconds))
    return speeds


def _manifest_servers(top: Path, hub: Hub, fallback: Hub, made: Image) -> Iterator[tuple[str, contextlib.AbstractContextManager[str]]]:
    yield "nginx, a file", _nginx_file(top / "nginx", made)
    yield "unhub", _unhub(top / "unhub", hub, fallback, "")
    yield "unhub, no request log", _unhub(top / "quiet", hub, fallback, QUIET)
    yield "drayage, a line a request", _drayage(top / "drayage-log", made, log=True)
    yield "drayage, no request log", _drayage(top / "drayage", made, log=False)
    yield "distribution", _distribution(top / "registry", made)
    yield "distribution's proxy", _distribution_proxy(top / "proxy", made)


@contextlib.contextmanager
def _unhub(folder: Path, hub: Hub, fallback: Hub, settings: str) -> Iterator[str]:
    with peers.unhub_mirror(folder, hub, fallback, options=peers.UnhubOptions(settings=settings)) as (peer, _):
        yield peer.url + TAG_PATH


@contextlib.contextmanager
def _drayage(folder: Path, made: Image, *, log: bool) -> Iterator[str]:
    """With a stand-in of its own, whose token service it takes for its own."""
    images = entries([("app", "1.0", made)])
    with docker_hub(limit=None, images=images) as hub, peers.drayage_mirror(folder, hub, log_requests=log) as peer:
        yield peer.url + TAG_PATH


@contextlib.contextmanager
def _nginx_file(folder: Path, made: Image) -> Iterator[str]:
    folder.mkdir(parents=True)
    (folder / "manifest").write_bytes(made.root.data)
    body = f"location = {TAG_PATH} {{ default_type {made.root.media_type}; alias {folder}/manifest; }}"
    with peers.nginx(folder, body) as peer:
        yield peer.url + TAG_PATH


@contextlib.contextmanager
def _distribution(folder: Path, made: Image) -> Iterator[str]:
    with peers.distribution(folder) as peer:
        push_image(peer.url, "library/app", "1.0", made)
        yield peer.url + TAG_PATH


@contextlib.contextmanager
def _distribution_proxy(folder: Path, made: Image) -> Iterator[str]:
    """Its upstream is another distribution, so that ours cannot slow it down."""
    with peers.distribution(folder / "upstream") as upstream, peers.distribution(folder / "proxy", upstream.url) as peer:
        push_image(upstream.url, "library/app", "1.0", made)
        yield peer.url + TAG_PATH


def blobs(runs: int, size: int = 256 * MB) -> Speeds:
    """MB a second of one warm blob over one connection, plain and with TLS, by server."""
    speeds = Speeds()
    made = one_image(size, "large")
    digest = layer_of(made)
    path = f"/v2/library/app/blobs/{digest}"
    with tempfile.TemporaryDirectory(prefix="unhub-speed-") as folder, contextlib.ExitStack() as stack:
        top = Path(folder)
        certificate = peers.make_certificate(top / "certificate")
        hub = stack.enter_context(docker_hub(limit=None, images=entries([("app", "1.0", made)])))
        fallback = stack.enter_context(ecr_public(images=[]))
        servers: dict[str, peers.Peer] = {}
        for name, opened in _blob_servers(top, hub, fallback, made=made, path=path, certificate=certificate):
            try:
                servers[name] = stack.enter_context(opened)
            except peers.PeerMissing as missing:
                speeds.missing[name] = str(missing)
        for peer in servers.values():
            _fetch(peer, path, made)
        for _ in range(runs):
            for name, peer in servers.items():
                found = curl([peer.url + path], ca=peer.ca)[0]
                if found.status != 200 or found.size != size:
                    raise RuntimeError(f"{name}: {found.status} and {found.size} bytes of {size}")
                speeds.add(name, size / found.total / 1e6)
    return speeds


def _fetch(peer: peers.Peer, path: str, made: Image) -> None:
    """Warm it up: the manifests first, since what belongs to none is no blob of the repository."""
    for reference in ("1.0", made.children[0].digest):
        curl([f"{peer.url}/v2/library/app/manifests/{reference}"], ca=peer.ca)
    curl([peer.url + path], ca=peer.ca)


def _blob_servers(
    top: Path, hub: Hub, fallback: Hub, *, made: Image, path: str, certificate: peers.Certificate
) -> Iterator[tuple[str, contextlib.AbstractContextManager[peers.Peer]]]:
    tls = peers.UnhubOptions(arguments=("--tls-certificate", certificate.chain, "--tls-key", certificate.key))
    yield "nginx", _nginx_blob(top / "nginx", made, path, None)
    yield "unhub", _unhub_peer(top / "unhub", hub, fallback, peers.UnhubOptions())
    yield "distribution", _distribution_peer(top / "registry", made, None)
    yield "drayage", peers.drayage_mirror(top / "drayage", hub)
    yield "nginx, TLS", _nginx_blob(top / "nginx-tls", made, path, certificate)
    yield "unhub, TLS", _unhub_peer(top / "unhub-tls", hub, fallback, tls, certificate)
    yield "distribution, TLS", _distribution_peer(top / "registry-tls", made, certificate)


@contextlib.contextmanager
def _unhub_peer(
    folder: Path, hub: Hub, fallback: Hub, options: peers.UnhubOptions, certificate: peers.Certificate | None = None
) -> Iterator[peers.Peer]:
    with peers.unhub_mirror(folder, hub, fallback, options=options) as (peer, _):
        yield peers.Peer(peer.name, peer.url, peer.processes, certificate.ca if certificate else None)


@contextlib.contextmanager
def _distribution_peer(folder: Path, made: Image, certificate: peers.Certificate | None) -> Iterator[peers.Peer]:
    with peers.distribution(folder, certificate=certificate) as peer:
        push_image(peer.url, "library/app", "1.0", made, ca=peer.ca)
        yield peer


@contextlib.contextmanager
def _nginx_blob(folder: Path, made: Image, path: str, certificate: peers.Certificate | None) -> Iterator[peers.Peer]:
    folder.mkdir(parents=True)
    (folder / "blob").write_bytes(made.blobs[layer_of(made)])
    with peers.nginx(folder, f"location = {path} {{ alias {folder}/blob; }}", certificate) as peer:
        yield peer
