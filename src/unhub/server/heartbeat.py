"""Who still turns: children write a byte again and again, and the supervisor counts the times at which one did not.

A child that hangs is no child that died: nobody tells of it. What makes a child late without hanging must not end it: a
machine that is busy, or one that stood still. So the time is not taken, but looks are counted, and a look that comes late
itself says nothing about anybody.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

BEAT: Final = 1.0
"""Seconds between two bytes of a child."""

LOOK: Final = 2.0
"""Seconds between two looks of the supervisor."""

LATE: Final = 2 * LOOK
"""Seconds after which a look is late: the supervisor was stopped, suspended or starved, and with it perhaps all."""

MISSES: Final = 8
"""Looks in a row at which a child had said nothing, after which it hangs: 16 seconds in which its loop did not turn once."""

SIGN: Final = b"."


def keep_telling(loop: asyncio.AbstractEventLoop, writing: int) -> None:
    """In a child: write a byte to a pipe for as long as the loop turns. What cannot be written is not waited for."""
    with suppress(OSError):
        os.write(writing, SIGN)
    loop.call_later(BEAT, keep_telling, loop, writing)


class Heartbeats:
    """What the supervisor heard. ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._misses: dict[int, int] = {}

    def heard(self, pid: int) -> None:
        """A child told that it is there."""
        self._misses[pid] = 0

    @property
    def next_look(self) -> float:
        """Seconds until :meth:`hanging` is worth asking again."""
        return max(0.0, self._looked_at + LOOK - self._clock())

    def hanging(self, pids: Iterable[int]) -> list[int]:
        """Those of the children that are there which hang. Counts at most one miss each ``LOOK`` seconds."""
        now = self._clock()
        since = now - self._looked_at
        if since < LOOK:
            return []
        self._looked_at = now
        late = since >= LATE
        self._misses = {pid: 0 if late else self._misses.get(pid, 0) + 1 for pid in pids}
        found = [pid for pid, misses in self._misses.items() if misses > MISSES]
        for pid in found:
            self._misses[pid] = 0
        return found
