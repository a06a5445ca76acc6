"""dockerd: ``registry-mirrors`` in ``daemon.json``.

A registry mirror of dockerd is for Docker Hub alone and is the bare root of its server: image ``node`` is asked as
``/v2/library/node/…`` without ``?ns=`` by the pull code of dockerd, and with ``?ns=docker.io`` by the BuildKit in it.
"""

from __future__ import annotations

import datetime
import json
from typing import Any, cast

from unhub.image.errors import RefusedError
from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file, direct_names
from unhub.setup.clients.mirror import Mirror

RELOADS = 25
"""The first version of dockerd whose BuildKit reads mirrors at each pull; older ones read them at the start."""

PATH = "/etc/docker/daemon.json"
_DOCS = "docs.docker.com/reference/cli/dockerd"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """``daemon.json`` for a mirror, and the certificate where dockerd and its BuildKit look for one."""
    return ClientSettings(
        files=(
            ClientFile(PATH, daemon_json(mirror), merge=lambda text: daemon_json(mirror, text)),
            *ca_file(f"/etc/docker/certs.d/{mirror.address}/ca.crt", mirror),
        ),
        restart=(
            f"systemctl reload docker; before docker {RELOADS}: systemctl restart docker, without which builds go on asking Docker Hub "
            "(it stops containers unless live-restore is set)"
        ),
        check=(
            "docker info --format '{{.RegistryConfig.Mirrors}}'   names the mirror",
            "docker pull hello-world   appears in the log of `unhub serve` as library/hello-world",
        ),
        notes=tuple(_notes(mirror)),
    )


def daemon_json(mirror: Mirror, before: str = "{}") -> str:
    """``daemon.json`` with the mirror first; everything else of ``before`` stays. Raises :class:`RefusedError`."""
    try:
        kept = cast(object, json.loads(before or "{}"))
    except ValueError as error:
        raise RefusedError(f"cannot change {PATH}: it is no JSON: {error}") from None
    if not isinstance(kept, dict):
        raise RefusedError(f"cannot change {PATH}: it is no JSON object")
    table = cast("dict[str, Any]", kept)
    table["registry-mirrors"] = _first(mirror.url, table.get("registry-mirrors"))
    if mirror.plain and not mirror.local:
        table["insecure-registries"] = _first(mirror.address, table.get("insecure-registries"))
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _first(value: str, before: object) -> list[object]:
    others = cast("list[object]", before) if isinstance(before, list) else []
    return [value, *(other for other in others if str(other).rstrip("/") != value)]


def _notes(mirror: Mirror) -> list[str]:
    notes = ["Docker Desktop: put the JSON into Settings > Docker Engine"]
    if mirror.local and not mirror.plain:
        notes.append("builds: the BuildKit in dockerd speaks http to loopback addresses, whatever the URL says; use a name, or http there")
    if mirror.plain and not mirror.local:
        notes.append(f"{mirror.address} is an insecure registry now: http is used, and certificates of it are not checked")
    if mirror.others:
        notes.append(f"registry-mirrors are for Docker Hub alone; {direct_names(mirror)}")
        notes.append(
            "docker 28 and newer read hosts.toml below /etc/docker/certs.d for builds, and with the containerd image store for pulls: "
            "`unhub client-config containerd` writes such files (untried with dockerd)"
        )
    return notes


CLIENT = Client(
    name="docker",
    title="dockerd and the BuildKit in it",
    settings=settings,
    tried=Tried(
        "docker pull, docker build with and without BuildKit, reload and restart, http and TLS",
        "docker 20.10.24",
        "tests/clients/test_mirror_docker.py",
    ),
    gone=Gone(
        falls_back=True,
        says="asks Docker Hub itself, without a word to the user; so do builds",
        limited="asks Docker Hub itself at once",
        tried=True,
        source="tests/clients/test_mirror_docker.py",
        prevent="name the mirror in references (FROM MIRROR/docker/library/node:20), or close the way to Docker Hub in the network",
    ),
    facts=(
        Fact(
            "a mirror is for Docker Hub only and has no path",
            "docs.docker.com/docker-hub/image-library/mirror",
            _READ,
        ),
        Fact(
            "registry-mirrors and insecure-registries are read anew at SIGHUP",
            f"{_DOCS}, configuration reload",
            _READ,
        ),
        Fact(
            f"the BuildKit in dockerd gets its mirrors at the start, since {RELOADS}.0 at each pull",
            "moby v24.0.9 and v25.0.0, cmd/dockerd/daemon.go",
            _READ,
        ),
        Fact("127.0.0.0/8 may speak http without any setting", f"{_DOCS}, insecure registries", _READ),
        Fact("hosts.toml in /etc/docker/certs.d is read, too", "moby v28.3.0 daemon/hosts.go; docker/docs#24213", _READ),
        Fact(
            "BuildKit speaks http to loopback addresses unless told otherwise",
            "buildkit v0.26.1 util/resolver/resolver.go",
            _READ,
        ),
    ),
)
