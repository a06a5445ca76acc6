"""BuildKit as a daemon or builder of its own: ``buildkitd.toml``.

The scheme and the certificate of a mirror are taken from the mirror's own ``[registry."HOST"]``, not from Docker Hub's;
and a loopback address is asked by http unless ``http = false`` stands there.
"""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file
from unhub.setup.clients.mirror import Mirror

PATH = "/etc/buildkit/buildkitd.toml"
CA_PATH = "/etc/buildkit/unhub-mirror-ca.pem"
_SOURCE = "buildkit v0.26.1 util/resolver/resolver.go"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """``buildkitd.toml`` for a mirror."""
    return ClientSettings(
        files=(ClientFile(PATH, buildkitd_toml(mirror, CA_PATH)), *ca_file(CA_PATH, mirror)),
        restart=f"systemctl restart buildkit; for docker buildx a new builder: docker buildx create --use --buildkitd-config {PATH}",
        check=("printf 'FROM hello-world\\n' | docker buildx build --no-cache -   appears in the log of `unhub serve`",),
        notes=tuple(_notes(mirror)),
    )


def buildkitd_toml(mirror: Mirror, ca_path: str) -> str:
    """The settings; ``ca_path`` is where the certificate lies for BuildKit, if there is one."""
    parts = [f'[registry."{registry}"]\n  mirrors = ["{mirror.address}"]\n' for registry in mirror.registries]
    ca = f'  ca = ["{ca_path}"]\n' if mirror.ca else ""
    parts.append(f'[registry."{mirror.address}"]\n  http = {"true" if mirror.plain else "false"}\n{ca}')
    return "\n".join(parts)


def _notes(mirror: Mirror) -> list[str]:
    notes = ["`docker build` without such a builder uses the BuildKit in dockerd: `unhub client-config docker`"]
    if mirror.local:
        notes.append("a builder in a container has its own loopback: add --driver-opt network=host, or give an address that it reaches")
    return notes


CLIENT = Client(
    name="buildkit",
    title="BuildKit: buildkitd, and builders of docker buildx",
    settings=settings,
    tried=Tried(
        "buildkitd with docker buildx (remote driver), http and TLS; a builder in a container is not tried, its image is not here",
        "buildkit 0.26.1, buildx 0.30.1",
        "tests/clients/test_mirror_buildkit.py",
    ),
    gone=Gone(
        falls_back=True,
        says="asks the registry itself",
        limited="asks the mirror five times more, at once, then the registry itself",
        tried=True,
        source="tests/clients/test_mirror_buildkit.py",
        prevent="name the mirror in references, or close the way to registry-1.docker.io in the network",
    ),
    facts=(
        Fact(
            "http, ca and insecure of a mirror stand in its own table",
            _SOURCE,
            _READ,
        ),
        Fact(
            "loopback addresses are asked by http where `http` is not set",
            _SOURCE,
            _READ,
        ),
        Fact("buildx copies certificates that the file names into the builder", "docs.docker.com/build/buildkit/configure", _READ),
    ),
)
