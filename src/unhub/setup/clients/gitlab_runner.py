"""GitLab Runner: the docker of the runner's machine for jobs and services, and a mirror for docker-in-docker."""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file, direct_names
from unhub.setup.clients.docker import daemon_json
from unhub.setup.clients.mirror import Mirror

DIND_SETTINGS = "/etc/gitlab-runner/unhub-mirror/daemon.json"
CA_PATH = "/etc/gitlab-runner/unhub-mirror/ca.crt"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """``daemon.json`` for docker-in-docker, and the volumes of ``config.toml`` that put it there."""
    volumes = [f"{DIND_SETTINGS}:/etc/docker/daemon.json:ro"]
    if mirror.ca:
        volumes.append(f"{CA_PATH}:/etc/docker/certs.d/{mirror.address}/ca.crt:ro")
    listed = ", ".join(f'"{volume}"' for volume in volumes)
    config = f'[[runners]]\n  executor = "docker"\n  [runners.docker]\n    privileged = true\n    volumes = ["/cache", {listed}]\n'
    notes = [
        "images and services of jobs are pulled by the runner machine's own docker: `unhub client-config docker` there, too",
        f"without access to the runner, in .gitlab-ci.yml: services: [{{name: docker:dind, command: [--registry-mirror, {mirror.url}]}}]",
        "the Kubernetes executor pulls by the nodes' containerd: `unhub client-config containerd`",
    ]
    if mirror.others:
        notes.append(direct_names(mirror))
    return ClientSettings(
        files=(
            ClientFile(DIND_SETTINGS, daemon_json(mirror)),
            *ca_file(CA_PATH, mirror),
            ClientFile("/etc/gitlab-runner/config.toml", config, part=True),
        ),
        restart="nothing: the runner reads config.toml by itself",
        check=("a job with docker:dind: `docker info` names the mirror under Registry Mirrors",),
        notes=tuple(notes),
    )


CLIENT = Client(
    name="gitlab-runner",
    title="GitLab Runner",
    settings=settings,
    tried=Tried("there is no GitLab here; the daemon.json is the one that `docker` was tried with"),
    gone=Gone(
        falls_back=True,
        says="does as docker: asks Docker Hub itself",
        limited="does as docker",
        tried=False,
        source="as docker",
        prevent="as for docker",
    ),
    facts=(
        Fact("docker-in-docker takes --registry-mirror, or daemon.json as a volume", "gitlab-org/gitlab-runner#27171", _READ),
        Fact("[[runners.docker.services]] takes a command, too", "gitlab-org/gitlab-runner!2525", _READ),
    ),
    elsewhere=True,
)
