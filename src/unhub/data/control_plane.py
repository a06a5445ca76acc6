"""Where AWS's services are reached and what a region's API does: the rows of ``control_plane.toml``, and a user's over them."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from unhub.data.facts import Dated
from unhub.data.rows import typed

REGION: Final = "{region}"
EVERY: Final = "*"

Service = Literal["ecr-public", "sts"]


class ApiHost(Dated, frozen=True, kw_only=True):
    """A name under which a service is reached (``id``), with ``{region}`` in it; no ``regions`` means any."""

    id: str
    service: Service
    regions: tuple[str, ...]
    says: str


class ApiSupport(Dated, frozen=True, kw_only=True):
    """The operations that a region (``id``) of ECR Public's API has; ``*`` stands for all."""

    id: str
    operations: tuple[str, ...]
    says: str


class ApiConstraint(Dated, frozen=True, kw_only=True):
    """The text about one kind of wrong value, with ``{limit}``."""

    id: str
    message: str


class ApiLimit(Dated, frozen=True, kw_only=True):
    """At least ``least`` and at most ``most`` of what ``says`` says."""

    id: str
    most: int
    least: int = 0
    says: str

    def __post_init__(self) -> None:
        """Refuse what nothing fits into."""
        if not 0 <= self.least <= self.most:
            raise ValueError("at least 0 and not more than the most")


TYPES: Final[dict[str, type[Dated]]] = {
    "api_host": ApiHost,
    "api_support": ApiSupport,
    "api_constraint": ApiConstraint,
    "api_limit": ApiLimit,
}
"""The kinds of rows of ``control_plane.toml``."""


def api_hosts(own: Path | None = None) -> tuple[ApiHost, ...]:
    """Every name, the most usual first. ``own`` is a user's data file."""
    return typed("api_host", ApiHost, own)


def api_support(own: Path | None = None) -> dict[str, frozenset[str]]:
    """The operations by region; of two rows about a region the user's."""
    found: dict[str, frozenset[str]] = {}
    for row in typed("api_support", ApiSupport, own):
        found.setdefault(row.id, frozenset(row.operations))
    return found


def api_constraints(own: Path | None = None) -> dict[str, str]:
    """The texts by their ``id``."""
    found: dict[str, str] = {}
    for row in typed("api_constraint", ApiConstraint, own):
        found.setdefault(row.id, row.message)
    return found


def api_limits(own: Path | None = None) -> dict[str, ApiLimit]:
    """The limits by their ``id``; of two rows with one ``id`` the user's."""
    found: dict[str, ApiLimit] = {}
    for row in typed("api_limit", ApiLimit, own):
        found.setdefault(row.id, row)
    return found
