"""What a client is told by its user: where registries are, how fast to ask, whom to trust."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unhub import __version__
from unhub.data.endpoints import builtin_endpoints
from unhub.image.errors import UsageError
from unhub.image.reference import DOCKER_HUB, Reference
from unhub.registry.addresses import WebAddress, is_loopback, literal, parse_url

PROXY_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How registries are reached. Registries are named as in references (``docker.io``, ``localhost:5000``).

    ``endpoints`` are base URLs that take the place of the registries' own; ``rates`` are requests a second, 0 means no
    limit, and dated data decides where nothing is said. ``ca_files`` are trusted beside the system's certificates for
    every registry, ``ca`` for one. ``realms`` are hosts of token services that are trusted beside a registry's own.
    ``untrusted`` registries have an endpoint that came with somebody else's files: they get no login but that host's own.
    ``ipv4_only`` asks no IPv6 address: Docker Hub counts a whole network of them as one caller.
    ``insecure`` registries may speak plain http, and must be on this machine. ``proxies`` are by scheme, with ``no``
    (:func:`urllib.request.getproxies_environment`). ``attempts`` and ``patience_seconds`` bound what is tried again;
    with one attempt nothing is, and no 429 makes later requests wait either.
    """

    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    rates: Mapping[str, float] = field(default_factory=dict[str, float])
    ca_files: tuple[Path, ...] = ()
    ca: Mapping[str, Path] = field(default_factory=dict[str, Path])
    realms: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    untrusted: frozenset[str] = frozenset()
    insecure: frozenset[str] = frozenset()
    proxies: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    offline: bool = False
    ipv4_only: bool = False
    attempts: int = 4
    patience_seconds: float = 180
    connect_seconds: float = 10
    read_seconds: float = 30
    user_agent: str = f"unhub/{__version__}"

    def check(self) -> None:
        """Raise :class:`UsageError` for what cannot be, before anything is asked."""
        for host in sorted(self.insecure):
            if not is_loopback(_without_port(host)):
                raise UsageError(f"cannot speak plain http with {host}: only with this machine (localhost, 127.0.0.1, [::1])")
        for registry in self.endpoints:
            self.endpoint(registry)
        for scheme in ("https", "all"):
            self.proxy_of(scheme)

    def endpoint(self, registry: str) -> WebAddress:
        """Where a registry's API is. Raises :class:`UsageError` for a URL that is none, or plain http to another machine."""
        said = self.endpoints.get(registry)
        if said is None:
            plain = registry in self.insecure or _without_port(registry) in self.insecure
            said = f"http://{registry}" if plain else builtin_endpoints().url(registry)
        try:
            address = parse_url(said.rstrip("/"))
            literal(address.host)
        except ValueError as error:
            raise UsageError(f"cannot use the endpoint of {registry}: {error}") from None
        if "?" in address.target:
            raise UsageError(f"cannot use the endpoint of {registry}: it has a query")
        if address.scheme == "http" and not is_loopback(address.host):
            raise UsageError(f"cannot use the endpoint {address} of {registry}: plain http is for this machine only", hint="Use https")
        return address

    def rate(self, registry: str, *, login: bool) -> float:
        """Requests a second that are sent to a registry; 0 means no limit."""
        said = self.rates.get(registry)
        return builtin_endpoints().requests_per_second(registry, login=login) if said is None else said

    def proxy_of(self, scheme: str) -> str | None:
        """The proxy that is set for a scheme, as a URL. Raises :class:`UsageError` for a kind that cannot be used."""
        said = self.proxies.get(scheme) or None
        if said is None:
            return None
        kind, separator, _ = said.partition("://")
        if separator and kind.lower() not in PROXY_SCHEMES:
            raise UsageError(f"cannot use a {kind} proxy: only http and https ones", hint="Set HTTPS_PROXY to an http:// proxy")
        return said if separator else f"http://{said}"

    def tls(self, registry: str) -> ssl.SSLContext | bool:
        """The certificates to trust for a registry: ``True`` for the system's alone.

        Raises :class:`UsageError` for a file that cannot be read or holds none.
        """
        own = (self.ca[registry],) if registry in self.ca else ()
        files = self.ca_files + own
        if not files:
            return True
        context = ssl.create_default_context()
        for path in files:
            try:
                context.load_verify_locations(path)
            except (OSError, ssl.SSLError) as error:
                reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
                raise UsageError(f"cannot read the certificates in {path}: {reason}") from None
        return context


def registry_of(reference: Reference) -> str:
    """The name under which a reference's registry is set up: all of Docker Hub's hosts are one."""
    return DOCKER_HUB if reference.is_docker_hub else reference.registry


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).strip("[]")
