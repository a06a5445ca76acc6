"""What callers were answered, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Row, Select, delete, func, select

from unhub.store.records_identity import MeterField, MeterRow
from unhub.store.sql.database import Database
from unhub.store.sql.schema import meter

_KEY = ("day", "account", "address", "repository", "exempt")
_EMPTY: dict[str, Any] = {"day": 0, "account": "", "address": "", "repository": "", "exempt": False}


class SqlMeters:
    """See :class:`unhub.store.protocols_identity.Meters`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[MeterRow]) -> None:
        """See the protocol."""
        columns = meter.c
        async with self._database.write() as connection:
            for row in rows:
                values = {**{name: getattr(row, name) for name in _KEY}, "pulls": row.pulls, "bytes_answered": row.bytes_answered}
                added = {"pulls": columns.pulls + row.pulls, "bytes_answered": columns.bytes_answered + row.bytes_answered}
                await self._database.upsert(connection, meter, values, expressions=added)

    async def sums(self, by: Sequence[MeterField], first_day: int, last_day: int, limit: int = 100_000) -> list[MeterRow]:
        """See the protocol."""
        grouped = [meter.c[field.value] for field in by]
        totals = (_total(meter.c.pulls).label("pulls"), _total(meter.c.bytes_answered).label("bytes_answered"))
        query = cast("Select[Any]", select(*grouped, *totals)).where(meter.c.day.between(first_day, last_day)).limit(limit)
        if grouped:
            query = query.group_by(*grouped).order_by(*grouped)
        async with self._database.read() as connection:
            return [_row(row, by) for row in (await connection.execute(query)).all()]

    async def total(self, first_day: int, last_day: int, *, account: str = "", address: str = "") -> int:
        """See the protocol."""
        columns = meter.c
        query = select(_total(columns.bytes_answered)).where(
            columns.account == account, columns.day.between(first_day, last_day), columns.exempt.is_(False)
        )
        if not account:
            query = query.where(columns.address == address)
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def forget(self, before_day: int) -> int:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(meter).where(meter.c.day < before_day))).rowcount


def _total(column: Any) -> Any:
    return func.coalesce(func.sum(column), 0)


def _row(row: Row[Any], by: Sequence[MeterField]) -> MeterRow:
    known = {field.value: getattr(row, field.value) for field in by}
    # PostgreSQL sums bigints to a decimal
    return MeterRow(**{**_EMPTY, **known}, pulls=int(row.pulls), bytes_answered=int(row.bytes_answered))
