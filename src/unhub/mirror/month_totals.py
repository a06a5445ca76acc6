"""How many bytes a caller was answered this month, as far as one worker knows.

That is what the store said when it was last read, and what this worker has answered since. What other workers answered
is missing for as long as they take to write it (a second) and this one to read it (:data:`REFRESH`).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from unhub.store.protocols_identity import Meters

REFRESH: Final = 5.0
"""Seconds after which the store is read again for a caller that goes on asking."""

IDLE: Final = 60.0
"""Seconds after which a caller that asks no more is forgotten."""

CALLERS_MAX: Final = 50_000
READ_MAX: Final = 1000
"""Callers that are read at a time."""

EPOCH: Final = date(1970, 1, 1).toordinal()

Who = tuple[str, str]
"""An account and an empty text, or an empty text and an address."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month (UTC): its first and last day (since 1970, both included), and when it ends (seconds since 1970)."""

    first: int
    last: int

    @property
    def ends(self) -> float:
        """The first moment that is no longer in it."""
        return (self.last + 1) * 86_400.0

    @classmethod
    def of(cls, now: float) -> Month:
        """The month of a moment."""
        day = datetime.fromtimestamp(now, UTC).date()
        first = day.replace(day=1).toordinal() - EPOCH
        return cls(first, first + monthrange(day.year, day.month)[1] - 1)


@dataclass(slots=True)
class _Known:
    """Bytes: what the store said, what is being written, and what came after; and when it was read and asked for."""

    stored: int = 0
    writing: int = 0
    recent: int = 0
    read_at: float = float("-inf")
    asked_at: float = 0.0


class MonthTotals:
    """Lives in one event loop. ``now`` is seconds since 1970; ``wanted`` is called when somebody is asked about who is not known yet."""

    def __init__(self, meters: Meters, now: Callable[[], float], wanted: Callable[[], None] = lambda: None) -> None:
        self._meters = meters
        self._now = now
        self._wanted = wanted
        self._month = Month(0, -1)
        self._known: dict[Who, _Known] = {}
        self._asked: dict[Who, None] = {}
        self._cleaned_at = float("-inf")

    def of(self, who: Who) -> int:
        """Bytes of this month that count toward the limit of a caller; 0 until the store was read for it the first time."""
        now = self._now()
        if now >= self._month.ends:
            self._month, self._known, self._asked = Month.of(now), {}, {}
        found = self._known.get(who)
        if found is None:
            found = self._add(who)
        found.asked_at = now
        self._asked[who] = None
        return found.stored + found.writing + found.recent

    def add(self, who: Who, answered: int) -> None:
        """Count bytes that were answered to somebody who was asked about before."""
        found = self._known.get(who)
        if found is not None:
            found.recent += answered

    def begin_writing(self) -> None:
        """What was added up to now is being written to the store."""
        for found in self._known.values():
            found.writing, found.recent = found.writing + found.recent, 0

    def end_writing(self, *, written: bool) -> None:
        """It is there, or it will be tried again."""
        for found in self._known.values():
            if written:
                found.stored += found.writing
            else:
                found.recent += found.writing
            found.writing = 0

    async def refresh(self) -> None:
        """Read the store for whoever asked and was not read lately; between two writings, so that nothing counts twice."""
        now, month = self._now(), self._month
        due = [who for who in self._asked if who in self._known and now - self._known[who].read_at >= REFRESH][:READ_MAX]
        totals = await self._meters.totals(month.first, month.last, due) if due else {}
        for who in due:
            self._asked.pop(who, None)
            found = self._known.get(who)
            if found is not None and month == self._month:
                found.stored, found.read_at = totals.get(who, 0), now
        if now - self._cleaned_at >= IDLE:
            self._clean(now)

    def _add(self, who: Who) -> _Known:
        if len(self._known) >= CALLERS_MAX:
            self._known.clear()
            self._asked.clear()
        found = self._known[who] = _Known()
        self._wanted()
        return found

    def _clean(self, now: float) -> None:
        self._cleaned_at = now
        self._known = {who: found for who, found in self._known.items() if now - found.asked_at < IDLE or found.recent}
        self._asked = {who: None for who in self._asked if who in self._known}
