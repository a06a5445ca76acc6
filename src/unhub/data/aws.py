"""What is known about logging in to ECR Public: the rows of ``aws.toml``."""

from __future__ import annotations

from functools import cache

from unhub.data.facts import Dated
from unhub.data.rows import typed


class ApiRegion(Dated, frozen=True, kw_only=True):
    """A region that has ECR Public's API. ``id`` is AWS's name of it."""

    id: str
    says: str


class PublicRegistry(Dated, frozen=True, kw_only=True):
    """A host name of ECR Public's registry; ``id`` is the name."""

    id: str
    says: str


class RegistryPassword(Dated, frozen=True, kw_only=True):
    """The user name that goes with a password that AWS gives out, and for how many ``hours`` it holds."""

    id: str
    username: str
    hours: int


class FetchingHelper(Dated, frozen=True, kw_only=True):
    """A docker credential helper that asks AWS by itself; ``id`` is what ``credHelpers`` calls it."""

    id: str
    says: str


@cache
def api_regions() -> tuple[str, ...]:
    """The regions that have ECR Public's API, the one to ask first."""
    return tuple(row.id for row in typed("api_region", ApiRegion))


@cache
def public_registries() -> tuple[str, ...]:
    """The names of ECR Public's registry, the usual one first."""
    return tuple(row.id for row in typed("public_registry", PublicRegistry))


@cache
def registry_password() -> RegistryPassword:
    """User name and life of ECR Public's passwords."""
    return typed("registry_password", RegistryPassword)[0]


@cache
def fetching_helpers() -> frozenset[str]:
    """Helpers through which nothing has to be stored."""
    return frozenset(row.id for row in typed("fetching_helper", FetchingHelper))
