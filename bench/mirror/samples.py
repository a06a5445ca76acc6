"""Figures of several runs, and how they are written."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Samples:
    """One figure of every run, in one unit."""

    values: list[float] = field(default_factory=list[float])

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def shown(self, digits: int = 0) -> str:
        """Median and, of more than one run, the least and the most."""
        if not self.values:
            return "—"
        middle = f"{self.median:,.{digits}f}"
        if len(self.values) == 1:
            return middle
        return f"{middle} ({min(self.values):,.{digits}f}–{max(self.values):,.{digits}f})"


def ratio(one: Samples, other: Samples) -> Samples:
    """Run by run: what was measured in the same round belongs together."""
    return Samples([a / b for a, b in zip(one.values, other.values, strict=True) if b])


def percentile(values: Sequence[float], percent: float) -> float:
    """A value that ``percent`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]


def verdict(met: bool) -> str:
    """Whether a goal was met in this run."""
    return "met" if met else "**not met**"
