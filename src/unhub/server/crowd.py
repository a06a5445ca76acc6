"""How many files may be sent at a time, so that a crowd of clients does not take the machine's memory.

The server reads a file that it is handed in pieces of 128 KiB, and holds two or three of them for each client (seen: 0.29 MB
a client). Clients beyond a number wait for their turn, which is short where clients are quick; after a while they are sent
theirs in pieces so small that it takes little memory. The server does not say when a file was sent: the files that this
process has open tell it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

FILES_MAX: Final = 200
"""Files that are sent at a time."""

LOOK: Final = 0.1
"""Seconds between two counts."""

PATIENCE: Final = 15.0
"""Seconds that a client waits for its turn, long before it would give up."""


def open_files(folder: Path, enough: int) -> int:
    """How many descriptors of this process are files below a folder; 0 where that cannot be told, or where they are few."""
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return 0
    if len(descriptors) < enough:
        return 0
    count, start = 0, f"{folder}/"
    for descriptor in descriptors:
        with suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{descriptor}").startswith(start)
    return count


class Crowd:
    """Lives in one event loop. ``count`` tells how many files are being sent, ``clock`` seconds that never go back."""

    def __init__(self, count: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._looked_at = clock() - LOOK
        self._sending = 0
        self._queue = asyncio.Lock()

    async def enter(self) -> bool:
        """Whether the server may be handed one more file, as soon as it may; ``False`` after a time in which it never might."""
        if not self._queue.locked() and self._takes_one():
            return True
        try:
            async with asyncio.timeout(PATIENCE), self._queue:
                while not self._takes_one():
                    await asyncio.sleep(LOOK)
                return True
        except TimeoutError:
            return False

    def _takes_one(self) -> bool:
        now = self._clock()
        if now - self._looked_at >= LOOK:
            self._looked_at, self._sending = now, self._count()
        if self._sending >= FILES_MAX:
            return False
        self._sending += 1
        return True
