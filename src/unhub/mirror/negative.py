"""What was not there a moment ago is not asked for again at once; kept apart for each credential."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from unhub.mirror.source import Gone

SECONDS: Final = 60.0
ENTRIES_MAX: Final = 10_000


class NegativeAnswers:
    """Remembers :class:`Gone` for a short time. The key holds the credential: what one may not see another may."""

    def __init__(self, clock: Callable[[], float], seconds: float = SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._entries: OrderedDict[Hashable, tuple[float, Gone]] = OrderedDict()

    def get(self, key: Hashable) -> Gone | None:
        """What was answered not long ago, or ``None``."""
        found = self._entries.get(key)
        if found is None:
            return None
        until, gone = found
        if self._clock() >= until:
            del self._entries[key]
            return None
        return gone

    def put(self, key: Hashable, gone: Gone) -> None:
        """Remember an answer; the oldest are forgotten where there are too many."""
        self._entries[key] = (self._clock() + self._seconds, gone)
        self._entries.move_to_end(key)
        while len(self._entries) > ENTRIES_MAX:
            self._entries.popitem(last=False)

    def forget(self) -> None:
        """Forget everything (``cache purge``)."""
        self._entries.clear()
