"""What an operator means by a reference: a repository of this mirror, by any of its doors or as its clients write it."""

from __future__ import annotations

from dataclasses import dataclass

from unhub.image.digest import Digest
from unhub.image.reference import DOCKER_HUB, LEGACY_DOCKER_HUB, Reference
from unhub.mirror.names import Door, Name, NameRules, UnknownNamespace, understand
from unhub.store.records import RepositoryKey


@dataclass(frozen=True, slots=True)
class Referred:
    """A repository, ``own`` where it holds what was pushed here; a tag or digest in it where one was named."""

    key: RepositoryKey
    own: bool
    tag: str | None = None
    digest: Digest | None = None

    @property
    def which(self) -> str | Digest:
        """What is meant: the digest, else the tag, else ``latest``, as docker has it."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.key}{tag}{digest}"


def refer(text: str, rules: NameRules) -> Referred:
    """Read ``node:20``, ``docker.io/library/node:20``, ``docker/library/node@sha256:…``, ``local/app:1``, ``quay.io/a/b:1``.

    A registry that is no upstream is taken for this mirror where what follows says so: ``mirror.example/docker/library/node``.
    Raises :class:`InvalidReference`, :class:`InvalidDigest` and :class:`InvalidName` (also for a registry that is not pulled through).
    """
    reference = Reference.parse(text)
    name = _name(text, reference, rules)
    digest = Digest.parse(reference.digest) if reference.digest else None
    return Referred(name.key, name.own, reference.tag, digest)


def _name(text: str, reference: Reference, rules: NameRules) -> Name:
    registry, path = reference.registry, reference.repository
    if registry == DOCKER_HUB:
        said = text.startswith((f"{DOCKER_HUB}/", f"{LEGACY_DOCKER_HUB}/"))
        return understand(path, DOCKER_HUB if said and DOCKER_HUB in rules.hosts else None, rules)
    if registry in rules.hosts:
        return understand(path, registry, rules)
    name = understand(path, None, rules)
    if name.door is Door.ROOT:
        raise UnknownNamespace(f"cannot find {text}: {registry} is not pulled through here", hint="Configure it: [upstream.NAME]")
    return name
