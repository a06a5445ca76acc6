"""The pace at which a fallback may be asked: a queue of slots, known in advance, so that waiting can be promised."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Slots that lie ``1 / rate`` seconds apart; ``rate`` 0 means that every moment is a slot."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """``rate`` is in requests a second; ``clock`` gives seconds that never go back."""
        self._gap = 1 / rate if rate > 0 else 0.0
        self._clock = clock
        self._next = 0.0

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

    def pause(self, seconds: float) -> None:
        """No slot before so many seconds are over: the registry said so."""
        self._next = max(self._next, self._clock() + seconds)

    def set_rate(self, rate: float) -> None:
        """Another rate from here on: a login came or went. Slots that were taken stay as they were."""
        self._gap = 1 / rate if rate > 0 else 0.0
