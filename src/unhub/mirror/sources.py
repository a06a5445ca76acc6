"""Who is asked for the content of a repository: an upstream and its fallbacks, each with the rules of when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unhub.mirror.source import Source
from unhub.mirror.upstream import FallbackRules, UpstreamRules
from unhub.store.records import RepositoryKey


@dataclass(slots=True)
class Fallback:
    """A fallback with the rules of when to ask it."""

    rules: FallbackRules
    source: Source


@dataclass(slots=True)
class Upstream:
    """An upstream, its fallbacks, and where it is asked without a login (to see what is public).

    ``more`` are the same registry with other logins, whose pulls are spent when those of ``source`` are used up.
    """

    rules: UpstreamRules
    source: Source
    fallbacks: Sequence[Fallback] = ()
    anonymous: Source | None = None
    more: Sequence[Source] = ()

    @property
    def has_login(self) -> bool:
        """Whether an account is used that may read more than everybody may."""
        return self.anonymous is not None

    def carrying(self, key: RepositoryKey) -> list[Fallback]:
        """The fallbacks that may have a repository, in their order."""
        return [fallback for fallback in self.fallbacks if fallback.rules.carries(key.path)]
