"""What may stand in ``unhub.toml`` (or under ``[tool.unhub]`` of ``pyproject.toml``)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from unhub.config.accounts import Account


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
    accept: tuple[Literal["same-platforms", "different", "missing", "unknown", "unverified-digests"], ...] = ()
    verify: bool = True
    on_missing: Literal["keep", "warn", "fail"] = "warn"
    max_lag: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,5}[mhdw]$")] = "72h"
    """How long Docker Hub's earlier digest counts as lag: a number and ``m``, ``h``, ``d`` or ``w``."""
    pin: bool = False
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
    ``realm`` is the host of a token service outside of the registry's own domain that may be given its login.
    """

    endpoint: str | None = None
    rate: Annotated[float, msgspec.Meta(ge=0)] | None = None
    ca: str | None = None
    realm: str | None = None


class Data(_Table, frozen=True, kw_only=True):
    """``[data]``: a file of dated facts that override the shipped ones."""

    file: str | None = None


class Fallback(_Table, frozen=True, kw_only=True):
    """``[[upstream.NAME.fallback]]``: another registry with the same content, asked by digest.

    ``url`` ends with what stands before the repository's name; ``repositories`` are globs on that name; ``rate`` is in
    manifests a second, ``None`` what the dated facts say.
    """

    url: str
    repositories: tuple[str, ...] = ("library/*",)
    rate: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Fresh(_Table, frozen=True, kw_only=True):
    """``[[upstream.NAME.fresh]]``: how long tags that match a glob are fresh, in seconds; the first match counts."""

    tags: str
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    repositories: str = "*"


class UpstreamLogin(_Table, frozen=True, kw_only=True):
    """``[[upstream.NAME.login]]``: one more login for an upstream, with ``several-logins = true`` only."""

    username: str | None = None
    password_file: str | None = msgspec.field(default=None, name="password-file")
    secret: str | None = None


class Upstream(_Table, frozen=True, kw_only=True):
    """``[upstream.NAME]``: a registry that is pulled through under the alias ``NAME``.

    ``hosts`` are the names under which clients know it (``docker.io``), also as ``?ns=``. ``username`` goes with a password
    from ``password-file``, ``UNHUB_UPSTREAM_NAME_PASSWORD`` or ``secret`` (a Secrets Manager id). More logins need
    ``several-logins``: an operator must be allowed to use them together. Times are seconds.
    """

    url: str
    hosts: tuple[str, ...] = ()
    fallback: tuple[Fallback, ...] | None = None
    """``None``: the default one for Docker Hub, none for others."""
    fresh: tuple[Fresh, ...] = ()
    username: str | None = None
    password_file: str | None = msgspec.field(default=None, name="password-file")
    secret: str | None = None
    login: tuple[UpstreamLogin, ...] = ()
    several_logins: bool = msgspec.field(default=False, name="several-logins")
    serve_private: bool = msgspec.field(default=False, name="serve-private")
    stale_while_revalidate: float | None = msgspec.field(default=None, name="stale-while-revalidate")
    stale_if_error: float = msgspec.field(default=30 * 86400.0, name="stale-if-error")
    hold: float = 25.0
    fallback_hold: float = msgspec.field(default=5.0, name="fallback-hold")
    keep_deleted: bool = msgspec.field(default=True, name="keep-deleted")
    ipv4_only: bool = msgspec.field(default=False, name="ipv4-only")


class Alias(_Table, frozen=True, kw_only=True):
    """``[alias.NAME]``: names below ``NAME/`` that are pushed here and never asked upstream.

    ``shadow`` allows a name that a Docker Hub organisation has too.
    """

    shadow: bool = False


class Serve(_Table, frozen=True, kw_only=True):
    """``[serve]``: the mirror. Sizes are bytes (``cache-size`` may be a share of the volume, ``"80%"``), times seconds.

    In mode ``ecr-public`` callers are told apart as by ECR Public, whose API is also served at ``api-listen``;
    ``registry-name`` is the registry's name in what that API answers. ``trusted-proxies`` are addresses and networks of proxies
    whose ``forwarded-header`` says who asks.
    """

    listen: tuple[str, ...] = ()
    data: str | None = None
    workers: Annotated[int, msgspec.Meta(ge=1)] = 1
    tls_certificate: str | None = msgspec.field(default=None, name="tls-certificate")
    tls_key: str | None = msgspec.field(default=None, name="tls-key")
    allow_plain_http: bool = msgspec.field(default=False, name="allow-plain-http")
    open_metrics: bool = msgspec.field(default=False, name="open-metrics")
    push_password_file: str | None = msgspec.field(default=None, name="push-password-file")
    delete: bool = True
    cache_size: str = msgspec.field(default="80%", name="cache-size")
    manifest_size: int = msgspec.field(default=8 * 1024 * 1024, name="manifest-size")
    require_blobs: bool = msgspec.field(default=False, name="require-blobs")
    """Whether a pushed manifest is refused where its blobs, or the manifests of an index, are not here."""
    immutable_tags: tuple[str, ...] = msgspec.field(default=(), name="immutable-tags")
    """Globs on ``NAME:TAG`` (without the alias): a tag that was pushed never moves to another image."""
    request_log: bool = msgspec.field(default=True, name="request-log")
    mode: Literal["open", "ecr-public"] = "open"
    api_listen: tuple[str, ...] = msgspec.field(default=(), name="api-listen")
    registry_name: str = msgspec.field(default="public.ecr.aws", name="registry-name")
    trusted_proxies: tuple[str, ...] = msgspec.field(default=(), name="trusted-proxies")
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = msgspec.field(default="x-forwarded-for", name="forwarded-header")


Unlimited = Literal["none"]
"""There is no limit."""

PerSecond = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]


class CallerTerms(_Table, frozen=True, kw_only=True):
    """``[terms.anonymous]``, ``[terms.account]``, ``[terms.aws]``: what a kind of caller may have; ``None`` is what the profile says."""

    pulls_a_second: PerSecond | Unlimited | None = msgspec.field(default=None, name="pulls-a-second")
    bytes_a_month: Annotated[int, msgspec.Meta(ge=1)] | Unlimited | None = msgspec.field(default=None, name="bytes-a-month")


class Terms(_Table, frozen=True, kw_only=True):
    """``[terms]``: what callers of the mirror may have, by a dated profile (``unhub facts profile``) and with figures of one's own.

    ``operations`` are requests a second of ECR Public's API by operation. ``in-region`` names files of networks whose callers
    count as inside AWS (``[terms.aws]``); of AWS's own file those of some regions or services may be chosen.
    """

    profile: str = "none"
    anonymous: CallerTerms = CallerTerms()
    account: CallerTerms = CallerTerms()
    aws: CallerTerms = CallerTerms()
    operations: dict[str, PerSecond | Unlimited] = {}
    burst: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    count_head: bool | None = msgspec.field(default=None, name="count-head")
    in_region: tuple[str, ...] = msgspec.field(default=(), name="in-region")
    in_region_regions: tuple[str, ...] = msgspec.field(default=(), name="in-region-regions")
    in_region_services: tuple[str, ...] = msgspec.field(default=(), name="in-region-services")
    keep_months: Annotated[int, msgspec.Meta(ge=1, le=1200)] = msgspec.field(default=13, name="keep-months")
    keep_address_months: Annotated[int, msgspec.Meta(ge=1, le=1200)] = msgspec.field(default=3, name="keep-address-months")


class Settings(_Table, frozen=True, kw_only=True):
    """The whole file."""

    migrate: Migrate = Migrate()
    kubernetes: Kubernetes = Kubernetes()
    data: Data = Data()
    registry: dict[str, Registry] = {}
    serve: Serve = Serve()
    upstream: dict[str, Upstream] = {}
    alias: dict[str, Alias] = {}
    account: dict[str, Account] = {}
    terms: Terms = Terms()
