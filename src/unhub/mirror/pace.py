"""The pace at which a fallback may be asked: a queue whose turns are known in advance, so that waiting can be promised.

The rate is what the settings or dated facts say; where they say nothing, or too much, it is learnt from refusals. Who is
refused comes first again: at the end of the queue one could wait for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

FIRST_GAP: Final = 0.05
"""Seconds between turns after the first refusal of a registry whose rate nobody knows."""

LONGEST_GAP: Final = 2.0
"""Seconds between turns at most: a registry that refuses even that is left to its breaker."""

SLOWER: Final = 2.0
"""By how much a refusal stretches the gap; once in :data:`BLAME` seconds, since those under way were sent at the old pace."""

FASTER: Final = 0.985
"""By how much an answer shrinks the gap again, down to what is configured."""

BLAME: Final = 1.0

LESS: Final = 1.08
"""How much longer than measured a gap is made, so that the registry has something in hand again."""

NAP: Final = 1.0
"""Seconds after which who waits looks again: turns come earlier where somebody leaves the queue."""


class Pace:
    """Turns that lie a gap apart; without a rate every moment is a turn, until the registry refuses. Lives in one event loop."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """``rate`` is in requests a second, 0 where it is not known; ``clock`` gives seconds that never go back."""
        self._clock = clock
        self._next = 0.0
        self._least = self._gap = 1 / rate if rate > 0 else 0.0
        self._queue: deque[object] = deque()
        self._blamed_at = float("-inf")
        self._served = 0

    @property
    def rate(self) -> float:
        """Requests a second at the pace of now; 0 where there is no limit."""
        return 1 / self._gap if self._gap else 0.0

    def free_in(self) -> float:
        """Seconds until the turn of whoever comes next."""
        return self._due(len(self._queue))

    def due_in(self, ticket: object) -> float:
        """Seconds until the turn of who waits with a ticket, as things stand now; 0 where it has come."""
        return self._due(self._queue.index(ticket)) if ticket in self._queue else 0.0

    async def turn(self, sleep: Callable[[float], Awaitable[None]], *, first: bool = False, ticket: object = None) -> None:
        """Wait for one's turn, at the end of the queue, or ``first`` in it. Who leaves (is cancelled) takes none.

        ``ticket`` is any object of one's own, for :meth:`due_in`.
        """
        ticket = object() if ticket is None else ticket
        if first:
            self._queue.appendleft(ticket)
        else:
            self._queue.append(ticket)
        try:
            while (wait := self._due(self._queue.index(ticket))) > 0:
                await sleep(min(wait, NAP))
        finally:
            self._queue.remove(ticket)
        self._next = max(self._next, self._clock()) + self._gap

    def served(self) -> None:
        """The registry answered: a pace that was learnt may quicken a little."""
        self._served += 1
        if self._gap > self._least:
            self._gap = max(self._gap * FASTER, self._least)
            if self._gap < FIRST_GAP / SLOWER and not self._least:
                self._gap = 0.0

    def refused(self, pause: float) -> None:
        """The registry said that this was too fast: no turn for ``pause`` seconds, and a slower pace from then on."""
        now = self._clock()
        if now - self._blamed_at >= BLAME:
            stretched = min(self._gap * SLOWER, self._measured(now) * LESS)
            self._gap = min(max(stretched, self._gap, FIRST_GAP), max(LONGEST_GAP, self._least))
            self._blamed_at, self._served = now, 0
        self._next = max(self._next, now + max(pause, self._gap))

    def set_rate(self, rate: float) -> None:
        """Another rate from here on: a login came or went."""
        self._least = self._gap = 1 / rate if rate > 0 else 0.0

    def _due(self, place: int) -> float:
        """Seconds until the turn of a place in the queue, as far as can be told now."""
        return max(0.0, self._next + place * self._gap - self._clock())

    def _measured(self, now: float) -> float:
        """The gap that the registry allowed since its last refusal; longer than the truth where it was not asked all the time.

        Whatever burst it allows, it had nothing in hand at both refusals: what it served in between is its rate.
        """
        return (now - self._blamed_at) / self._served if self._served else float("inf")
