"""What the mirror is told: the settings file, the command line over it, and what is sensible without either."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unhub.config.settings import Serve, Settings
from unhub.data.listing import check
from unhub.data.terms import TermsData
from unhub.image.errors import ConfigurationError, UsageError
from unhub.mirror.capacity import Capacity
from unhub.mirror.names import DOCKER, Mode, NameRules
from unhub.mirror.networks import Networks
from unhub.mirror.seeding import AccountSeed
from unhub.registry.settings import ClientSettings
from unhub.server.listen import LOCAL, Listen
from unhub.server.logins import Logins
from unhub.server.terms import TermsSettings, terms_settings, trusted_proxies
from unhub.server.upstreams import BadAddress, UpstreamSettings, docker_hub, upstream_settings

Key = tuple[str | int, ...]
Where = Callable[[Key], str]
"""The place of a setting for people, as in ``unhub.toml:3:1``; the command line has none."""

OWN: Final = "local"
"""The alias for what is pushed, where none is declared."""

_ALIAS = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says; ``None`` or empty where the settings file or the default decides."""

    listen: tuple[str, ...] = ()
    data: Path | None = None
    upstream: str | None = None
    fallback: tuple[str, ...] = ()
    no_fallback: bool = False
    own: tuple[str, ...] = ()
    workers: int | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    allow_plain_http: bool | None = None
    open_metrics: bool | None = None
    push_password_file: Path | None = None
    mode: str | None = None
    api_listen: tuple[str, ...] = ()
    terms: str | None = None
    trusted_proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is taken from where the server runs: the default data folder, the way to registries, environment and time-outs."""

    data: Path
    client: ClientSettings = field(default_factory=ClientSettings)
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    login: bool = True


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files; ``certificate`` may hold the chain."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Everything that the server does by; sizes are bytes."""

    listen: tuple[Listen, ...]
    data: Path
    upstreams: tuple[UpstreamSettings, ...]
    names: NameRules
    own_aliases: tuple[str, ...] = ()
    """Aliases that were declared; in mode ``ecr-public`` the default account's registry gets them."""
    workers: int = 1
    tls: Tls | None = None
    open_metrics: bool = False
    push_password: str | None = field(default=None, repr=False)
    delete: bool = True
    cache_size: Capacity = field(default_factory=lambda: Capacity(share=0.8))
    manifest_size: int = 8 * 1024 * 1024
    require_blobs: bool = False
    immutable_tags: tuple[str, ...] = ()
    request_log: bool = True
    mode: Mode = Mode.OPEN
    api_listen: tuple[Listen, ...] = ()
    """Where ECR Public's API is served on a port of its own (mode ``ecr-public`` only)."""
    registry_name: str = "public.ecr.aws"
    terms: TermsSettings = field(default_factory=TermsSettings)
    trusted_proxies: Networks = field(default_factory=Networks)
    forwarded_header: str = "x-forwarded-for"
    facts: Path | None = None
    """A data file whose rows beat the shipped ones; the loaders of :mod:`unhub.data` take it as ``own``."""
    seeds: tuple[AccountSeed, ...] = ()
    """Accounts and identities that are made at the start where they are missing."""

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return all(listen.is_loopback for listen in self.listen)

    @property
    def pulled_through(self) -> frozenset[str]:
        """The aliases of upstreams."""
        return frozenset(one.rules.alias for one in self.upstreams)

    @property
    def database(self) -> str:
        """The URL of the metadata store."""
        return f"sqlite:///{self.data / 'unhub.db'}"

    @property
    def socket(self) -> Path:
        """Where the fetcher listens for the workers."""
        return self.data / "run" / "fetcher.sock"


def command_line(key: Key) -> str:
    """The place of what no file says."""
    return "settings: " + ".".join(str(part) for part in key)


