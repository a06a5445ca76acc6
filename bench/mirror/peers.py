"""The peers, as their users start them: unhub, distribution (Debian's docker-registry), drayage, nginx. One that is missing is named."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tests.mirror
from tests.hub import endpoints
from tests.mirror import Mirror, running_mirror

from unhub.demo.handles import Hub

ROOT = Path(__file__).parents[2]
DRAYAGE_VERSION = "0.2.9"
DRAYAGE = ROOT / ".bench" / "venv" / "bin" / "drayage"
START_SECONDS = 15.0

tests.mirror.START_SECONDS = 90.0  # several storms start at once


class PeerMissing(Exception):
    """A peer that is not here; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that runs. ``processes`` gives the ids of all its processes; ``ca`` is for TLS."""

    name: str
    url: str
    processes: Callable[[], list[int]]
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files for ``localhost`` and 127.0.0.1."""

    ca: Path
    chain: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    import trustme

    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1")
    paths = Certificate(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(str(paths.ca))
    made.private_key_pem.write_to_path(str(paths.key))
    for number, pem in enumerate(made.cert_chain_pems):
        pem.write_to_path(str(paths.chain), append=number > 0)
    return paths


def program(name: str) -> str:
    """The path of a program. Raises :class:`PeerMissing`."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if path is None:
        raise PeerMissing(f"{name} is not installed (scripts/install-test-tools brings it)")
    return path


def drayage() -> str:
    """drayage's program, put into ``.bench/venv`` where it is not there yet. Raises :class:`PeerMissing`."""
    if not DRAYAGE.exists():
        home = ROOT / ".bench" / "venv"
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
        wanted = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"drayage=={DRAYAGE_VERSION}"]
        done = subprocess.run([str(home / "bin" / "python"), *wanted], capture_output=True, text=True, check=False, timeout=120)
        if done.returncode or not DRAYAGE.exists():
            raise PeerMissing(f"drayage {DRAYAGE_VERSION} cannot be installed")
    return str(DRAYAGE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _started(command: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **(env or {})})
    try:
        _wait_for(process, port, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > until:
            raise PeerMissing(f"{process.args!r} does not start: {log.read_text('utf-8', 'replace')[-500:]}")
        time.sleep(0.02)


@contextlib.contextmanager
def distribution(folder: Path, remote: str | None = None, certificate: Certificate | None = None) -> Iterator[Peer]:
    """Debian's docker-registry; with ``remote`` its proxy of that registry."""
    path = program("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
    }
    http: dict[str, object] = {"addr": f"127.0.0.1:{port}", "secret": "of the measurement"}
    if certificate is not None:
        http["tls"] = {"certificate": str(certificate.chain), "key": str(certificate.key)}
    if remote is not None:
        settings["proxy"] = {"remoteurl": remote}
    (folder / "settings.yml").write_text(json.dumps({**settings, "http": http}), "utf-8")  # JSON is YAML
    with _started([path, "serve", str(folder / "settings.yml")], port, folder / "log") as process:
        scheme = "http" if certificate is None else "https"
        name = "distribution" if remote is None else "distribution's proxy"
        yield Peer(name, f"{scheme}://127.0.0.1:{port}", lambda: [process.pid], certificate.ca if certificate else None)


_NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log {log}; sendfile on; tcp_nopush on; default_type application/octet-stream; keepalive_requests 1000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}{tls}; {body} }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, body: str, certificate: Certificate | None = None, *, log: bool = True) -> Iterator[Peer]:
    """nginx with one worker; ``body`` is what stands in its server block."""
    path = program("nginx")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    tls = "" if certificate is None else f" ssl; ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key}"
    text = _NGINX.format(folder=folder, port=port, tls=tls, body=body, log=folder / "access.log" if log else "off")
    (folder / "nginx.conf").write_text(text, "utf-8")
    with _started([path, "-c", str(folder / "nginx.conf")], port, folder / "log") as process:
        yield Peer(
            "nginx",
            f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}",
            lambda: [process.pid],
            certificate and certificate.ca,
        )


@contextlib.contextmanager
def hub_front(folder: Path, hub: Hub) -> Iterator[str]:
    """nginx before a stand-in, so that registry and token service are one host: drayage takes no token from another."""
    token = hub.token_url.removesuffix("/token")
    places = f"location = /token {{ proxy_pass {token}; }} location / {{ proxy_pass {hub.url}; proxy_set_header Host $host; }}"
    with nginx(folder, places, log=False) as front:
        hub.set(realm=f"{front.url}/token")
        yield front.url


@contextlib.contextmanager
def drayage_mirror(folder: Path, hub: Hub, *, log_requests: bool = False) -> Iterator[Peer]:
    """drayage as a mirror of a stand-in. It logs requests only at its debug level, which ``log_requests`` sets."""
    path = drayage()
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with hub_front(folder / "front", hub) as front:
        settings = f'listen = "127.0.0.1:{port}"\ncache_dir = "{cache}"\n[upstreams.docker_io]\nregistry = "{front}"\n'
        (folder / "config.toml").write_text(settings, "utf-8")
        level = {"RUST_LOG": "drayage=debug" if log_requests else "drayage=info"}
        with _started([path, "serve", "-c", str(folder / "config.toml")], port, folder / "log", level) as process:
            yield Peer("drayage", f"http://127.0.0.1:{port}", lambda: [process.pid])


@dataclass
class UnhubOptions:
    """What differs from the default configuration; ``settings`` is the text of a settings file."""

    settings: str = ""
    arguments: tuple[str | Path, ...] = ()
    env: dict[str, str] = field(default_factory=dict[str, str])


@contextlib.contextmanager
def unhub_mirror(folder: Path, *hubs: Hub, options: UnhubOptions | None = None) -> Generator[tuple[Peer, Mirror]]:
    """``unhub serve`` in its default configuration, whose registries are the stand-ins."""
    options = options or UnhubOptions()
    folder.mkdir(parents=True, exist_ok=True)
    arguments: tuple[str | Path, ...] = options.arguments
    if options.settings:
        path = folder / "unhub.toml"
        path.write_text(options.settings, "utf-8")
        arguments = (*arguments, "--config", path)
    found = " ".join(f"{name}={url}" for name, url in endpoints(*hubs).items())
    env = {"UNHUB_ENDPOINT": found} if hubs else {}
    with running_mirror(folder, None, arguments=arguments, env={**env, **options.env}) as mirror:
        yield Peer("unhub", mirror.url, lambda: list(mirror.processes.values())), mirror
