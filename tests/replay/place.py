"""The stage: a machine on which Docker Hub is a stand-in that refuses, and public.ecr.aws and AWS are a mirror of ours.

The names are the real ones, over TLS on port 443, each at a loopback address of its own; nothing outside the machine changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.clients.machine import DOCKER, Machine, machine
from tests.clients.registries import free_port
from tests.hub import busybox, docker_hub
from tests.mirror import Mirror, running_mirror
from tests.tools import tool
from unhub.demo.handles import Hub
from unhub.demo.settings import Account

SHOP = Path(__file__).parent / "shop"
REGISTRY = "public.ecr.aws"
IMAGE = f"{REGISTRY}/docker/library/alpine:3.19"

_OF_AWS = (
    *(f"api.ecr-public.{region}.amazonaws.com" for region in ("us-east-1", "us-west-2")),
    *(f"sts.{region}amazonaws.com" for region in ("", "us-east-1.", "us-west-2.")),
)
_CONTENT = "production.cloudflare.docker.com"
_OF_DOCKER = ("registry-1.docker.io", "auth.docker.io", _CONTENT)
_LOGIN = Account(name="gallery", password="of-the-gallery", limit=None)
"""The gallery's own account at Docker Hub: what it has not it gets there, while this machine's address is refused."""

_STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{folder}/containers"\nrunroot = "{folder}/run/containers"\n'
"""podman's images, in the machine's own folder."""

FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"


@dataclass
class Place:
    """The stage. ``gallery`` is the mirror, ``hub`` the Docker Hub that docker finds; programs run in ``folder``, a copy of the shop."""

    machine: Machine
    hub: Hub
    authority: Path
    own: Path
    addresses: Mapping[str, str]
    key: Mapping[str, str] = field(default_factory=dict[str, str])
    gallery: Mirror = field(init=False)

    def __post_init__(self) -> None:
        self._running = contextlib.ExitStack()

    @property
    def folder(self) -> Path:
        return self.machine.folder / "shop"

    @property
    def environment(self) -> dict[str, str]:
        """What a person has set: where docker's daemon is, whom AWS's tools trust, and the access key once there is one."""
        return {
            **{"DOCKER_HOST": self.machine.docker_host, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
            **{"AWS_CA_BUNDLE": str(self.authority), "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"},
            **{"CONTAINERS_STORAGE_CONF": str(self.machine.folder / "storage.conf"), "XDG_RUNTIME_DIR": str(self.machine.folder / "run")},
            **{"UNHUB_TOKEN": self.gallery.token, "NO_COLOR": "1", "COLUMNS": "100", "UNHUB_CONFIG": ""},
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
            **self.key,
        }

    def run(self, line: str, **environment: str) -> tuple[int, str]:
        """A line as a person types it, in the shop; its status, and both streams as they come."""
        ended = self.machine.shell(f"exec 2>&1\n{line}", folder=self.folder, timeout=180, **{**self.environment, **environment})
        return ended.status, ended.out

    def pulls(self) -> Counter[str]:
        """How many pulls the gallery answered so far, by account; those of nobody that it knows under ``""``."""
        today, month = datetime.now(UTC).date(), timedelta(days=31)  # the gallery's clock may be ahead
        status, said = self.run(f"unhub usage --since {today - month} --until {today + month} --format json --server https://{REGISTRY}")
        assert status == 0, said
        return Counter({row["account"]: row["pulls"] for row in json.loads(said)["rows"]})

    def start_gallery(self, *, later: int = 0) -> None:
        """Start the mirror, or start it again with its clock moved by so many seconds."""
        self._running.close()
        address, names = self.addresses[REGISTRY], ("--tls-certificate", self.own / "gallery.pem", "--tls-key", self.own / "gallery.key")
        settings, clock = self.own / "unhub.toml", moved_clock(later) if later else {}
        arguments = ("--mode", "ecr-public", "--config", settings, "--ca", self.authority, *names)
        self.gallery = self._running.enter_context(
            running_mirror(self.own, None, arguments=arguments, listen=f"{address}:443", prefix=self.machine.prefix, env=clock)
        )

    def stop_gallery(self) -> None:
        """End the mirror."""
        self._running.close()

    def forget_logins(self) -> None:
        """No login at any registry, no helper."""
        shutil.rmtree(self.machine.home / ".docker", ignore_errors=True)

    def helper(self, name: str) -> None:
        """Let a credential helper log in to public.ecr.aws, for docker and for whoever reads its settings."""
        self.forget_logins()
        folder = self.machine.home / ".docker"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"credHelpers": {REGISTRY: name}}), "utf-8")

    def forget_images(self) -> None:
        """Docker has no image and no build's cache any more."""
        self.run("docker images -q | xargs -r docker rmi -f; docker builder prune -af")


