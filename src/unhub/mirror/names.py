"""How a name at the mirror is understood: one rule, the first match wins (docs/contracts.md, names at the mirror)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from unhub.image.errors import UnhubError
from unhub.store.records import RepositoryKey

DOCKER: Final = "docker"
"""The alias of Docker Hub, as ECR Public names it."""

NAME_LENGTH_MAX: Final = 255
"""Characters of the longest name (distribution specification, "Pulling manifests")."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST_NAME = re.compile(rf"[a-z0-9.-]+(?::[0-9]+)?(?:/{_COMPONENT})+")


class InvalidName(UnhubError):
    """A name breaks the grammar of the distribution specification, or names no registry that is pulled through here."""

    code = "invalid-name"
    exit_status = 2


class UnknownNamespace(InvalidName):
    """``?ns=`` names a registry that is not configured: answering for it would make this an open proxy."""


class Mode(StrEnum):
    """Whom the mirror serves: everybody, or callers with tokens as ECR Public does."""

    OPEN = "open"
    ECR_PUBLIC = "ecr-public"


class Door(StrEnum):
    """The way by which a client named a repository."""

    NAMESPACE = "ns"
    OWN = "own"
    GALLERY = "gallery"
    HOST = "host"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class NameRules:
    """What names are compared with: own aliases, and the hosts of every upstream (``docker.io`` -> ``docker``)."""

    own: frozenset[str] = frozenset({"local"})
    hosts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Name:
    """A repository as it was named and as it is kept. ``own`` ones hold what was pushed, the others are pulled through."""

    key: RepositoryKey
    own: bool
    door: Door
    written: str
    namespace: str | None = None


def understand(path: str, namespace: str | None, rules: NameRules) -> Name:
    """What a client means by ``path``, asked with ``?ns=namespace`` or without.

    Raises :class:`InvalidName` for what is no name, and :class:`UnknownNamespace` for a namespace that is not configured.
    """
    if namespace is not None:
        return _in_namespace(path, namespace, rules)
    first, _, rest = path.partition("/")
    if rest and first in rules.hosts and _HOST_NAME.fullmatch(path) and len(path) <= NAME_LENGTH_MAX:
        return Name(RepositoryKey(rules.hosts[first], _hub(rest, rules.hosts[first])), False, Door.HOST, path)
    _check(path)
    if rest and first in rules.own:
        return Name(RepositoryKey(first, rest), True, Door.OWN, path)
    if first == DOCKER and "/" in rest:
        return Name(RepositoryKey(DOCKER, rest), False, Door.GALLERY, path)
    return Name(RepositoryKey(DOCKER, _hub(path, DOCKER)), False, Door.ROOT, path)


def _in_namespace(path: str, namespace: str, rules: NameRules) -> Name:
    alias = rules.hosts.get(namespace)
    if alias is None:
        raise UnknownNamespace(f"cannot answer for {namespace!r}: it is no upstream of this mirror", hint="Configure it: [upstream.NAME]")
    _check(path)
    return Name(RepositoryKey(alias, _hub(path, alias)), False, Door.NAMESPACE, path, namespace)


def _hub(path: str, alias: str) -> str:
    """Docker Hub's official images may be named without ``library/``."""
    return f"library/{path}" if alias == DOCKER and "/" not in path else path


def _check(path: str) -> None:
    if len(path) > NAME_LENGTH_MAX or not _NAME.fullmatch(path):
        shown = path if len(path) <= 80 else f"{path[:80]}…"
        raise InvalidName(f"cannot use the name {shown!r}: it breaks the grammar of repository names")
