"""One login, and how docker spells it in its files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

IDENTITY_TOKEN = "<token>"  # noqa: S105 (the protocol's word, no secret)
"""The user name by which docker and its helpers say that the secret is an identity token (docker/cli, native_store.go)."""

DOCKER_HUB = "https://index.docker.io/v1/"
"""The key of Docker Hub's login in docker's files and helpers, whatever the registry is called elsewhere."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a password, or an identity token where ``username`` is :data:`IDENTITY_TOKEN`.

    ``source`` says for people where it came from: ``auths in ~/.docker/config.json``, ``helper ecr-login``.
    """

    username: str
    secret: str = field(repr=False)
    source: str

    @property
    def is_identity_token(self) -> bool:
        """Whether ``secret`` is to be exchanged for access tokens (OAuth's ``refresh_token``) and is no password."""
        return self.username == IDENTITY_TOKEN


class Credentials(Protocol):
    """Where the client asks for logins."""

    def find(self, registry: str) -> Credential | None:
        """The login for a registry as references name it (``docker.io``, ``localhost:5000``), or ``None``; may block."""
        ...


class NoCredentials:
    """Nobody is logged in anywhere."""

    def find(self, registry: str) -> Credential | None:
        """Always ``None``."""
        del registry
        return None


def docker_address(registry: str) -> str:
    """The key under which docker keeps a registry's login: the name itself, but for Docker Hub."""
    return DOCKER_HUB if registry in ("docker.io", "index.docker.io") else registry


def hostname(key: str) -> str:
    """The host and port of a key that may be a URL, as docker's ``ConvertToHostname`` has it (docker/cli, file_store.go).

    >>> hostname("https://registry.example:5000/v2/")
    'registry.example:5000'
    """
    scheme, separator, rest = key.partition("://")
    if not separator or not scheme:
        return key.partition("/")[0]
    authority = rest
    for end in "/?#":
        authority = authority.partition(end)[0]
    host = authority.rpartition("@")[2]
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1]  # without a port docker drops the brackets of an IPv6 address
    return host.removesuffix(":") or key.partition("/")[0]


def entry_of(credential: Credential) -> dict[str, str]:
    """What an ``auths`` entry holds for a login."""
    if credential.is_identity_token:
        return {"identitytoken": credential.secret}
    pair = f"{credential.username}:{credential.secret}".encode()
    return {"auth": base64.b64encode(pair).decode("ascii")}


def credential_of(entry: Mapping[str, object], source: str) -> Credential | None:
    """The login of an ``auths`` entry, ``None`` for an empty one; raises :class:`ValueError` with the reason for a damaged one.

    As docker reads it: ``auth`` beats ``username`` and ``password``, an identity token beats both.
    A ``registrytoken`` alone is no login that could be renewed, and is passed over.
    """
    username, password = _text(entry, "username"), _text(entry, "password")
    if auth := _text(entry, "auth"):
        username, password = _decoded(auth)
    if token := _text(entry, "identitytoken"):
        return Credential(IDENTITY_TOKEN, token, source)
    return Credential(username, password, source) if username or password else None


def _text(entry: Mapping[str, object], name: str) -> str:
    found = ""
    for key, value in entry.items():
        if key.lower() == name and value is not None:  # Go's decoder takes keys in any case, the last one wins
            if not isinstance(value, str):
                raise ValueError(f"{name} is no text")
            found = value
    return found


def _decoded(auth: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(auth.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("auth is not base64") from None
    username, colon, password = pair.decode("utf-8", "surrogateescape").partition(":")
    if not colon or not username:
        raise ValueError("auth is not USER:PASSWORD in base64")
    return username, password.strip("\x00")
