"""kaniko: flags, or variables of its pod.

kaniko calls Docker Hub ``index.docker.io`` and puts the mirror's name, with a path if it has one, in its place.
"""

from __future__ import annotations

import datetime

from unhub.setup.clients.client import Client, ClientFile, ClientSettings, Fact, Gone, Tried, ca_file, indented
from unhub.setup.clients.mirror import DOCKER_HUB, Mirror

CA_PATH = "/kaniko/ssl/unhub-mirror-ca.pem"
_HUB = "index.docker.io"
_READ = datetime.date(2026, 11, 25)


def settings(mirror: Mirror) -> ClientSettings:
    """The part of a pod that sets kaniko up; the same flags serve ``docker run``."""
    return ClientSettings(
        files=(ClientFile("kaniko-pod.yaml", _container(mirror), part=True), *ca_file(CA_PATH, mirror)),
        restart="nothing: it is read at each build",
        check=("a build of `FROM hello-world` with --verbosity=debug says that index.docker.io is remapped",),
        notes=tuple(_notes(mirror)),
    )


def registry_map(mirror: Mirror) -> str:
    """The value of ``--registry-map``."""
    return ";".join(f"{_HUB if registry == DOCKER_HUB else registry}={mirror.address}/{registry}" for registry in mirror.registries)


def flags(mirror: Mirror) -> list[str]:
    """The flags for a mirror."""
    found = [f"--registry-map={registry_map(mirror)}"]
    if mirror.plain:
        found.append(f"--insecure-registry={mirror.address}")
    if mirror.ca:
        found.append(f"--registry-certificate={mirror.address}={CA_PATH}")
    return found


def _container(mirror: Mirror) -> str:
    lines = "".join(f'- "{flag}"\n' for flag in flags(mirror))
    text = f"containers:\n  - name: kaniko\n    args:\n{indented(lines, 6)}"
    if mirror.ca:
        text += (
            "    volumeMounts:\n      - name: unhub-mirror-ca\n"
            f"        mountPath: {CA_PATH}\n        subPath: ca.pem\n"
            "volumes:\n  - name: unhub-mirror-ca\n    configMap:\n      name: unhub-mirror-ca\n"
        )
    return text


def _notes(mirror: Mirror) -> list[str]:
    notes = ["a path in --registry-map needs kaniko 1.23 or newer; the variable KANIKO_REGISTRY_MAP has the same form"]
    if mirror.ca:
        notes.append("the certificate as a ConfigMap: kubectl create configmap unhub-mirror-ca --from-file=ca.pem=FILE")
    return notes


CLIENT = Client(
    name="kaniko",
    title="kaniko",
    settings=settings,
    tried=Tried("kaniko builds in the root file system of its own image, which is not here"),
    gone=Gone(
        falls_back=True,
        says="asks the registry itself",
        limited="not known",
        tried=False,
        source="kaniko README, --registry-map",
        prevent="--skip-default-registry-fallback (1.13 or newer)",
    ),
    facts=(
        Fact("--registry-map takes several registries, separated by ';'", "kaniko README, --registry-map", _READ),
        Fact("paths work in --registry-map since 1.23", "kaniko v1.23.0 release notes (#3138)", _READ),
        Fact("--skip-default-registry-fallback exists since 1.13", "kaniko v1.13.0 release notes (#2637)", _READ),
        Fact("Google's repository was archived in June 2025; forks go on", "README of the fork Gosayram/kaniko", _READ),
    ),
    elsewhere=True,
)
