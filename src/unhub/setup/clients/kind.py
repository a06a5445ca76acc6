"""kind: containerd's files, mounted into every node."""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried
from unhub.setup.clients.containerd import hosts_files
from unhub.setup.clients.mirror import Mirror

FOLDER = "unhub-mirror/certs.d"
_READ = datetime.date(2026, 11, 25)

_CLUSTER = f"""\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
  - |-
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"
nodes:
  - role: control-plane
    extraMounts:
      - hostPath: ./{FOLDER}
        containerPath: /etc/containerd/certs.d
        readOnly: true
"""


def settings(mirror: Mirror) -> ClientSettings:
    """The folder of ``hosts.toml`` files, and a cluster that mounts it."""
    return ClientSettings(
        files=(*hosts_files(mirror, FOLDER), ClientFile("unhub-mirror/kind.yaml", _CLUSTER)),
        restart="a new cluster: kind create cluster --config unhub-mirror/kind.yaml   (from the folder above unhub-mirror)",
        check=("docker exec kind-control-plane crictl pull docker.io/library/hello-world:latest   appears in the log of `unhub serve`",),
        notes=(
            "each further node needs the same extraMounts",
            "the image of the nodes themselves (kindest/node) is pulled by docker: `unhub client-config docker`",
            "with kind 0.27 or newer (containerd 2) the patch is not needed: config_path is set already",
        ),
    )


CLIENT = Client(
    name="kind",
    title="kind",
    settings=settings,
    tried=Tried("kind and its node image are not here; the hosts.toml files are those that `containerd` was tried with"),
    gone=Gone(
        falls_back=True,
        says="does as containerd: asks the registry itself",
        limited="does as containerd",
        tried=False,
        source="as containerd",
        prevent="as for containerd",
    ),
    facts=(
        Fact("nodes take hosts.toml files below the config_path", "kind.sigs.k8s.io/docs/user/local-registry", _READ),
        Fact("extraMounts puts folders of the host into nodes", "kind.sigs.k8s.io/docs/user/configuration", _READ),
    ),
    elsewhere=True,
)
