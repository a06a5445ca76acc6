"""Image references: the grammar and normalisation of distribution's ``reference`` package.

Source of every rule: ``github.com/distribution/reference`` at commit 0965666 (2026-04),
``reference.go``, ``regexp.go`` and ``normalize.go``. The one addition is
:attr:`Reference.is_docker_hub`, which also knows Docker Hub's own endpoints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, InvalidReference

DOCKER_HUB: Final = "docker.io"
LEGACY_DOCKER_HUB: Final = "index.docker.io"
DOCKER_HUB_ENDPOINTS: Final = frozenset({"registry-1.docker.io", "registry.hub.docker.com"})
"""Hosts that serve Docker Hub but are not folded into ``docker.io`` by the reference package."""

OFFICIAL_PREFIX: Final = "library/"
REPOSITORY_LENGTH_MAX: Final = 255
"""Longest repository path in characters, the registry not counted (``RepositoryNameTotalLengthMax``)."""

TAG_LENGTH_MAX: Final = 128
"""Longest tag in characters."""

_KEPT: Final = 4096
"""Texts of which the parsed reference is remembered."""

_COMPONENT = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])"
_DOMAIN = rf"{_HOST}(?::[0-9]+)?"
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_PATH = rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"

_DOMAIN_PATTERN = re.compile(_DOMAIN)
_PATH_PATTERN = re.compile(_PATH)
_TAG_PATTERN = re.compile(_TAG)
_IDENTIFIER_PATTERN = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """One image by name: where it is kept, what it is called, and which one is meant.

    ``registry`` is a host with an optional port (``docker.io``, ``[fc00::1]:5000``),
    ``repository`` the path below it (``library/node``). ``tag`` and ``digest`` may both
    be given; the digest then decides what is pulled.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as docker does, with Docker Hub and ``library/`` implied.

        No tag is invented: ``node`` has none. Raises :class:`InvalidReference`, which
        knows the character where the text stops making sense.
        """
        return _parse(text)

    @property
    def name(self) -> str:
        """Registry and repository, as in ``docker.io/library/node``."""
        return f"{self.registry}/{self.repository}"

    @property
    def suffix(self) -> str:
        """Tag and digest as written behind the name: ``:20``, ``@sha256:…``, both, or nothing."""
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return tag + digest

    @property
    def is_docker_hub(self) -> bool:
        """Whether this is pulled from Docker Hub, by any of its host names."""
        return self.registry == DOCKER_HUB or self.registry.lower() in DOCKER_HUB_ENDPOINTS

    @property
    def is_official(self) -> bool:
        """Whether this is one of Docker's official images: ``library/`` and one component."""
        return self.is_docker_hub and re.fullmatch(rf"library/{_PATH_COMPONENT}", self.repository) is not None

    @property
    def canonical(self) -> Reference:
        """The same image with Docker Hub's endpoints folded into ``docker.io``.

        A single-component repository at an endpoint host stays there: those hosts imply
        no ``library/``, so ``registry-1.docker.io/node`` is not ``docker.io/library/node``.
        """
        if self.registry == DOCKER_HUB or not self.is_docker_hub or "/" not in self.repository:
            return self
        return replace(self, registry=DOCKER_HUB)

    @property
    def familiar_name(self) -> str:
        """The shortest name docker prints: ``node`` for ``docker.io/library/node``."""
        if self.registry != DOCKER_HUB:
            return self.name
        rest = self.repository.removeprefix(OFFICIAL_PREFIX)
        return self.repository if "/" in rest else rest

    def familiar(self) -> str:
        """The familiar name with tag and digest, as ``docker images`` prints it."""
        return self.familiar_name + self.suffix

    def with_name(self, registry: str, repository: str) -> Reference:
        """The same tag and digest under another name."""
        return replace(self, registry=registry, repository=repository)

    def __str__(self) -> str:
        return self.name + self.suffix


def written_name_length(text: str) -> int:
    """Number of characters of ``text`` that spell the name, before any tag or digest.

    Purely textual, so that it also holds for a text that is only partly known.
    """
    head = text.partition("@")[0]
    colon = head.find(":", head.rfind("/") + 1)
    return len(head) if colon < 0 else colon


@lru_cache(maxsize=_KEPT)
def _parse(text: str) -> Reference:
    if not text:
        raise InvalidReference(text, 0, "the reference is empty")
    if _IDENTIFIER_PATTERN.fullmatch(text):
        raise InvalidReference(text, 0, "64 hexadecimal digits are an image ID, not a name")
    registry, path_start = _split_registry(text)
    rest = text[path_start:]
    name_length = _rest_name_length(rest)
    path, suffix = rest[:name_length], rest[name_length:]
    _check_registry(text, registry)
    registry = DOCKER_HUB if registry in ("", LEGACY_DOCKER_HUB) else registry
    _check_path(text, path, path_start)
    tag, digest = _split_suffix(text, suffix, path_start + name_length)
    if registry == DOCKER_HUB and "/" not in path:
        path = OFFICIAL_PREFIX + path
    if len(path) > REPOSITORY_LENGTH_MAX:
        raise InvalidReference(text, path_start, f"the repository has more than {REPOSITORY_LENGTH_MAX} characters")
    return Reference(registry, path, tag, digest)


def _split_registry(text: str) -> tuple[str, int]:
    first, slash, _ = text.partition("/")
    if not slash:
        return "", 0
    if first == "localhost" or "." in first or ":" in first or first != first.lower():
        return first, len(first) + 1
    return "", 0


def _rest_name_length(rest: str) -> int:
    ends = [place for mark in ":@" if (place := rest.find(mark)) >= 0]
    return min(ends, default=len(rest))


def _check_registry(text: str, registry: str) -> None:
    if registry and not _DOMAIN_PATTERN.fullmatch(registry):
        match = _DOMAIN_PATTERN.match(registry)
        raise InvalidReference(text, match.end() if match else 0, f"{registry!r} is not a registry host")


def _check_path(text: str, path: str, start: int) -> None:
    if _PATH_PATTERN.fullmatch(path):
        return
    if path.lower() != path and _PATH_PATTERN.fullmatch(path.lower()):
        upper = next(place for place, char in enumerate(path) if char != char.lower())
        raise InvalidReference(text, start + upper, "a repository must be lower case")
    match = _PATH_PATTERN.match(path)
    place = match.end() if match else 0
    what = f"{path[place]!r} cannot stand here in a repository" if place < len(path) else "the repository ends too early"
    raise InvalidReference(text, start + place, what)


def _split_suffix(text: str, suffix: str, start: int) -> tuple[str | None, str | None]:
    tag_text, at, digest_text = suffix.partition("@")
    tag = None
    if tag_text:
        tag = tag_text[1:]
        if not _TAG_PATTERN.fullmatch(tag):
            match = _TAG_PATTERN.match(tag)
            place = match.end() if match else 0
            raise InvalidReference(text, start + 1 + place, _tag_problem(tag, place))
    if not at:
        return tag, None
    try:
        return tag, str(Digest.parse(digest_text))
    except InvalidDigest as error:
        raise InvalidReference(text, start + len(tag_text) + 1, f"the digest is wrong ({error.reason})") from None


def _tag_problem(tag: str, place: int) -> str:
    if not tag:
        return "the tag is empty"
    if place == TAG_LENGTH_MAX:
        return f"the tag has more than {TAG_LENGTH_MAX} characters"
    return f"{tag[place]!r} cannot {'stand in' if place else 'start'} a tag"
