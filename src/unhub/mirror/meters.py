"""Meters: what callers were answered, gathered in memory and written each second, so that a worker that dies loses no more than that.

Bytes are those *answered*: nobody tells how many of a file were sent (docs/contracts.md, "Serving").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from unhub.store.records_identity import MeterRow

EARLY: Final = 20_000
"""Rows after which they are written at once, whatever the clock says."""

ROWS_MAX: Final = 100_000
"""Rows that wait at most, where the database takes none; what comes beyond is counted without address and repository."""

DAY: Final = 86_400

Key = tuple[str, str, str, bool]
"""Account, address, repository, and whether it is exempt."""


class Meter:
    """What one worker counted and has not written. Lives in one event loop; ``now`` is seconds since 1970, days are UTC's.

    ``full`` is called once :data:`EARLY` rows wait.
    """

    def __init__(self, now: Callable[[], float], full: Callable[[], None] = lambda: None) -> None:
        self._now = now
        self._full = full
        self._rows: dict[Key, list[int]] = {}
        self._day = 0
        self._ends = 0.0
        self._older: list[MeterRow] = []
        self._taken: list[MeterRow] = []

    def count(self, key: Key, pulls: int, answered: int) -> None:
        """Count an answer."""
        if self._now() >= self._ends:
            self._begin_day()
        row = self._rows.get(key)
        if row is None:
            row = self._add(key)
        row[0] += pulls
        row[1] += answered

    def take(self) -> list[MeterRow]:
        """What waits, to be written; until :meth:`written` or :meth:`failed` it counts as on its way."""
        self._taken = [*self._older, *self._closed()]
        self._older, self._rows = [], {}
        return self._taken

    def written(self) -> None:
        """What was taken is in the store."""
        self._taken = []

    def failed(self) -> None:
        """It is not: it waits for the next time."""
        self._older, self._taken = _merged([*self._older, *self._taken]), []
        if len(self._older) > ROWS_MAX:
            self._older = _merged([_nameless(row) for row in self._older])

    def _begin_day(self) -> None:
        self._older += self._closed()
        self._rows = {}
        self._day = int(self._now() // DAY)
        self._ends = (self._day + 1.0) * DAY

    def _closed(self) -> list[MeterRow]:
        return [MeterRow(self._day, *key, pulls, answered) for key, (pulls, answered) in self._rows.items()]

    def _add(self, key: Key) -> list[int]:
        waiting = len(self._rows)
        if waiting >= EARLY:
            if waiting == EARLY:
                self._full()
            if waiting >= ROWS_MAX:
                key = (key[0], "", "", key[3])
        return self._rows.setdefault(key, [0, 0])


def _merged(rows: list[MeterRow]) -> list[MeterRow]:
    sums: dict[tuple[int, str, str, str, bool], list[int]] = {}
    for row in rows:
        found = sums.setdefault((row.day, row.account, row.address, row.repository, row.exempt), [0, 0])
        found[0] += row.pulls
        found[1] += row.bytes_answered
    return [MeterRow(*key, pulls, answered) for key, (pulls, answered) in sums.items()]


def _nameless(row: MeterRow) -> MeterRow:
    return MeterRow(row.day, row.account, "", "", row.exempt, row.pulls, row.bytes_answered)
