"""A site with a mirror: two upstreams, the mirror, a machine whose clients are set up by ``unhub client-config``, and
the Docker Hub that clients would ask if they went past the mirror.

That Docker Hub answers to ``registry-1.docker.io`` on the machine, over TLS, and what it carries under the same names is
something else: so a test sees who answered.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests.clients.machine import Machine, machine
from tests.clients.registries import free_port
from tests.command_line import process
from tests.hub import Said, ask, busybox, docker_hub, ecr_public, small_image
from tests.mirror import Mirror, running_mirror, wait_until
from tests.tools import tool
from unhub.demo.catalogue import Entry
from unhub.demo.handles import Hub
from unhub.demo.images import File, Image, image, layer

NODE = "library/node:21.7.0-alpine3.19"
NAME = "mirror.test"
"""The mirror's name on the machine, for TLS and where a loopback address would be a special case."""

PUSH_PASSWORD = "open sesame"
"""What pushes need where the mirror speaks TLS."""

HOLD = 3.0
"""Seconds for which the mirror lets a client wait for what it does not have."""

FRONTEND = "docker/dockerfile:1"
"""What ``# syntax=docker/dockerfile:1`` names."""

_SETTINGS = """\
[upstream.docker]
url = "{hub}"
hold = {hold}
stale-while-revalidate = 0
fresh = [{{ tags = "*", seconds = 0 }}]

[[upstream.docker.fallback]]
url = "{ecr}/docker"

[upstream.quay]
url = "{quay}"
hosts = ["quay.io"]
"""


