"""The programs that keep logins, and which of them are in use here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from unhub.image.errors import UnhubError
from unhub.registry.credentials import (
    DockerConfig,
    HelmRegistryConfig,
    LoginFile,
    PodmanAuth,
    docker_config_path,
    helm_registry_path,
    podman_auth_path,
)


class Tool(NamedTuple):
    """A program that keeps logins: where, and by which programs one sees that it is in use."""

    name: str
    path: Callable[[], Path]
    load: Callable[[], LoginFile]
    programs: tuple[str, ...]


TOOLS = (
    Tool("docker", docker_config_path, DockerConfig.load, ("docker",)),
    Tool("podman", podman_auth_path, PodmanAuth.load, ("podman", "buildah", "skopeo")),
    Tool("helm", helm_registry_path, HelmRegistryConfig.load, ("helm",)),
)


def tools_in_use(wanted: Sequence[str]) -> tuple[Tool, ...]:
    """The wanted programs; where none is named, docker always, and the others where they or their files are here."""
    if wanted:
        return tuple(tool for tool in TOOLS if tool.name in wanted)
    return tuple(tool for tool in TOOLS if tool.name == "docker" or tool.path().exists() or any(map(shutil.which, tool.programs)))


class Kept(NamedTuple):
    """A file of logins and the programs that share it, or why it cannot be read."""

    names: str
    file: LoginFile | UnhubError


def login_files(tools: Sequence[Tool]) -> Iterator[Kept]:
    """Each file once, in the order of :data:`TOOLS`: podman uses docker's where ``$DOCKER_CONFIG`` is set."""
    shared: dict[Path, list[Tool]] = {}
    for tool in tools:
        shared.setdefault(tool.path(), []).append(tool)
    for users in shared.values():
        names = ", ".join(tool.name for tool in users)
        try:
            yield Kept(names, users[0].load())
        except UnhubError as error:
            yield Kept(names, error)
