"""What may stand in ``unhub.toml`` (or under ``[tool.unhub]`` of ``pyproject.toml``)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that refuses keys it does not know."""


class Rule(_Table, frozen=True, kw_only=True):
    """One mapping rule: a glob on the normalised name and a template for the new one.

    ``match`` is compared with ``docker.io/library/node``; ``target`` may hold ``{registry}``,
    ``{repository}`` and ``{name}`` (the last component), or is ``keep``. ``paths`` and ``not-paths``
    are globs on the file's path. The first rule that matches wins.
    """

    match: str
    target: str
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = msgspec.field(default=(), name="not-paths")


class Migrate(_Table, frozen=True, kw_only=True):
    """``[migrate]``: where from, where to, and what to treat specially."""

    from_: str = msgspec.field(default="docker-hub", name="from")
    to: tuple[str, ...] = ("ecr-public",)
    rule: tuple[Rule, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = msgspec.field(default=(), name="not-paths")
    short_names: Literal["report", "docker.io"] = "report"
    require_login: bool = False
    gitlab_alias: bool = False
    unsafe: bool = False
    accept: tuple[Literal["unverified-digests"], ...] = ()
    build_outputs: bool = False
    helm_defaults: bool = False
    include_comments: bool = False
    docs: bool = False
    max_file_size: Annotated[int, msgspec.Meta(ge=1)] = 10_000_000
    """Bytes; a larger file is reported and not read."""


class Position(_Table, frozen=True, kw_only=True):
    """An image position of a custom resource: its kind (or ``*``) and a dotted path of keys."""

    kind: str
    path: str


class Kubernetes(_Table, frozen=True, kw_only=True):
    """``[kubernetes]``: image positions of custom resources."""

    positions: tuple[Position, ...] = ()


class Registry(_Table, frozen=True, kw_only=True):
    """``[registry."HOST"]``: how one registry is reached; ``HOST`` as in references (``docker.io``, ``public.ecr.aws``).

    ``endpoint`` is a URL that takes the place of the registry's own; ``rate`` is in requests a second, 0 means
    no limit; ``ca`` names a PEM file, relative to the settings file, of certificates to trust beside the system's.
    """

    endpoint: str | None = None
    rate: Annotated[float, msgspec.Meta(ge=0)] | None = None
    ca: str | None = None


class Data(_Table, frozen=True, kw_only=True):
    """``[data]``: a file of dated facts that override the shipped ones."""

    file: str | None = None


class Settings(_Table, frozen=True, kw_only=True):
    """The whole file."""

    migrate: Migrate = Migrate()
    kubernetes: Kubernetes = Kubernetes()
    data: Data = Data()
    registry: dict[str, Registry] = {}
