"""How a name at the mirror is understood: one rule, the first match wins (docs/contracts.md, names at the mirror)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

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


class UnknownRepository(InvalidName):
    """Mode ``ecr-public``: the alias ``registry`` is nobody's, so that there can be no ``repository`` in it."""

    def __init__(self, repository: str, registry: str, *, hint: str | None = None) -> None:
        super().__init__(f"cannot find {repository!r}: nobody has the alias {registry!r}", hint=hint)
        self.repository = repository
        self.registry = registry


class Mode(StrEnum):
    """Whom the mirror serves: everybody, or callers with tokens as ECR Public does."""

    OPEN = "open"
    ECR_PUBLIC = "ecr-public"

    @property
    def hello_world(self) -> str:
        """The name of an image that is always there, as clients write it."""
        return "library/hello-world" if self is Mode.OPEN else "docker/library/hello-world"


class Door(StrEnum):
    """The way by which a client named a repository."""

    NAMESPACE = "ns"
    OWN = "own"
    GALLERY = "gallery"
    HOST = "host"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Name:
    """A repository as it was named and as it is kept. ``own`` ones hold what was pushed, the others are pulled through.

    ``account`` is whose it is (12 digits), empty where nobody is known by name.
    """

    key: RepositoryKey
    own: bool
    door: Door
    written: str
    namespace: str | None = None
    account: str = ""


class Names(Protocol):
    """How the names of a server are understood."""

    @property
    def listed(self) -> Collection[str]:
        """The aliases whose repositories are listed for everybody."""
        ...

    @property
    def where_to_push(self) -> str:
        """For whoever pushes to what is not their own."""
        ...

    def understand(self, path: str, namespace: str | None) -> Name:
        """What a client means by ``path``, asked with ``?ns=namespace`` or without. Raises :class:`InvalidName`."""
        ...


@dataclass(frozen=True, slots=True)
class NameRules:
    """What names are compared with in mode ``open``: own aliases, and the hosts of every upstream (``docker.io`` -> ``docker``)."""

    own: frozenset[str] = frozenset({"local"})
    hosts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def listed(self) -> Collection[str]:
        """See the protocol."""
        return self.own

    @property
    def where_to_push(self) -> str:
        """See the protocol."""
        return "Names that can be pushed to begin with " + ", ".join(f"{alias}/" for alias in sorted(self.own))

    def understand(self, path: str, namespace: str | None) -> Name:
        """See :func:`understand`."""
        return understand(path, namespace, self)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an alias is: the account, and the alias under which all of its repositories are kept."""

    account: str
    default_alias: str


@dataclass(frozen=True, slots=True)
class GalleryNames:
    """Mode ``ecr-public``: only aliases of accounts (``owner`` says whose one is) and ``docker/<a>/<b>`` are names there.

    ``?ns=`` is no door: containerd sends it to whatever stands in for public.ecr.aws.
    """

    owner: Callable[[str], Owner | None]
    listed: Collection[str] = ()
    where_to_push: str = "Push to a repository of your own: ALIAS/NAME, made by aws ecr-public create-repository"

    def understand(self, path: str, namespace: str | None) -> Name:
        """See the protocol. Raises :class:`UnknownRepository` for an alias that nobody has, and for ``docker/<name>``."""
        del namespace
        _check(path)
        alias, _, repository = path.partition("/")
        if alias == DOCKER:
            if "/" in repository:
                return Name(RepositoryKey(DOCKER, repository), False, Door.GALLERY, path)
            hint = f"Docker Hub's official image is named {DOCKER}/library/{repository} here" if repository else None
            raise UnknownRepository(repository, alias, hint=hint)
        owner = self.owner(alias) if repository else None
        if owner is None:
            raise UnknownRepository(repository, alias)
        return Name(RepositoryKey(owner.default_alias, repository), True, Door.OWN, path, account=owner.account)


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
