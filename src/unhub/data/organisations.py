"""Well-known organisations of Docker Hub, which an alias for pushes must not hide by accident."""

from __future__ import annotations

from functools import cache

from unhub.data.facts import Dated
from unhub.data.rows import typed


class Organisations(Dated, frozen=True, kw_only=True):
    """Names of organisations: the first component of a repository's name."""

    id: str = ""
    names: tuple[str, ...]


@cache
def docker_hub_organisations() -> frozenset[str]:
    """The names that this version knows."""
    return frozenset(name for row in typed("organisation", Organisations) for name in row.names)