def moved_clock(seconds: int) -> dict[str, str]:
    """The environment in which a program's clock is ahead; clocks that only measure stay as they are."""
    tool("faketime")
    (library, *_) = Path("/").glob(FAKETIME.lstrip("/"))
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{seconds}", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Place]:
    """The stage, with everything it keeps in ``folder``."""
    for program in (DOCKER, "/usr/sbin/dockerd", "skopeo", "podman", "faketime", "docker-credential-ecr-login"):
        tool(program)
    authority = trustme.CA()
    hub_address, gallery_address = _loopback(1), _loopback(2)
    addresses = {**dict.fromkeys(_OF_DOCKER, hub_address), **dict.fromkeys((REGISTRY, *_OF_AWS), gallery_address)}
    _issue(authority, folder / "hub", *_OF_DOCKER)
    _issue(authority, folder / "gallery", REGISTRY, *_OF_AWS)
    pem = authority.cert_pem.bytes()
    token_port, content_port = free_port(hub_address), free_port(hub_address)
    stand_in = {
        **{"host": hub_address, "port": 443, "token_port": token_port, "realm": f"https://auth.docker.io:{token_port}/token"},
        **{"cdn_host": hub_address, "cdn_port": content_port, "cdn_base": f"https://{_CONTENT}:{content_port}"},
    }
    tls = {"certificate": folder / "hub.pem", "key": folder / "hub.key"}
    with (
        docker_hub(busybox=busybox(), limit=0, period="2020", accounts=(_LOGIN,), **stand_in, **tls) as hub,
        machine(addresses=addresses, trust={REGISTRY: pem}, authorities=pem) as own,
    ):
        shutil.copytree(SHOP, own.folder / "shop")
        _settings(folder)
        (own.folder / "run").mkdir()
        (own.folder / "storage.conf").write_text(_STORAGE.format(folder=own.folder), "utf-8")
        made = Place(own, hub, own.folder / "authorities.pem", folder, addresses)
        made.start_gallery()
        try:
            own.start_daemon()
            yield made
        finally:
            made.stop_gallery()
            own.stop_daemon()


def _settings(folder: Path) -> None:
    """There is no fallback: the one that the mirror has by itself, public.ecr.aws, is the mirror here."""
    password = folder / "docker-hub.password"
    password.touch(0o600)
    password.write_text(f"{_LOGIN.password}\n", "utf-8")
    lines = (
        '[account.123456789012]\naliases = ["acme"]\n[upstream.docker]\nurl = "https://registry-1.docker.io"\nfallback = []',
        f'username = "{_LOGIN.name}"\npassword-file = "{password}"\n',
    )
    (folder / "unhub.toml").write_text("\n".join(lines), "utf-8")


def _issue(authority: trustme.CA, place: Path, *names: str) -> None:
    issued = authority.issue_cert(*names)
    place.with_suffix(".pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(place.with_suffix(".key"))


def _loopback(number: int) -> str:
    """A loopback address of this process alone, so that port 443 is free there."""
    own = os.getpid()
    return f"127.{1 + own // 256 % 250}.{own % 256}.{100 + number}"
