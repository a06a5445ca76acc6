"""Upstreams and fallbacks as the settings name them, turned into rules and into what a registry client is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from unhub.config.settings import Fallback, Upstream
from unhub.data.endpoints import builtin_endpoints
from unhub.image.errors import UsageError
from unhub.image.reference import DOCKER_HUB
from unhub.mirror.freshness import Freshness, FreshnessRule
from unhub.mirror.upstream import FallbackRules, Place, UpstreamRules
from unhub.registry.addresses import WebAddress, is_loopback, parse_url
from unhub.registry.settings import ClientSettings
from unhub.server.logins import Login

DOCKER_HOSTS: Final = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
"""The names under which clients know Docker Hub, as ``?ns=`` and in references."""

ECR_PUBLIC: Final = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
"""Registries that the ambient AWS credentials open."""

DEFAULT_FALLBACK: Final = "https://public.ecr.aws/docker"
"""Where Docker Hub's official images are, too (ecr-public.md, "docker/library")."""

ANSWER_SECONDS: Final = 20.0


class BadAddress(UsageError):
    """A URL that cannot be used; ``key`` is its place below the upstream's table."""

    def __init__(self, message: str, key: tuple[str | int, ...], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSettings:
    """A fallback: its rules, and the client that asks it. ``aws_login`` says that AWS credentials open it."""

    rules: FallbackRules
    client: ClientSettings
    aws_login: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """An upstream: its rules, the client that asks it, the logins for it, and its fallbacks."""

    rules: UpstreamRules
    client: ClientSettings
    login: Login | None = None
    more_logins: tuple[Login, ...] = ()
    fallbacks: tuple[FallbackSettings, ...] = ()


def docker_hub(table: Upstream | None, url: str | None) -> Upstream:
    """Docker Hub's table: as the file has it, with the command line's URL, or the default."""
    table = table or Upstream(url=builtin_endpoints().url(DOCKER_HUB))
    hosts = tuple(dict.fromkeys((*DOCKER_HOSTS, *table.hosts)))
    return msgspec.structs.replace(table, url=url or table.url, hosts=hosts)


def upstream_settings(
    alias: str,
    table: Upstream,
    client: ClientSettings,
    *,
    login: Login | None,
    more_logins: tuple[Login, ...] = (),
    fallbacks: tuple[str, ...] = (),
    own_upstream: bool = False,
    no_fallback: bool = False,
) -> UpstreamSettings:
    """One upstream. ``fallbacks`` are the command line's URLs; with ``own_upstream`` there is no default one.

    Raises :class:`UsageError` for a URL that cannot be used.
    """
    address = _address(table.url, f"upstream {alias!r}", ("url",))
    is_hub = DOCKER_HUB in table.hosts
    registry = DOCKER_HUB if is_hub else address.netloc
    tables = [] if no_fallback else _fallbacks(table, fallbacks, default=is_hub and not own_upstream and _is_own(address))
    made = tuple(_fallback(one, number, client) for number, one in enumerate(tables))
    if login is None and more_logins:
        login, more_logins = more_logins[0], more_logins[1:]
    rules = UpstreamRules(
        alias=alias,
        place=Place(registry, _prefix(address)),
        title=builtin_endpoints().title(registry) if not is_hub or _is_own(address) else f"Docker Hub at {address.netloc}",
        hosts=table.hosts or (address.netloc,),
        fallbacks=tuple(one.rules for one in made),
        freshness=_freshness(table),
        credential=login.username if login else "",
        serve_private=table.serve_private,
        hold=table.hold,
        fallback_hold=table.fallback_hold,
        keep_deleted=table.keep_deleted,
    )
    return UpstreamSettings(
        rules=rules,
        client=_client(client, registry, address, ipv4_only=table.ipv4_only),
        login=login,
        more_logins=more_logins,
        fallbacks=made,
    )


def _is_own(address: WebAddress) -> bool:
    return address.host in DOCKER_HOSTS


def _fallbacks(table: Upstream, urls: tuple[str, ...], *, default: bool) -> list[Fallback]:
    if urls:
        return [Fallback(url=url) for url in urls]
    if table.fallback is not None:
        return list(table.fallback)
    return [Fallback(url=DEFAULT_FALLBACK)] if default else []


def _fallback(table: Fallback, number: int, client: ClientSettings) -> FallbackSettings:
    address = _address(table.url, "fallback", ("fallback", number, "url"))
    registry = address.netloc
    rate = builtin_endpoints().requests_per_second(registry, login=False) if table.rate is None else table.rate
    rules = FallbackRules(registry + address.target.rstrip("/"), Place(registry, _prefix(address)), table.repositories, rate)
    return FallbackSettings(rules=rules, client=_client(client, registry, address), aws_login=registry in ECR_PUBLIC)


def _freshness(table: Upstream) -> Freshness:
    rules = tuple(FreshnessRule(rule.tags, rule.seconds, rule.repositories) for rule in table.fresh)
    return Freshness(rules, table.stale_while_revalidate, table.stale_if_error)


def _address(url: str, what: str, key: tuple[str | int, ...]) -> WebAddress:
    try:
        address = parse_url(url)
    except ValueError as error:
        hint = f"Write it like {DEFAULT_FALLBACK}"
        raise BadAddress(f"cannot use the {what}: {url!r} is no address of a registry: {error}", key, hint=hint) from None
    if "?" in address.target:
        raise BadAddress(f"cannot use the {what}: {url!r} has a query", key)
    if address.scheme == "http" and not is_loopback(address.host):
        raise BadAddress(f"cannot use the {what} {url}: plain http is for this machine only", key, hint="Use https")
    return address


def _prefix(address: WebAddress) -> str:
    path = address.target.strip("/")
    return f"{path}/" if path else ""


def _client(client: ClientSettings, registry: str, address: WebAddress, *, ipv4_only: bool = False) -> ClientSettings:
    """A client that asks once and does not wait: waiting is the mirror's decision. An own URL beats ``--endpoint``."""
    own = builtin_endpoints().url(registry)
    base = f"{address.scheme}://{address.netloc}"
    endpoints = dict(client.endpoints)
    if base != own:
        endpoints[registry] = base
    return replace(
        client,
        endpoints=endpoints,
        rates={registry: 0.0},
        attempts=1,
        connect_seconds=min(client.connect_seconds, 5.0),
        read_seconds=ANSWER_SECONDS,
        ipv4_only=ipv4_only or client.ipv4_only,
    )
