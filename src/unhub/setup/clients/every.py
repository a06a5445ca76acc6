"""Every client, by name."""

from __future__ import annotations

from typing import Final

from unhub.setup.clients import (
    buildkit,
    codebuild,
    containerd,
    docker,
    github_actions,
    gitlab_runner,
    k3s,
    kaniko,
    kind,
    podman,
    testcontainers,
)
from unhub.setup.clients.client import Client

CLIENTS: Final[dict[str, Client]] = {
    client.name: client
    for client in (
        docker.CLIENT,
        containerd.CLIENT,
        buildkit.CLIENT,
        podman.CLIENT,
        k3s.CLIENT,
        kaniko.CLIENT,
        codebuild.CLIENT,
        github_actions.CLIENT,
        gitlab_runner.CLIENT,
        kind.CLIENT,
        testcontainers.CLIENT,
    )
}
"""In the order in which they are listed."""
