"""Where registries are reached, how often they may be asked, and whom their logins may be given to."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from unhub.data.facts import Dated


class Endpoint(Dated, frozen=True, kw_only=True):
    """A registry that is reached elsewhere than under its name, or has a name for people.

    ``registry`` is written as in references, ``url`` is what stands before ``/v2/``.
    """

    registry: str
    url: str
    title: str


class Realm(Dated, frozen=True, kw_only=True):
    """The host of a token service that may be given a registry's login although it is another host."""

    registry: str
    host: str


class Rate(Dated, frozen=True, kw_only=True):
    """How often a registry may be asked by a caller with or without a login."""

    registry: str
    caller: Literal["anonymous", "login"]
    requests_per_second: float


class Shared(Dated, frozen=True, kw_only=True):
    """Domains below which anybody can have a name.

    ``second-level`` names stand before a country (``co`` of ``co.uk``), a ``suffix`` is like a top-level domain
    itself, below ``hosting`` everything belongs to tenants at any depth.
    """

    kind: Literal["second-level", "suffix", "hosting"]
    names: tuple[str, ...]


class Pause(Dated, frozen=True, kw_only=True):
    """How many seconds to leave a registry alone after a 429 of a kind, where it does not say so itself."""

    kind: str
    seconds: float


class Endpoints(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is known of reaching registries."""

    endpoint: tuple[Endpoint, ...] = ()
    realm: tuple[Realm, ...] = ()
    rate: tuple[Rate, ...] = ()
    shared: tuple[Shared, ...] = ()
    pause: tuple[Pause, ...] = ()

    def url(self, registry: str) -> str:
        """The base URL of a registry's API, ``https://`` and its name where nothing else is known."""
        return next((row.url for row in self.endpoint if row.registry == registry), f"https://{registry}")

    def title(self, registry: str) -> str:
        """What people call a registry."""
        return next((row.title for row in self.endpoint if row.registry == registry), registry)

    def realms(self, registry: str) -> frozenset[str]:
        """Hosts of token services that belong to a registry."""
        return frozenset(row.host for row in self.realm if row.registry == registry)

    def requests_per_second(self, registry: str, *, login: bool) -> float:
        """The rate that a registry allows; 0 where none is known."""
        caller = "login" if login else "anonymous"
        return next((row.requests_per_second for row in self.rate if (row.registry, row.caller) == (registry, caller)), 0.0)

    def pause_seconds(self, kind: str) -> float | None:
        """Seconds to wait after a 429 of a kind (:class:`unhub.image.errors.LimitKind`); ``None`` where nothing is known."""
        return next((row.seconds for row in self.pause if row.kind == kind), None)

    def shared_names(self, kind: Literal["second-level", "suffix", "hosting"]) -> frozenset[str]:
        """All shared domains of one kind."""
        return frozenset(name for row in self.shared if row.kind == kind for name in row.names)


@cache
def builtin_endpoints() -> Endpoints:
    """What is shipped with this version (``endpoints.toml``)."""
    return msgspec.convert(tomllib.loads((files("unhub.data") / "endpoints.toml").read_text("utf-8")), Endpoints)
