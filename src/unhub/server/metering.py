"""Metering in one worker: each answer is counted once, and written each second in one transaction.

A worker that is killed loses what it has counted since: at most a second and the time that the transaction takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from unhub.mirror.meters import Meter
from unhub.mirror.month_totals import EPOCH, MonthTotals
from unhub.server.counters import Slot
from unhub.server.note import Note
from unhub.store.protocols_identity import Meters
from unhub.store.records_identity import MeterRow

FLUSH: Final = 1.0
"""Seconds between two writings."""

SOONEST: Final = 0.05
"""Seconds between two of them at least, where a crowd of callers or an unknown one does not let them wait."""

READS: Final = ("GET", "HEAD")
ANSWERED: Final = frozenset({200, 206, 304})
"""Statuses of answers that have, or confirm, content."""


class Metering:
    """Lives in one event loop. ``counts_head`` says whether a HEAD of a manifest is a pull, ``slot`` takes the sums for ``/metrics``."""

    def __init__(self, store: Meters, slot: Slot, *, counts_head: bool = False, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._slot = slot
        self._counts_head = counts_head
        self._now = now
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()
        self._meter = Meter(now, self._wake.set)
        self.totals: MonthTotals | None = None

    def follow(self) -> MonthTotals:
        """Keep the month's bytes of callers ready, too: for terms that refuse what is above an amount."""
        if self.totals is None:
            self.totals = MonthTotals(self._store, self._now, self._wake.set)
        return self.totals

    def answered(self, note: Note, method: str, *, manifest: bool) -> None:
        """Count an answer about a repository; ``manifest`` says whether it was one of a manifest."""
        if note.status not in ANSWERED or not note.name or method not in READS:
            return
        pulls = int(manifest and (method == "GET" or self._counts_head))
        size = note.bytes
        if not pulls and not size:
            return
        self._meter.count((note.account, note.caller, note.name, note.exempt), pulls, size)
        if self.totals is not None and not note.exempt:
            self.totals.add((note.account, "" if note.account else note.caller), size)

    async def run(self) -> None:
        """Write each second, and read what is asked for, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH):
                    await self._wake.wait()
            self._wake.clear()
            await self.flush()
            await asyncio.sleep(SOONEST)

    async def flush(self) -> None:
        """Write what was counted; what cannot be written now waits for the next time. Then read the month's bytes anew.

        Who is cancelled meanwhile leaves it going on: a transaction that is committed and yet taken for lost would count twice.
        """
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def _flush(self) -> None:
        async with self._busy:
            await self._write()
            if self.totals is not None:
                with suppress(SQLAlchemyError, OSError):
                    await self.totals.refresh()

    async def forget(self, keep_months: int, keep_address_months: int) -> None:
        """Drop counts of months that are over for longer than so many, and the addresses of those that are for so many."""
        await self._store.forget(first_day_kept(self._now(), keep_months))
        await self._store.forget_addresses(first_day_kept(self._now(), keep_address_months))

    async def _write(self) -> None:
        rows = self._meter.take()
        if not rows:
            return
        if self.totals is not None:
            self.totals.begin_writing()
        written = False
        try:
            await self._store.add(rows)
            written = True
        except (SQLAlchemyError, OSError):
            self._slot.meter_failed()
        finally:
            self._ended(rows, written=written)

    def _ended(self, rows: list[MeterRow], *, written: bool) -> None:
        if self.totals is not None:
            self.totals.end_writing(written=written)
        if not written:
            self._meter.failed()
            return
        self._meter.written()
        for row in rows:
            self._slot.metered("exempt" if row.exempt else "account" if row.account else "anonymous", row.pulls, row.bytes_answered)


def is_manifest(path: str) -> bool:
    """Whether a path below ``/v2/`` is that of a manifest; what comes last in it decides (see ``routing.split``)."""
    return path.rpartition("/")[0].endswith("/manifests")


def first_day_kept(now: float, months: int) -> int:
    """The first day (since 1970) of the month so many months before this one."""
    from datetime import UTC, date, datetime

    today = datetime.fromtimestamp(now, UTC)
    number = today.year * 12 + today.month - 1 - months
    return date(number // 12, number % 12 + 1, 1).toordinal() - EPOCH if number >= 12 else 0
