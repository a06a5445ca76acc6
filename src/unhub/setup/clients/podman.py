"""podman, buildah, skopeo and CRI-O: a drop-in of ``registries.conf``.

They send no ``?ns=``: the mirror's ``location`` is put in the place of the registry's name. Docker Hub is asked as
``MIRROR/docker.io/…``, which no alias of the mirror can hide.
"""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file
from unhub.setup.clients.mirror import Mirror

PATH = "/etc/containers/registries.conf.d/050-unhub-mirror.conf"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """The drop-in, and the certificate where all of them look for one."""
    return ClientSettings(
        files=(ClientFile(PATH, registries_conf(mirror)), *ca_file(f"/etc/containers/certs.d/{mirror.address}/ca.crt", mirror)),
        restart="nothing: it is read at each pull; systemctl reload crio for CRI-O",
        check=(
            "podman pull docker.io/library/hello-world   appears in the log of `unhub serve`",
            "skopeo inspect docker://docker.io/library/hello-world   the same",
        ),
        notes=(
            'a short name (FROM node) is looked up before any mirror: `unqualified-search-registries = ["docker.io"]` in registries.conf '
            "makes it Docker Hub's",
        ),
    )


def registries_conf(mirror: Mirror) -> str:
    """A table for each registry, and one for the mirror's own name where it speaks http."""
    insecure = "insecure = true\n" if mirror.plain else ""
    parts = [
        f'[[registry]]\nprefix = "{registry}"\nlocation = "{registry}"\n\n'
        f'[[registry.mirror]]\nlocation = "{mirror.address}/{registry}"\n{insecure}'
        for registry in mirror.registries
    ]
    if mirror.plain:
        parts.append(f'[[registry]]\nprefix = "{mirror.address}"\nlocation = "{mirror.address}"\n{insecure}')
    return "\n".join(parts)


CLIENT = Client(
    name="podman",
    title="podman, buildah, skopeo and CRI-O",
    settings=settings,
    tried=Tried(
        "pull, build (FROM), inspect, copy and sync, http and TLS; CRI-O is not here",
        "podman 4.3.1, buildah 1.28.2, skopeo 1.9.3",
        "tests/clients/test_mirror_podman.py",
    ),
    gone=Gone(
        falls_back=True,
        says="asks the registry itself, for anything that the mirror does not answer with the image",
        limited="waits as Retry-After says (a minute at most) and asks again, up to five times, then the registry itself",
        tried=True,
        source="tests/clients/test_mirror_podman.py",
        prevent='write the mirror as the `location` of prefix "docker.io", without a [[registry.mirror]]',
    ),
    facts=(
        Fact("mirrors are tried in order, then `location` itself", "containers-registries.conf(5)", _READ),
        Fact("certificates lie in /etc/containers/certs.d/HOST[:PORT]/*.crt", "containers-certs.d(5)", _READ),
        Fact("a 429 is waited out: Retry-After, at most 60 s, five times", "containers/image v5.23.1 docker/docker_client.go", _READ),
        Fact("short names are resolved before mirrors are looked at", "containers-registries.conf(5)", _READ),
    ),
)
