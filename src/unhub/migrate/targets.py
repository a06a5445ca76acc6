"""Where images come from and where they may go: one small class a kind of place.

A place gives Docker Hub's repositories other names. ``name_of`` gives the new name,
``origin_of`` goes back; together they change no canonical reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from unhub.image.errors import InvalidReference, UsageError
from unhub.image.reference import DOCKER_HUB, Reference

ECR_PUBLIC_REGISTRY = "public.ecr.aws"
ECR_PUBLIC_PREFIX = "docker/"


class Place(Protocol):
    """A registry that carries some or all of Docker Hub."""

    @property
    def spec(self) -> str:
        """What the user wrote: ``ecr-public``, ``mirror:HOST/PREFIX``, …."""
        ...

    def name_of(self, reference: Reference) -> Reference | None:
        """The name here of a Docker Hub reference, or ``None`` where it is not carried."""
        ...

    def origin_of(self, reference: Reference) -> Reference | None:
        """The Docker Hub reference that a name here stands for, or ``None``."""
        ...


@dataclass(frozen=True, slots=True)
class DockerHub:
    """Docker Hub itself; as a target it writes the whole name, ``docker.io/library/node``."""

    spec: str = "docker-hub"

    def name_of(self, reference: Reference) -> Reference | None:
        """See :meth:`Place.name_of`: every name is its own."""
        return reference

    def origin_of(self, reference: Reference) -> Reference | None:
        """See :meth:`Place.origin_of`."""
        canonical = reference.canonical
        return canonical if canonical.registry == DOCKER_HUB else None


@dataclass(frozen=True, slots=True)
class EcrPublic:
    """Amazon ECR Public: official images only, at ``public.ecr.aws/docker/library/…``."""

    spec: str = "ecr-public"

    def name_of(self, reference: Reference) -> Reference | None:
        """See :meth:`Place.name_of`."""
        if not reference.is_official:
            return None
        return reference.with_name(ECR_PUBLIC_REGISTRY, ECR_PUBLIC_PREFIX + reference.repository)

    def origin_of(self, reference: Reference) -> Reference | None:
        """See :meth:`Place.origin_of`."""
        if reference.registry != ECR_PUBLIC_REGISTRY:
            return None
        origin = reference.with_name(DOCKER_HUB, reference.repository.removeprefix(ECR_PUBLIC_PREFIX))
        return origin if origin.is_official and reference.repository.startswith(ECR_PUBLIC_PREFIX) else None


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror of all of Docker Hub at ``registry``, below ``prefix`` (empty, or ending in ``/``)."""

    spec: str
    registry: str
    prefix: str

    def name_of(self, reference: Reference) -> Reference | None:
        """See :meth:`Place.name_of`."""
        return reference.with_name(self.registry, self.prefix + reference.repository)

    def origin_of(self, reference: Reference) -> Reference | None:
        """See :meth:`Place.origin_of`."""
        if reference.registry != self.registry or not reference.repository.startswith(self.prefix):
            return None
        path = reference.repository.removeprefix(self.prefix)
        return reference.with_name(DOCKER_HUB, path) if "/" in path else None


_PULL_THROUGH = re.compile(r"(?P<account>[0-9]{12})/(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9])/(?P<prefix>[a-z0-9][a-z0-9._/-]*)")


def parse_place(spec: str) -> Place:
    """Read a place as the user names it.

    ``docker-hub``, ``ecr-public``, ``mirror:HOST[/PREFIX]`` or
    ``ecr-pull-through:ACCOUNT/REGION/PREFIX``. Raises :class:`UsageError` for anything else.
    """
    kind, colon, rest = spec.partition(":")
    if spec == "docker-hub":
        return DockerHub()
    if spec == "ecr-public":
        return EcrPublic()
    if kind == "mirror" and colon:
        return _mirror(spec, rest)
    if kind == "ecr-pull-through" and colon:
        match = _PULL_THROUGH.fullmatch(rest.rstrip("/"))
        if match:
            host = f"{match['account']}.dkr.ecr.{match['region']}.amazonaws.com"
            return _mirror(spec, f"{host}/{match['prefix']}")
        raise UsageError(
            f"cannot use target {spec!r}: it is not ecr-pull-through:ACCOUNT/REGION/PREFIX",
            hint="An example: ecr-pull-through:123456789012/eu-west-1/docker-hub",
        )
    raise UsageError(
        f"cannot use {spec!r}: there is no such place",
        hint="Use ecr-public, docker-hub, mirror:HOST[/PREFIX] or ecr-pull-through:ACCOUNT/REGION/PREFIX",
    )


def _mirror(spec: str, address: str) -> Mirror:
    address = address.strip("/")
    try:
        probe = Reference.parse(f"{address}/library/probe")
    except InvalidReference as error:
        raise UsageError(f"cannot use target {spec!r}: {error.reason}") from None
    host, _, prefix = address.partition("/")
    if probe.registry != host:
        raise UsageError(
            f"cannot use target {spec!r}: {host!r} would be read as a Docker Hub name, not as a host",
            hint=f"A registry host has a dot or a port: mirror:{host}.example or mirror:{host}:5000",
        )
    return Mirror(spec, host, f"{prefix}/" if prefix else "")
