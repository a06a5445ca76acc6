"""Logins as docker, podman and helm keep them: where each program looks, in which order, and what it writes.

The one module of this layer that reads the environment. Sources: docker/cli ``cli/config``
(config.json), containers/image ``pkg/docker/config`` and containers-auth.json(5) (auth.json),
helm ``pkg/registry`` with oras-go ``registry/remote/credentials`` (registry/config.json).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

from unhub.image.errors import CredentialsError
from unhub.registry.credential import DOCKER_HUB, IDENTITY_TOKEN, Credential, Credentials, NoCredentials, credential_of, hostname
from unhub.registry.login_file import Document, LoginFile

__all__ = [
    "IDENTITY_TOKEN",
    "Credential",
    "Credentials",
    "DockerConfig",
    "HelmRegistryConfig",
    "LoginFile",
    "NoCredentials",
    "PodmanAuth",
]


class DockerConfig(LoginFile):
    """Docker's ``config.json``: ``credHelpers``, then ``credsStore``, then ``auths``; before all of them ``$DOCKER_AUTH_CONFIG``.

    Docker Hub's key is ``https://index.docker.io/v1/`` in all of them.
    """

    def __init__(self, path: Path, shown: str | None = None, *, overriding: str = "") -> None:
        super().__init__(path, shown)
        self._overriding = overriding

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read ``config.json`` of a folder; by default of ``$DOCKER_CONFIG``, else ``~/.docker``. A missing file has no logins."""
        if folder is not None:
            return cls(folder / "config.json", _shown(folder / "config.json"))
        path = docker_config_path()
        return cls(path, _shown(path), overriding=os.environ.get("DOCKER_AUTH_CONFIG", ""))

    def find(self, registry: str) -> Credential | None:
        """The login that docker would use; may run a helper and block."""
        return self._overridden(registry) or super().find(registry)

    def _overridden(self, registry: str) -> Credential | None:
        """From ``$DOCKER_AUTH_CONFIG`` (docker 28.3 and newer), by the exact key; docker passes over a broken one, too."""
        try:
            document: object = json.loads(self._overriding) if self._overriding else None
            auths = cast(Document, document).get("auths") if isinstance(document, dict) else None
            entry = cast(Document, auths).get(self.address(registry)) if isinstance(auths, dict) else None
            return credential_of(cast(Document, entry), "$DOCKER_AUTH_CONFIG") if isinstance(entry, dict) else None
        except (ValueError, RecursionError):
            return None


class PodmanAuth(LoginFile):
    """Podman's, buildah's and skopeo's ``auth.json``; ``credsStore`` means nothing to them.

    ``others`` are read where this file has no login. Keys may name a namespace: ``find`` takes
    ``quay.io/team/app`` too, and tries it, ``quay.io/team`` and ``quay.io``.
    """

    def __init__(self, path: Path, shown: str | None = None, *, others: Sequence[Path] = ()) -> None:
        super().__init__(path, shown)
        self._others = tuple(others)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read an auth file; by default the one that podman writes, and after it the others that it reads."""
        if path is not None:
            return cls(path, _shown(path))
        first = podman_auth_path()
        others = (_folder("XDG_CONFIG_HOME", ".config") / "containers" / "auth.json", docker_config_path())
        return cls(first, _shown(first), others=[other for other in others if other != first])

    def find(self, registry: str) -> Credential | None:
        """The login that podman would use for a registry, or for a repository; may run a helper and block."""
        for file in (self, *(PodmanAuth(other, _shown(other)) for other in self._others)):
            if found := file._find_here(registry):
                return found
        return None

    def _find_here(self, name: str) -> Credential | None:
        registry = name.partition("/")[0]
        if self.helper_for(registry) is not None:
            return super().find(registry)
        key = name
        while "/" in key:
            if key in self._section("auths"):
                return self._credential(key, self._section("auths")[key])
            key = key.rpartition("/")[0]
        return super().find(registry)

    def address(self, registry: str) -> str:
        """The registry's name as it is."""
        return registry

    def is_same(self, key: str, server: str) -> bool:
        """Whether a key means a registry: podman drops scheme and path, and knows Docker Hub's names, but keeps namespaces apart."""
        if "://" not in key and "/" in key:
            return False
        return _podman_name(key) == _podman_name(server)

    def default_helper(self) -> str | None:
        """None: podman knows ``credHelpers`` only."""
        return None

    def _note_stored(self, server: str, helper: object) -> None:
        """Nothing: podman leaves its file alone where a helper keeps the login."""


class HelmRegistryConfig(LoginFile):
    """Helm's ``registry/config.json``; where it has no login, helm reads docker's file."""

    def __init__(self, path: Path, shown: str | None = None, *, with_docker: bool = False) -> None:
        super().__init__(path, shown)
        self._with_docker = with_docker

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a file; by default ``$HELM_REGISTRY_CONFIG``, else the one in helm's configuration folder, and after it docker's."""
        if path is not None:
            return cls(path, _shown(path))
        path = helm_registry_path()
        return cls(path, _shown(path), with_docker=True)

    def find(self, registry: str) -> Credential | None:
        """The login that helm would use; may run a helper and block."""
        return super().find(registry) or (self._from_docker(registry) if self._with_docker else None)

    def _from_docker(self, registry: str) -> Credential | None:
        try:
            docker = DockerConfig.load()
        except CredentialsError:
            return None  # helm passes over a file of docker's that is broken
        return docker.find(registry)


def docker_config_path() -> Path:
    """Docker's file: ``$DOCKER_CONFIG/config.json``, else ``~/.docker/config.json``."""
    return _folder("DOCKER_CONFIG", ".docker") / "config.json"


def podman_auth_path() -> Path:
    """The file that ``podman login`` writes.

    ``$REGISTRY_AUTH_FILE``, docker's where ``$DOCKER_CONFIG`` is set and has one, else
    ``$XDG_RUNTIME_DIR/containers/auth.json``, which is ``/run/containers/UID/auth.json`` without
    that variable and ``~/.config/containers/auth.json`` off Linux.
    """
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        return Path(named)
    if os.environ.get("DOCKER_CONFIG") and docker_config_path().exists():
        return docker_config_path()
    if sys.platform != "linux":
        return _home() / ".config" / "containers" / "auth.json"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime, "containers", "auth.json") if runtime else Path(f"/run/containers/{os.getuid()}/auth.json")


def helm_registry_path() -> Path:
    """Helm's file: ``$HELM_REGISTRY_CONFIG``, else ``registry/config.json`` in its configuration folder."""
    if named := os.environ.get("HELM_REGISTRY_CONFIG"):
        return Path(named)
    if folder := os.environ.get("HELM_CONFIG_HOME"):
        return Path(folder) / "registry" / "config.json"
    default = "Library/Preferences" if sys.platform == "darwin" else ".config"
    return _folder("XDG_CONFIG_HOME", default) / "helm" / "registry" / "config.json"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise CredentialsError("cannot find the home folder, where logins are kept", hint="Set HOME, or DOCKER_CONFIG") from None


def _folder(variable: str, default: str) -> Path:
    named = os.environ.get(variable)
    return Path(named) if named else _home() / default


def _shown(path: Path) -> str:
    """A path as people write it: ``~`` for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _podman_name(key: str) -> str:
    name = hostname(key)
    return hostname(DOCKER_HUB) if name in ("docker.io", "registry-1.docker.io") else name