def serve_settings(
    settings: Settings, flags: Flags, around: Surroundings, folder: Path | None = None, where: Where = command_line
) -> ServeSettings:
    """Flags over the file over the defaults, checked.

    ``folder`` is what the file's paths are relative to. Raises :class:`ConfigurationError` with the place for what the file
    says, :class:`UsageError` for what the command line says.
    """
    serve, base = settings.serve, folder or Path()
    listen = _listen(flags.listen, serve.listen, "listen", where) or (LOCAL,)
    api_listen = _listen(flags.api_listen, serve.api_listen, "api-listen", where)
    mode = Mode(flags.mode or serve.mode)
    if api_listen and mode is not Mode.ECR_PUBLIC:
        raise UsageError("cannot serve ECR Public's API in mode open: nobody is known by name there", hint="Add --mode ecr-public")
    tls = _tls(flags, serve, base, where)
    plain = serve.allow_plain_http if flags.allow_plain_http is None else flags.allow_plain_http
    _check_plain_http((*listen, *api_listen), tls, allowed=plain)
    upstreams = _upstreams(settings, flags, around, base, where)
    names = _names(settings, flags, upstreams, where)
    facts = _facts(settings, base, where)
    return ServeSettings(
        listen=listen,
        data=(flags.data or (base / Path(serve.data) if serve.data else around.data)).absolute(),
        upstreams=upstreams,
        names=names,
        own_aliases=tuple(dict.fromkeys((*flags.own, *settings.alias))),
        workers=flags.workers or serve.workers,
        tls=tls,
        open_metrics=serve.open_metrics if flags.open_metrics is None else flags.open_metrics,
        push_password=_push_password(flags, serve, base, where),
        delete=serve.delete,
        cache_size=_cache_size(serve, where),
        manifest_size=serve.manifest_size,
        require_blobs=serve.require_blobs,
        immutable_tags=serve.immutable_tags,
        request_log=serve.request_log,
        mode=mode,
        api_listen=api_listen,
        registry_name=serve.registry_name,
        terms=terms_settings(settings, flags.terms, TermsData(facts), base, where),
        trusted_proxies=trusted_proxies(flags.trusted_proxies, serve.trusted_proxies, where),
        forwarded_header=serve.forwarded_header,
        facts=facts,
        seeds=_seeds(settings, around, base, where),
    )


def _facts(settings: Settings, base: Path, where: Where) -> Path | None:
    """The user's data file, which can be read."""
    if settings.data.file is None:
        return None
    path = base / settings.data.file
    try:
        check(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where(('data', 'file'))}: {error.message}", hint=error.hint) from None
    return path


def _seeds(settings: Settings, around: Surroundings, base: Path, where: Where) -> tuple[AccountSeed, ...]:
    if not settings.account:
        return ()
    from unhub.server.seeds import Seeds

    return Seeds(base, around.environment, where).of(settings.account)


def _listen(said: tuple[str, ...], written: tuple[str, ...], key: str, where: Where) -> tuple[Listen, ...]:
    """Places of the command line, else those of the file."""
    if said:
        return tuple(Listen.parse(text) for text in said)
    found: list[Listen] = []
    for number, text in enumerate(written):
        try:
            found.append(Listen.parse(text))
        except UsageError as error:
            raise ConfigurationError(f"{where(('serve', key, number))}: {error.message}", hint=error.hint) from None
    return tuple(found)


def _check_plain_http(listen: tuple[Listen, ...], tls: Tls | None, *, allowed: bool) -> None:
    reachable = [one for one in listen if not one.is_loopback]
    if reachable and tls is None and not allowed:
        raise UsageError(
            f"cannot listen on {reachable[0]}: others reach it, and without TLS they could be given anything",
            hint="Use --tls-certificate and --tls-key (`unhub certificate` makes them), or --allow-plain-http in a network that you trust",
        )


def _tls(flags: Flags, serve: Serve, base: Path, where: Where) -> Tls | None:
    certificate = flags.tls_certificate or (base / serve.tls_certificate if serve.tls_certificate else None)
    key = flags.tls_key or (base / serve.tls_key if serve.tls_key else None)
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        said, missing = ("certificate", "key") if key is None else ("key", "certificate")
        if flags.tls_certificate or flags.tls_key:
            raise UsageError(f"cannot use TLS: there is a {said} and no {missing}", hint=f"Add --tls-{missing} FILE")
        raise ConfigurationError(f"{where(('serve', f'tls-{said}'))}: cannot use TLS: there is a {said} and no {missing}")
    for path in (certificate, key):
        _readable(path)
    return Tls(certificate.absolute(), key.absolute())


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None


