"""Who pulled what: gathered in memory, and written in batches by each worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from unhub.image.digest import Digest
from unhub.store.protocols import Pulls
from unhub.store.records import PullRecord, RepositoryKey

ROWS_MAX: Final = 20_000
"""Rows that wait at most; what comes beyond is counted under no caller's name."""

OTHERS: Final = "others"

Row = tuple[RepositoryKey, Digest, str, str, int]


class Recorder:
    """Lives in one event loop. ``now`` is seconds since 1970."""

    def __init__(self, pulls: Pulls, now: Callable[[], float] = time.time) -> None:
        self._pulls = pulls
        self._now = now
        self._rows: dict[Row, list[float]] = {}
        self._writing: asyncio.Future[None] | None = None
        self.failures = 0

    def pulled(self, key: RepositoryKey, digest: Digest, reference: str, caller: str, bytes_answered: int) -> None:
        """Count an answer."""
        now = self._now()
        row: Row = (key, digest, reference, caller, int(now // 86_400))
        found = self._rows.get(row)
        if found is None:
            if len(self._rows) >= ROWS_MAX:
                row = (key, digest, "", OTHERS, row[4])
            found = self._rows.setdefault(row, [0, 0, 0.0])
        found[0] += 1
        found[1] += bytes_answered
        found[2] = now

    async def flush(self) -> None:
        """Write what was gathered; what cannot be written now waits for the next time.

        Where the task is cancelled the write goes on, so that no row is lost or counted twice; the next flush waits for it.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing})
        if self._rows:
            self._writing = asyncio.ensure_future(self._write())
            await asyncio.shield(self._writing)

    async def _write(self) -> None:
        rows, self._rows = self._rows, {}
        records = [
            PullRecord(key, digest, reference, caller, day, int(count), int(answered), last)
            for (key, digest, reference, caller, day), (count, answered, last) in rows.items()
        ]
        try:
            await self._pulls.record(records)
        except SQLAlchemyError:
            self.failures += 1
            self._put_back(rows)

    def _put_back(self, rows: dict[Row, list[float]]) -> None:
        for row, (count, answered, last) in rows.items():
            if row in self._rows or len(self._rows) < ROWS_MAX:
                found = self._rows.setdefault(row, [0, 0, 0.0])
                found[0] += count
                found[1] += answered
                found[2] = max(found[2], last)
