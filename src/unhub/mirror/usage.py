"""What callers used: sums of the meters, what is left of a month's bytes, and what more would cost. An estimate, never a bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from unhub.aws.terms import dollars
from unhub.mirror.allowances import Allowances, Kind
from unhub.mirror.month_totals import Month
from unhub.store.protocols_identity import Meters
from unhub.store.records_identity import MeterField, MeterSum

MONTHS_MAX: Final = 36
"""Months of the longest time that is reckoned at once."""

CALLERS_MAX: Final = 100
"""Callers of whom it is told what is left: those that used the most."""

ACCOUNTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Sums by what, of which days (both included), and how many rows at most."""

    by: tuple[MeterField, ...]
    first: int
    last: int
    limit: int


@dataclass(frozen=True, slots=True)
class Left:
    """What a caller has left of its month: bytes that counted toward the ``limit``; more is ``refused``, or has a price."""

    month: Month
    kind: Kind
    who: str
    counted: int
    limit: int
    refused: bool

    @property
    def left(self) -> int:
        """Bytes until the limit; 0 above it."""
        return max(0, self.limit - self.counted)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an account would pay for a month: US dollars for the ``billed`` bytes above the free ones."""

    month: Month
    account: str
    counted: int
    free: int
    billed: int
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Usage:
    """The answer. ``more`` says that there are rows beyond the limit; ``left`` is about the month that the time ends in."""

    rows: list[MeterSum]
    more: bool
    total: MeterSum
    left: list[Left] = field(default_factory=list[Left])
    costs: list[Cost] = field(default_factory=list[Cost])


async def usage(meters: Meters, asked: Asked, rules: Allowances) -> Usage:
    """What was used, by the figures of ``rules``. Rows come in the order of days, or else the largest first."""
    largest = MeterField.DAY not in asked.by
    rows = await meters.report(asked.by, asked.first, asked.last, limit=asked.limit + 1, largest=largest)
    (total,) = await meters.report((), asked.first, asked.last, limit=1)
    found = months(asked.first, asked.last)
    return Usage(
        rows[: asked.limit], len(rows) > asked.limit, total, await _left(meters, found[-1], rules), await _costs(meters, found, rules)
    )


def months(first: int, last: int) -> list[Month]:
    """The calendar months that days are in, whole."""
    found = [Month.of(first * 86_400.0)]
    while found[-1].last < last:
        found.append(Month.of(found[-1].ends))
    return found


async def _left(meters: Meters, month: Month, rules: Allowances) -> list[Left]:
    found: list[Left] = []
    if (limit := rules.months.get(Kind.ANONYMOUS)) is not None:
        rows = await meters.report((MeterField.ADDRESS,), month.first, month.last, limit=CALLERS_MAX, largest=True, account="")
        found += [
            Left(month, Kind.ANONYMOUS, row.address, row.counted, limit.amount, limit.refused)
            for row in rows
            if row.counted and row.address
        ]
    if (limit := rules.months.get(Kind.ACCOUNT)) is not None:
        accounts = await _accounts(meters, month, CALLERS_MAX)
        found += [Left(month, Kind.ACCOUNT, row.account, row.counted, limit.amount, limit.refused) for row in accounts]
    return found


async def _costs(meters: Meters, wanted: Sequence[Month], rules: Allowances) -> list[Cost]:
    free = rules.months.get(Kind.ACCOUNT)
    if rules.price is None or free is None or free.refused:
        return []
    found: list[Cost] = []
    for month in wanted:
        for row in await _accounts(meters, month, ACCOUNTS_MAX):
            billed = max(0, row.counted - free.amount)
            found.append(Cost(month, row.account, row.counted, free.amount, billed, dollars(billed * rules.price.of_one)))
    return found


async def _accounts(meters: Meters, month: Month, limit: int) -> list[MeterSum]:
    """Accounts that used something, the largest first."""
    rows = await meters.report((MeterField.ACCOUNT,), month.first, month.last, limit=limit + 1, largest=True)
    return [row for row in rows if row.account and row.counted][:limit]
