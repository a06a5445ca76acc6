"""Counters of all workers in memory that they share: an increment costs nothing, and outlives the worker that made it."""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from unhub.server.note import Note

CACHES: Final = ("hit", "stale", "miss", "flight")
CLASSES: Final = (1, 2, 3, 4, 5)
"""Hundreds of HTTP statuses."""

STATUSES: Final = (401, 403, 404, 405, 416, 429, 500, 502, 503)
"""Statuses that are counted by themselves, too."""

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of seconds until an answer was handed to the server."""

METERED: Final = ("anonymous", "account", "exempt")
"""Whose pulls and bytes are metered: without a login, with one, and those that count toward no limit."""

REFUSED: Final = ("rate", "data", "operation")
"""Limits of the terms above which callers are refused."""

NAMES: Final = (
    *(f"class.{number}" for number in CLASSES),
    *(f"status.{number}" for number in STATUSES),
    *(f"cache.{name}" for name in CACHES),
    *(f"seconds.{bound}" for bound in BUCKETS),
    "seconds.+Inf",
    "seconds.sum",
    "bytes",
    "log.dropped",
    *(f"pulls.{name}" for name in METERED),
    *(f"bytes.{name}" for name in METERED),
    *(f"refused.{name}" for name in REFUSED),
    "meter.failed",
)

_CLASS: Final = NAMES.index("class.1") - 1
_STATUS: Final = {number: NAMES.index(f"status.{number}") for number in STATUSES}
_CACHE: Final = {name: NAMES.index(f"cache.{name}") for name in CACHES}
_SECONDS: Final = NAMES.index(f"seconds.{BUCKETS[0]}")
_SUM: Final = NAMES.index("seconds.sum")
_BYTES: Final = NAMES.index("bytes")
_METERED: Final = {name: (NAMES.index(f"pulls.{name}"), NAMES.index(f"bytes.{name}")) for name in METERED}
_METER_FAILED: Final = NAMES.index("meter.failed")
_REFUSED: Final = {name: NAMES.index(f"refused.{name}") for name in REFUSED}


class Counters:
    """Numbers for ``slots`` processes; made before they are forked. A slot has one writer at a time."""

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, max(slots * len(NAMES) * 8, 1))
        self._numbers = memoryview(self._memory).cast("d")
        self._slots = slots

    def slot(self, number: int) -> Slot:
        """What one process counts in; goes on from where the last one of that number stopped."""
        start = number * len(NAMES)
        return Slot(self._numbers[start : start + len(NAMES)])

    def totals(self) -> dict[str, float]:
        """The sums over all slots."""
        width = len(NAMES)
        return {name: sum(self._numbers[slot * width + at] for slot in range(self._slots)) for at, name in enumerate(NAMES)}


class Slot:
    """One process's numbers."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: memoryview[float]) -> None:
        self._numbers = numbers

    def answered(self, note: Note, seconds: float) -> None:
        """Count an answer."""
        numbers, status = self._numbers, note.status
        if 100 <= status < 600:
            numbers[_CLASS + status // 100] += 1
            if status >= 400 and (at := _STATUS.get(status)) is not None:
                numbers[at] += 1
        if (at := _CACHE.get(note.cache)) is not None:
            numbers[at] += 1
        numbers[_SECONDS + bisect_left(BUCKETS, seconds)] += 1
        numbers[_SUM] += seconds
        numbers[_BYTES] += note.bytes

    def metered(self, caller: str, pulls: int, answered: int) -> None:
        """Count pulls and bytes of a kind of caller (one of :data:`METERED`) that were written to the meters."""
        at_pulls, at_bytes = _METERED[caller]
        self._numbers[at_pulls] += pulls
        self._numbers[at_bytes] += answered

    def refused(self, limit: str) -> None:
        """Count somebody who was refused by the terms (one of :data:`REFUSED`)."""
        self._numbers[_REFUSED[limit]] += 1

    def meter_failed(self) -> None:
        """Count a batch of the meters that the database did not take."""
        self._numbers[_METER_FAILED] += 1


def by_outcome(totals: dict[str, float]) -> dict[str, int]:
    """How questions were answered: from the store, by fetching, stale, or not."""
    return {
        "store": int(totals["cache.hit"]),
        "fetched": int(totals["cache.miss"] + totals["cache.flight"]),
        "stale": int(totals["cache.stale"]),
        "refused": int(totals["class.4"] + totals["class.5"]),
    }


def cumulative(totals: dict[str, float]) -> Sequence[tuple[str, float]]:
    """The buckets as Prometheus wants them: each with those before it."""
    found: list[tuple[str, float]] = []
    so_far = 0.0
    for bound in (*(str(bound) for bound in BUCKETS), "+Inf"):
        so_far += totals[f"seconds.{bound}"]
        found.append((bound, so_far))
    return found