@dataclass
class Site:
    """``real`` is the Docker Hub behind the mirror's back. ``ca`` is the PEM file of the mirror's authority, if it speaks TLS."""

    hub: Hub
    ecr: Hub
    quay: Hub
    real: Hub
    machine: Machine
    server: str
    ca: Path | None
    folder: Path
    _start: Callable[[], AbstractContextManager[Mirror]]
    mirror: Mirror = field(init=False)

    def __post_init__(self) -> None:
        self._running = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        """Start the mirror, at the address and with the data that it had."""
        self.mirror = self._running.enter_context(self._start())

    def stop(self) -> None:
        """End the mirror: connections to it are refused."""
        self._running.close()

    @contextlib.contextmanager
    def impatient(self) -> Iterator[None]:
        """The mirror makes nobody wait for a while, so that its 429 comes at once."""
        settings = self.folder / "unhub.toml"
        before = settings.read_text("utf-8")
        for text in (before.replace(f"hold = {HOLD}", "hold = 0.2"), before):
            settings.write_text(text, "utf-8")
            self.stop()
            self.start()
            if text != before:
                yield

    @contextlib.contextmanager
    def mirror_gone(self) -> Iterator[None]:
        """The mirror is not there for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def upstreams_gone(self) -> Iterator[None]:
        """Neither Docker Hub nor its fallback answers the mirror for a while."""
        with self.hub.refusing(), self.ecr.refusing():
            yield
        # The mirror leaves an upstream alone for some seconds that failed several times.
        names = itertools.count()
        wait_until(lambda: self._get(f"/v2/library/none-{next(names)}/manifests/1").status == 404, 15, "the mirror still asks nobody")

    @property
    def address(self) -> str:
        """The mirror in references."""
        return self.server.partition("://")[2]

    def configure(self, client: str) -> None:
        """Write a client's settings as its user would, into the machine's own ``/etc``."""
        trust = ("--ca", str(self.ca)) if self.ca else ()
        command = [sys.executable, "-m", "unhub", "client-config", client, "--server", self.server, *trust, "--registry", "quay.io"]
        done = self.machine.run([*command, "--write", "/"])
        assert done.status == 0, done.text

    def begin(self) -> None:
        """Begin anew: nothing is exhausted, and what was asked of upstreams or of the mirror before does not count."""
        for hub in (self.hub, self.ecr, self.quay, self.real):
            hub.forget()
            hub.refill()
        self._before = len(self.mirror.log)

    def answered(self, name: str) -> list[tuple[str, str]]:
        """How the mirror answered for a repository (``docker/library/node``): door and ``miss``, ``hit``, ``stale`` or ``flight``."""
        return [(str(line["door"]), str(line["cache"])) for line in self._lines() if line.get("name") == name]

    def doors(self, name: str) -> set[str]:
        """The doors by which a repository was asked for."""
        return {door for door, _ in self.answered(name)}

    def _get(self, path: str) -> Said:
        """Ask the mirror; only where it speaks http."""
        return ask(self.server + path)

    def statuses(self, name: str) -> set[int]:
        """The HTTP statuses of what the mirror answered for a repository."""
        return {int(line["status"]) for line in self._lines() if line.get("name") == name}

    def _lines(self) -> list[dict[str, Any]]:
        time.sleep(0.2)  # lines are written every tenth of a second
        return self.mirror.log[self._before :]


@contextlib.contextmanager
def site(folder: Path, *, tls: bool = False) -> Iterator[Site]:
    """A site in ``folder``. With TLS the mirror is asked by name, else as 127.0.0.1."""
    past = (Entry("library/alpine", "3.19", small_image("past the mirror")), Entry("library/only", "there", small_image("only there")))
    other = (Entry("team/tool", "1", small_image("from quay")),)
    real_address, authority, port = _own_loopback(), trustme.CA(), free_port()
    certificate, key = _issue(authority, folder, "registry-1.docker.io", real_address, "127.0.0.1", "127.0.0.2")
    arguments, ca = _tls(folder) if tls else ((), None)
    server = f"https://{NAME}:{port}" if tls else f"http://127.0.0.1:{port}"
    names = {"registry-1.docker.io": real_address}
    with (
        docker_hub(busybox=busybox()) as hub,
        ecr_public(busybox=busybox()) as ecr,
        docker_hub(images=other) as quay,
        docker_hub(host=real_address, port=443, images=past, limit=None, certificate=certificate, key=key) as real,
        machine(hosts=(NAME,), addresses=names, authorities=authority.cert_pem.bytes(), own_etc=True) as own,
    ):
        settings = folder / "unhub.toml"
        settings.write_text(_SETTINGS.format(hold=HOLD, hub=hub.url, ecr=ecr.url, quay=quay.url), "utf-8")

        def start() -> AbstractContextManager[Mirror]:
            return running_mirror(folder, None, arguments=("--config", settings, *arguments), listen=f"127.0.0.1:{port}")

        made = Site(hub, ecr, quay, real, own, server, ca, folder, start)
        try:
            yield made
        finally:
            made.stop()
            own.stop_daemon()


_sites = itertools.count(1)


def _own_loopback() -> str:
    """A loopback address that no other site has, of this process or another, so that port 443 is free there."""
    number = os.getpid()
    return f"127.{1 + number // 256 % 250}.{number % 256}.{10 + next(_sites)}"


def _tls(folder: Path) -> tuple[tuple[str | Path, ...], Path]:
    made, tls = process("certificate", "--host", NAME, "--data", folder / "data", cwd=folder), folder / "data" / "tls"
    assert made.status == 0, made.err
    password = folder / "password"
    password.write_text(f"{PUSH_PASSWORD}\n", "utf-8")
    return ("--push-password-file", password, "--tls-certificate", tls / "server.crt", "--tls-key", tls / "server.key"), tls / "ca.crt"


def _issue(authority: trustme.CA, folder: Path, *names: str) -> tuple[Path, Path]:
    issued = authority.issue_cert(*names)
    certificate, key = folder / "hub.pem", folder / "hub.key"
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    return certificate, key


def dockerfile_frontend() -> Image:
    """The image ``docker/dockerfile:1``, made from BuildKit's own frontend; the test is skipped where it was not built."""
    program = Path(tool("dockerfile-frontend")).read_bytes()
    labels = {"moby.buildkit.frontend.network.none": "true"}
    config = {"Entrypoint": ["/bin/dockerfile-frontend"], "Labels": labels}
    return image([layer({"bin/dockerfile-frontend": File(program, mode=0o755)})], config=config)
