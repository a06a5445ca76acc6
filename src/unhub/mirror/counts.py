"""What was fetched from whom, for the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Manifests since the start: pulls that counted, GETs of fallbacks, pulls that a fallback saved, and what came by its tag."""

    upstream_pulls: int = 0
    fallback_gets: int = 0
    saved_pulls: int = 0
    by_tag: int = 0
    per_source: dict[str, int] = field(default_factory=dict[str, int])

    def pulled(self, source: str) -> None:
        """A pull of the upstream, by a login's name."""
        self.upstream_pulls += 1
        self._add(source)

    def fell_back(self, fallback: str) -> None:
        """A manifest of a fallback."""
        self.fallback_gets += 1
        self._add(fallback)

    def _add(self, source: str) -> None:
        self.per_source[source] = self.per_source.get(source, 0) + 1
