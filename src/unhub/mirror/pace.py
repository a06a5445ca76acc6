"""The pace at which a fallback may be asked: a queue of slots, known in advance, so that waiting can be promised.

The rate is what the settings or dated facts say; where they say nothing, or too much, it is learnt from refusals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_GAP: Final = 0.05
"""Seconds between slots after the first refusal of a registry whose rate nobody knows."""

LONGEST_GAP: Final = 2.0
"""Seconds between slots at most: a registry that refuses even that is left to its breaker."""

SLOWER: Final = 2.0
"""By how much a refusal stretches the gap; once in :data:`BLAME` seconds, since those under way were sent at the old pace."""

FASTER: Final = 0.97
"""By how much an answer shrinks the gap again, down to what is configured."""

BLAME: Final = 1.0

LESS: Final = 1.08
"""How much longer than measured a gap is made, so that the registry has something in hand again."""


class Pace:
    """Slots that lie a gap apart; without a rate every moment is a slot, until the registry refuses."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """``rate`` is in requests a second, 0 where it is not known; ``clock`` gives seconds that never go back."""
        self._clock = clock
        self._next = 0.0
        self._least = self._gap = 1 / rate if rate > 0 else 0.0
        self._blamed_at = float("-inf")
        self._served = 0

    @property
    def rate(self) -> float:
        """Requests a second at the pace of now; 0 where there is no limit."""
        return 1 / self._gap if self._gap else 0.0

    def free_in(self) -> float:
        """Seconds until the first slot that nobody has taken."""
        return max(0.0, self._next - self._clock())

    def take(self) -> float:
        """Take that slot; the seconds until it comes. Who takes one must use it or :meth:`give_back`."""
        wait = self.free_in()
        self._next = self._clock() + wait + self._gap
        return wait

    def give_back(self) -> None:
        """The slot taken last was not used."""
        self._next = max(self._clock(), self._next - self._gap)

    def again(self) -> None:
        """Who had a slot, and nothing of it, asks again out of turn: those who come later wait a gap longer."""
        self._next = max(self._next, self._clock()) + self._gap

    def served(self) -> None:
        """The registry answered: a pace that was learnt may quicken a little."""
        self._served += 1
        if self._gap > self._least:
            self._gap = max(self._gap * FASTER, self._least)
            if self._gap < FIRST_GAP / SLOWER and not self._least:
                self._gap = 0.0

    def refused(self, pause: float) -> None:
        """The registry said that this was too fast: no slot for ``pause`` seconds, and a slower pace from then on."""
        now = self._clock()
        if now - self._blamed_at >= BLAME:
            stretched = min(self._gap * SLOWER, self._measured(now) * LESS)
            self._gap = min(max(stretched, self._gap, FIRST_GAP), max(LONGEST_GAP, self._least))
            self._blamed_at, self._served = now, 0
        self._next = max(self._next, now + max(pause, self._gap))

    def _measured(self, now: float) -> float:
        """The gap that the registry allowed since its last refusal; longer than the truth where it was not asked all the time.

        Whatever burst it allows, it had nothing in hand at both refusals: what it served in between is its rate.
        """
        return (now - self._blamed_at) / self._served if self._served else float("inf")

    def set_rate(self, rate: float) -> None:
        """Another rate from here on: a login came or went. Slots that were taken stay as they were."""
        self._least = self._gap = 1 / rate if rate > 0 else 0.0
