"""Stand-ins for Docker Hub, ECR Public and its AWS endpoint, as tests want them: quick, and with names for what is needed.

::

    with docker_hub(limit=2) as hub, ecr_public() as ecr, aws_endpoint() as aws:
        done = unhub("verify", "node:20-alpine", cwd=tmp_path, env=environment(hub, ecr, aws))
        assert hub.counts.total == 0

What they can is told in ``unhub.demo.running``; images are made with ``unhub.demo.images``.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.tools import tool
from unhub.demo import catalogue
from unhub.demo.catalogue import Difference
from unhub.demo.ecr_public_api import ApiSettings
from unhub.demo.images import File, Image, image, index, layer
from unhub.demo.running import Api, Hub, running, running_api
from unhub.demo.settings import HubSettings
from unhub.image.manifest import Platform

REGISTRIES = {"docker-hub": "docker.io", "ecr-public": "public.ecr.aws"}
"""What each persona is called in references."""


@contextmanager
def docker_hub(**settings: Any) -> Generator[Hub]:
    """Docker Hub with the catalogue, or with ``images``; any field of :class:`HubSettings` may be given."""
    with running(HubSettings(persona="docker-hub", **settings)) as hub:
        yield hub


@contextmanager
def ecr_public(differences: Mapping[str, Difference] | None = None, **settings: Any) -> Generator[Hub]:
    """ECR Public with its copy of the catalogue, different where ``differences`` say so.

    It does not limit the rate, so that no test waits; ``rate=1, account_rate=10`` are the real ones.
    """
    chosen: dict[str, Any] = {"rate": None, "account_rate": None, **settings}
    if differences:
        busybox = chosen.get("busybox")
        chosen.setdefault("images", catalogue.ecr_public(busybox, differences))
        chosen.setdefault("missing_blobs", catalogue.without_layers(differences, busybox))
    with running(HubSettings(persona="ecr-public", **chosen)) as hub:
        yield hub


@contextmanager
def aws_endpoint(**settings: Any) -> Generator[Api]:
    """The AWS endpoint; the passwords it gives out open every :func:`ecr_public` of this process."""
    with running_api(ApiSettings(**settings)) as api:
        yield api


def endpoints(*hubs: Hub) -> dict[str, str]:
    """Base URLs by the registry's name in references, as ``ClientSettings.endpoints`` wants them."""
    return {REGISTRIES[hub.persona]: hub.url for hub in hubs}


def environment(*stands: Hub | Api) -> dict[str, str]:
    """The environment in which unhub, the aws CLI and boto3 find the stand-ins, with AWS credentials that open nothing else."""
    hubs = [stand for stand in stands if isinstance(stand, Hub)]
    found = {"UNHUB_ENDPOINT": " ".join(f"{name}={url}" for name, url in endpoints(*hubs).items())} if hubs else {}
    for stand in stands:
        if isinstance(stand, Api):
            found |= aws_environment(stand)
    return found


def aws_environment(api: Api) -> dict[str, str]:
    """The environment for the aws CLI and boto3 alone; no file of the user and no metadata service is asked."""
    return {
        "AWS_ENDPOINT_URL_ECR_PUBLIC": api.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def busybox() -> bytes:
    """A static busybox, for images that real docker runs; the test is skipped where there is none."""
    return Path(tool("busybox")).read_bytes()


def small_image(text: str = "hello", *, platform: str = "linux/amd64", style: Any = "oci") -> Image:
    """An image of one platform and one file; another ``text`` makes another digest."""
    system, architecture, *variant = platform.split("/")
    wanted = Platform(system, architecture, *variant)
    return image([layer({"etc/text": File(text.encode())})], platform=wanted, style=style)


def small_index(text: str = "hello", *, platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64/v8"), **options: Any) -> Image:
    """An index of small images; ``options`` are those of :func:`unhub.demo.images.index`."""
    style = options.get("style", "oci")
    return index([small_image(text, platform=platform, style=style) for platform in platforms], **options)


@dataclass(frozen=True)
class Said:
    """An answer as it came, redirects not followed; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The first error's code."""
        return str(self.json["errors"][0]["code"])

    @property
    def message(self) -> str:
        """The first error's message."""
        return str(self.json["errors"][0]["message"])


def ask(url: str, method: str = "GET", *, source: str | None = None, body: bytes | None = None, **headers: str) -> Said:
    """One request with a connection of its own; ``source`` is the address it comes from (any of 127.0.0.0/8).

    Header names are written with ``_``: ``Content_Type="application/json"``.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20, source_address=(source, 0) if source else None)
    with contextlib.closing(connection):
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Said(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def basic(name: str, password: str) -> str:
    """An ``Authorization`` with name and password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def bearer(hub: Hub, repository: str = "library/node", *, authorization: str | None = None) -> str:
    """An ``Authorization`` with a token for a repository, without a login unless ``authorization`` is one."""
    login = {"Authorization": authorization} if authorization else {}
    said = ask(f"{hub.token_url}?service=registry.docker.io&scope=repository:{repository}:pull", **login)
    return f"Bearer {said.json['token']}"


def manifest(hub: Hub, name: str, method: str = "GET", *, login: str | None = None, source: str | None = None, **headers: str) -> Said:
    """Ask for the manifest of ``repository:tag`` or ``repository@digest`` with a fresh token."""
    repository, _, reference = name.partition("@") if "@" in name else name.rpartition(":")
    token = bearer(hub, repository, authorization=login)
    return ask(f"{hub.url}/v2/{repository}/manifests/{reference}", method, source=source, Authorization=token, **headers)
