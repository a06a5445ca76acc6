"""Rates: never more requests a second to a registry than it allows, and none while it asks for a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Bucket:
    """A token bucket that holds one token, so that no window of time ever has more requests than the rate allows.

    Callers are served in the order in which they came. ``rate`` is in requests a second, 0 means no limit, and may be
    changed at any time; ``clock`` gives seconds that only grow.
    """

    def __init__(self, rate: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._last: float | None = None
        self._paused_until = clock()
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be sent."""
        if not self.rate and not self.is_paused:
            return
        async with self._turn:
            while (wait := self._wait()) > 0:
                await self._sleep(wait)
            self._last = self._clock()

    @property
    def is_paused(self) -> bool:
        """Whether a pause is still to end."""
        return self._paused_until > self._clock()

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the registry said so."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def estimate(self, requests: int) -> float:
        """Seconds that so many more requests take at this rate, waiting only counted."""
        paused = max(self._paused_until - self._clock(), 0.0)
        return paused + (max(requests - 1, 0) / self.rate if self.rate else 0.0)

    def _wait(self) -> float:
        until = self._paused_until
        if self.rate and self._last is not None:
            until = max(until, self._last + 1 / self.rate)
        return until - self._clock()
