"""k3s and RKE2: ``registries.yaml``, from which they write containerd's settings at each start."""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file
from unhub.setup.clients.mirror import Mirror

PATH = "/etc/rancher/k3s/registries.yaml"
CA_PATH = "/etc/rancher/k3s/unhub-mirror-ca.pem"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """``registries.yaml`` for every node."""
    return ClientSettings(
        files=(ClientFile(PATH, registries_yaml(mirror)), *ca_file(CA_PATH, mirror)),
        restart="systemctl restart k3s on servers, systemctl restart k3s-agent on agents",
        check=("k3s crictl pull docker.io/library/hello-world:latest   appears in the log of `unhub serve`",),
        notes=(
            "every node needs the files",
            "RKE2: the same files below /etc/rancher/rke2",
        ),
    )


def registries_yaml(mirror: Mirror) -> str:
    """The mirror as endpoint of each registry; its certificate under its own name."""
    text = "mirrors:\n"
    for registry in mirror.registries:
        text += f'  "{registry}":\n    endpoint:\n      - "{mirror.url}"\n'
    if mirror.ca:
        text += f'configs:\n  "{mirror.address}":\n    tls:\n      ca_file: {CA_PATH}\n'
    return text


CLIENT = Client(
    name="k3s",
    title="k3s and RKE2",
    settings=settings,
    tried=Tried("k3s is not here; its containerd is the one that `containerd` was tried with, of another version"),
    gone=Gone(
        falls_back=True,
        says="asks the registry itself: containerd's default endpoint is always the last one",
        limited="does as containerd",
        tried=False,
        source="docs.k3s.io/installation/private-registry, default endpoint fallback",
        prevent="start the nodes with --disable-default-registry-endpoint (k3s of January 2024 or newer)",
    ),
    facts=(
        Fact("registries.yaml is read at start, on each node", "docs.k3s.io/installation/private-registry", _READ),
        Fact("configs are keyed by the endpoint's host and port", "docs.k3s.io/installation/private-registry", _READ),
    ),
    elsewhere=False,
)
