"""What callers were answered, in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from sqlalchemy import Row, Select, case, delete, desc, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from unhub.store.records_identity import MeterField, MeterRow, MeterSum
from unhub.store.sql.database import Database
from unhub.store.sql.schema import meter

_KEY = ("day", "account", "address", "repository", "exempt")
_SUMS = ("pulls", "bytes_answered")
_REPORTED = (*_SUMS, "exempt_pulls", "exempt_bytes")
ASKED_MAX: Final = 500
"""Callers that one query asks about."""

_EMPTY: dict[str, Any] = {"day": 0, "account": "", "address": "", "repository": "", "exempt": False}


class _OthersDidIt(Exception):
    """Another process changed the same rows: nothing is done here."""


class SqlMeters:
    """See :class:`unhub.store.protocols_identity.Meters`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[MeterRow]) -> None:
        """See the protocol."""
        if not rows:
            return
        async with self._database.write() as connection:
            await self._database.add_up(connection, meter, [_values(row) for row in rows], _SUMS)

    async def sums(self, by: Sequence[MeterField], first_day: int, last_day: int, limit: int = 100_000) -> list[MeterRow]:
        """See the protocol."""
        grouped = [meter.c[field.value] for field in by]
        totals = (_total(meter.c.pulls).label("pulls"), _total(meter.c.bytes_answered).label("bytes_answered"))
        query = cast("Select[Any]", select(*grouped, *totals)).where(meter.c.day.between(first_day, last_day)).limit(limit)
        if grouped:
            query = query.group_by(*grouped).order_by(*grouped)
        async with self._database.read() as connection:
            return [_row(row, by) for row in (await connection.execute(query)).all()]

    async def report(
        self, by: Sequence[MeterField], first_day: int, last_day: int, *, limit: int, largest: bool = False, account: str | None = None
    ) -> list[MeterSum]:
        """See the protocol."""
        columns, grouped = meter.c, [meter.c[field.value] for field in by]
        exempt = [func.coalesce(func.sum(case((columns.exempt, column), else_=0)), 0) for column in (columns.pulls, columns.bytes_answered)]
        sums = (_total(columns.pulls), _total(columns.bytes_answered), *exempt)
        named = [total.label(name) for total, name in zip(sums, _REPORTED, strict=True)]
        query = cast("Select[Any]", select(*grouped, *named)).where(columns.day.between(first_day, last_day)).limit(limit)
        if account is not None:
            query = query.where(columns.account == account)
        if grouped:
            query = query.group_by(*grouped).order_by(*([desc(sums[1] - exempt[1])] if largest else []), *grouped)
        async with self._database.read() as connection:
            return [_sum(row, by) for row in (await connection.execute(query)).all()]

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

    async def totals(self, first_day: int, last_day: int, callers: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """See the protocol."""
        accounts = [account for account, _ in callers if account]
        addresses = [address for account, address in callers if not account]
        columns, found = meter.c, dict[tuple[str, str], int]()
        counted = (columns.day.between(first_day, last_day), columns.exempt.is_(False))
        async with self._database.read() as connection:
            for some in _batched(accounts, ASKED_MAX):
                query = select(columns.account, _total(columns.bytes_answered)).where(columns.account.in_(some), *counted)
                found |= {(row[0], ""): int(row[1]) for row in await connection.execute(query.group_by(columns.account))}
            for some in _batched(addresses, ASKED_MAX):
                wanted = (columns.account == "", columns.address.in_(some), *counted)
                query = select(columns.address, _total(columns.bytes_answered)).where(*wanted)
                found |= {("", row[0]): int(row[1]) for row in await connection.execute(query.group_by(columns.address))}
        return found

    async def forget_addresses(self, before_day: int) -> int:
        """See the protocol. A day is a transaction, so that nobody who counts waits for long."""
        columns, named = meter.c, (meter.c.day < before_day, meter.c.address != "")
        async with self._database.read() as connection:
            days = (await connection.execute(select(columns.day).where(*named).distinct().order_by(columns.day))).scalars().all()
        return sum([await self._without_addresses(day) for day in days])

    async def _without_addresses(self, day: int) -> int:
        try:
            async with self._database.write() as connection:
                return await self._folded(connection, day)
        except _OthersDidIt:
            return 0

    async def _folded(self, connection: AsyncConnection, day: int) -> int:
        columns, named = meter.c, (meter.c.day == day, meter.c.address != "")
        grouped = (columns.account, columns.repository, columns.exempt)
        sums = (_total(columns.pulls).label("pulls"), _total(columns.bytes_answered).label("bytes_answered"))
        query = select(*grouped, *sums, func.count().label("rows")).where(*named).group_by(*grouped)
        found = (await connection.execute(query)).all()
        count = sum(row.rows for row in found)
        if (await connection.execute(delete(meter).where(*named))).rowcount != count:
            raise _OthersDidIt
        rows = [MeterRow(day, row.account, "", row.repository, row.exempt, int(row.pulls), int(row.bytes_answered)) for row in found]
        if rows:
            await self._database.add_up(connection, meter, [_values(row) for row in rows], _SUMS)
        return count

    async def forget(self, before_day: int) -> int:
        """See the protocol."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(meter).where(meter.c.day < before_day))).rowcount


def _values(row: MeterRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*_KEY, *_SUMS)}


def _batched(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _total(column: Any) -> Any:
    return func.coalesce(func.sum(column), 0)


def _sum(row: Row[Any], by: Sequence[MeterField]) -> MeterSum:
    known = {field.value: getattr(row, field.value) for field in by}
    sums = [int(getattr(row, name)) for name in _REPORTED]
    return MeterSum(known.get("day", 0), known.get("account", ""), known.get("address", ""), known.get("repository", ""), *sums)


def _row(row: Row[Any], by: Sequence[MeterField]) -> MeterRow:
    known = {field.value: getattr(row, field.value) for field in by}
    # PostgreSQL sums bigints to a decimal
    return MeterRow(**{**_EMPTY, **known}, pulls=int(row.pulls), bytes_answered=int(row.bytes_answered))
