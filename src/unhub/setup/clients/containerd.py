"""containerd: a ``hosts.toml`` for each registry below ``/etc/containerd/certs.d``.

containerd asks the mirror with ``?ns=REGISTRY``, so one mirror serves every registry under its own names.
"""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file
from unhub.setup.clients.mirror import DOCKER_HUB, Mirror

FOLDER = "/etc/containerd/certs.d"
_HUB_SERVER = "https://registry-1.docker.io"
_READ = datetime.date(2026, 11, 25)

CONFIG = f"""\
# containerd 2.x (version = 3)
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{FOLDER}"

# containerd 1.x (version = 2)
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{FOLDER}"
"""


def settings(mirror: Mirror) -> ClientSettings:
    """The files below ``certs.d``, and the line of ``config.toml`` that makes Kubernetes' images use them."""
    return ClientSettings(
        files=(*hosts_files(mirror), ClientFile("/etc/containerd/config.toml", CONFIG, part=True)),
        restart="nothing for hosts.toml, which is read at each pull; systemctl restart containerd once, after config_path was set",
        check=(
            f"ctr images pull --hosts-dir {FOLDER} docker.io/library/hello-world:latest   appears in the log of `unhub serve`",
            "crictl pull docker.io/library/hello-world:latest   the same by the way of Kubernetes (ctr does not use config_path)",
        ),
        notes=("nerdctl reads the same folder",),
    )


def hosts_files(mirror: Mirror, folder: str = FOLDER) -> tuple[ClientFile, ...]:
    """``hosts.toml`` for each registry and for the mirror's own name, with the certificate beside the latter."""
    files = [ClientFile(f"{folder}/{registry}/hosts.toml", _through(registry, mirror)) for registry in mirror.registries]
    return (
        *files,
        ClientFile(f"{folder}/{mirror.address}/hosts.toml", _direct(mirror)),
        *ca_file(f"{folder}/{mirror.address}/ca.crt", mirror),
    )


def _through(registry: str, mirror: Mirror) -> str:
    server = _HUB_SERVER if registry == DOCKER_HUB else f"https://{registry}"
    ca = f'  ca = "../{mirror.address}/ca.crt"\n' if mirror.ca else ""
    return (
        f'# Asked when the mirror fails. Put "{mirror.url}" here to never ask it.\n'
        f'server = "{server}"\n\n'
        f'[host."{mirror.url}"]\n  capabilities = ["pull", "resolve"]\n{ca}'
    )


def _direct(mirror: Mirror) -> str:
    ca = '  ca = "ca.crt"\n' if mirror.ca else ""
    return (
        "# For images that are named by the mirror itself.\n"
        f'server = "{mirror.url}"\n\n'
        f'[host."{mirror.url}"]\n  capabilities = ["pull", "resolve", "push"]\n{ca}'
    )


CLIENT = Client(
    name="containerd",
    title="containerd, and Kubernetes on it",
    settings=settings,
    tried=Tried(
        "ctr images pull through ?ns=docker.io and by the mirror's name, http and TLS; crictl is not here",
        "containerd 1.6.20",
        "tests/clients/test_mirror_containerd.py",
    ),
    gone=Gone(
        falls_back=True,
        says="asks the `server` of hosts.toml, which is the registry itself, after a refused connection, a time-out (30 s) or a 5xx",
        limited="asks the mirror five times more, at once, then the registry itself",
        tried=True,
        source="tests/clients/test_mirror_containerd.py; containerd#9206",
        prevent="write the mirror's URL as `server`",
    ),
    facts=(
        Fact("hosts.toml is read at each pull; paths in it may be relative to it", "containerd docs/hosts.md", _READ),
        Fact("requests to a mirror carry ?ns= with the registry of the reference", "containerd docs/hosts.md", _READ),
        Fact("config_path stands under io.containerd.cri.v1.images since 2.0", "containerd docs/hosts.md; containerd#10074", _READ),
        Fact("ctr does not use config_path but --hosts-dir", "containerd#6438", _READ),
        Fact("a 429 is asked again at once, five times", "containerd core/remotes/docker/resolver.go retryRequest", _READ),
        Fact("a connection attempt takes up to 30 s (dial_timeout)", "containerd docs/hosts.md", _READ),
    ),
)