def _push_password(flags: Flags, serve: Serve, base: Path, where: Where) -> str | None:
    if flags.push_password_file is not None:
        return secret_from(flags.push_password_file, "the push password")
    if serve.push_password_file is None:
        return None
    try:
        return secret_from(base / serve.push_password_file, "the push password")
    except UsageError as error:
        raise ConfigurationError(f"{where(('serve', 'push-password-file'))}: {error.message}") from None


def secret_from(path: Path, what: str) -> str:
    """The one line of a file. Raises :class:`UsageError`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror or error if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"cannot read {what} from {path}: {cause}") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text:
        raise UsageError(f"cannot read {what} from {path}: it is not one line")
    return text


def _cache_size(serve: Serve, where: Where) -> Capacity:
    try:
        return Capacity.parse(serve.cache_size)
    except ValueError as error:
        raise ConfigurationError(f"{where(('serve', 'cache-size'))}: cannot use the cache size {serve.cache_size!r}: {error}") from None


def _upstreams(settings: Settings, flags: Flags, around: Surroundings, base: Path, where: Where) -> tuple[UpstreamSettings, ...]:
    tables = dict(settings.upstream)
    tables[DOCKER] = docker_hub(tables.get(DOCKER), flags.upstream)
    logins = Logins(base, around.environment, secret_from)
    found: list[UpstreamSettings] = []
    for alias, table in tables.items():
        is_docker = alias == DOCKER
        try:
            _check_alias(alias)
            one = upstream_settings(
                alias,
                table,
                around.client,
                login=logins.of(alias, table) if around.login else None,
                more_logins=logins.more(alias, table) if around.login else (),
                fallbacks=flags.fallback if is_docker else (),
                own_upstream=is_docker and flags.upstream is not None,
                no_fallback=is_docker and flags.no_fallback,
            )
        except UsageError as error:
            if (is_docker and (flags.upstream or flags.fallback)) or alias not in settings.upstream:
                raise
            key = error.key if isinstance(error, BadAddress) else ()
            raise ConfigurationError(f"{where(('upstream', alias, *key))}: {error.message}", hint=error.hint) from None
        found.append(one)
    return tuple(found)


def _check_alias(alias: str) -> None:
    if not _ALIAS.fullmatch(alias):
        raise UsageError(f"cannot use the alias {alias!r}: it is no component of a repository's name (small letters, digits, . _ -)")


def _names(settings: Settings, flags: Flags, upstreams: tuple[UpstreamSettings, ...], where: Where) -> NameRules:
    hosts: dict[str, str] = {}
    for upstream in upstreams:
        for host in upstream.rules.hosts:
            other, alias = hosts.setdefault(host, upstream.rules.alias), upstream.rules.alias
            if other != alias:
                said, has = (alias, other) if alias in settings.upstream else (other, alias)
                place = where(("upstream", said, "hosts"))
                raise ConfigurationError(f"{place}: cannot use the host {host!r} for {said!r}: {has!r} has it, too")
    own = {alias: where(("alias", alias)) for alias in settings.alias} | dict.fromkeys(flags.own, "")
    aliases = {upstream.rules.alias for upstream in upstreams}
    for alias, place in own.items():
        shadow = alias in settings.alias and settings.alias[alias].shadow
        _check_own(alias, place, aliases | set(hosts), shadow=shadow)
    return NameRules(frozenset(own or {OWN}), hosts)


def _check_own(alias: str, place: str, taken: set[str], *, shadow: bool) -> None:
    from unhub.data.organisations import docker_hub_organisations

    kind, before = (ConfigurationError, f"{place}: ") if place else (UsageError, "")
    if not _ALIAS.fullmatch(alias):
        raise kind(f"{before}cannot use the alias {alias!r}: it is no component of a repository's name (small letters, digits, . _ -)")
    if alias in taken:
        raise kind(f"{before}cannot use the alias {alias!r} for pushes: an upstream has it")
    if not shadow and alias in docker_hub_organisations():
        raise kind(
            f"{before}cannot use the alias {alias!r} for pushes: Docker Hub has an organisation of that name, whose images it would hide",
            hint=f"Use another alias, or allow it in the settings file: [alias.{alias}] shadow = true",
        )
