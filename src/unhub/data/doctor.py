"""What a machine is compared with: the rows of ``doctor.toml``."""

from __future__ import annotations

from functools import cache

from unhub.data.facts import Dated
from unhub.data.rows import typed


class NeededHost(Dated, frozen=True, kw_only=True):
    """A host that pulls or logins need; ``url`` answers something to a GET without a login."""

    id: str
    title: str
    url: str


class AwsCli(Dated, frozen=True, kw_only=True):
    """The first version of a major one (``id``) of the AWS CLI that has ``aws ecr-public``."""

    id: str
    knows_since: str


class ClockSkew(Dated, frozen=True, kw_only=True):
    """By how many seconds a clock may be off."""

    id: str
    warning_seconds: int
    failed_seconds: int


@cache
def needed_host(name: str) -> NeededHost:
    """A host by its id."""
    return next(row for row in typed("needed_host", NeededHost) if row.id == name)


@cache
def aws_cli_versions() -> dict[str, AwsCli]:
    """The rows about the AWS CLI by major version."""
    return {row.id: row for row in typed("aws_cli", AwsCli)}


@cache
def clock_skew() -> ClockSkew:
    """How far a clock may be off."""
    return typed("clock_skew", ClockSkew)[0]
