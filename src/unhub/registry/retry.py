"""Retries: only of what is worth it, later each time, by chance, and bounded in number and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from unhub.image.errors import LimitKind

STATUSES: Final = frozenset({408, 500, 502, 503, 504})
"""Answers after which the same request may well succeed."""

LIMITS: Final = frozenset({LimitKind.RATE, LimitKind.ABUSE, LimitKind.OTHER})
"""Limits that end within a minute or so; the others hold for hours, and asking again is in vain."""


@dataclass(slots=True)
class Retries:
    """The attempts of one request.

    Waits are chosen evenly between 0 and a bound that doubles ("full jitter"), so that callers that failed together
    do not come back together. ``attempts`` counts the first one, too; ``patience`` is in seconds from the start.
    """

    attempts: int
    patience: float
    clock: Callable[[], float]
    random: Random
    base: float = 0.5
    longest: float = 20.0
    _made: int = field(default=0, init=False)
    _deadline: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._deadline = self.clock() + self.patience

    def next_wait(self, asked: float | None = None) -> float | None:
        """Seconds to wait before the next attempt, ``None`` where there is none.

        ``asked`` is what ``Retry-After`` demands: at least so long is waited, and not at all where that is too long.
        """
        self._made += 1
        if self._made >= self.attempts:
            return None
        spread = self.random.uniform(0, min(self.longest, self.base * 2.0 ** (self._made - 1)))
        wait = spread if asked is None else asked + spread
        return wait if self.clock() + wait <= self._deadline else None

    def progressed(self) -> None:
        """Count anew: what was asked for came a good way further."""
        self._made = 0
        self._deadline = self.clock() + self.patience
