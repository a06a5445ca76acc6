"""``GET /_unhub/usage``: what callers used, for whoever has the admin token; addresses are told to nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Final, Protocol

from unhub.data.terms import Price, TermsData
from unhub.mirror.allowances import Allowances, Kind
from unhub.mirror.buckets import SECOND, Rate
from unhub.mirror.month_totals import EPOCH, Month
from unhub.mirror.usage import MONTHS_MAX, Asked, Cost, Left, Usage, months, usage
from unhub.server.operations.actions import bad
from unhub.server.terms import profile_allowances
from unhub.store.protocols_identity import Meters
from unhub.store.records_identity import MeterField, MeterSum

ROWS: Final = 1000
"""Rows that are told unless it is said how many."""

ROWS_MAX: Final = 100_000

FIELDS: Final = (MeterField.DAY, MeterField.ACCOUNT, MeterField.ADDRESS, MeterField.REPOSITORY)
"""What usage can be told apart by, in the order in which it is shown."""


class Query(Protocol):
    """The parameters of a request."""

    def optional(self, name: str) -> str | None:
        """The first value of a parameter, or ``None``."""
        ...


class UsageActions:
    """The operations about usage of one worker. ``flush`` writes what this worker has counted."""

    def __init__(
        self,
        meters: Meters,
        rules: Allowances,
        data: TermsData,
        *,
        flush: Callable[[], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._meters = meters
        self._rules = rules
        self._data = data
        self._flush = flush
        self._now = now

    @property
    def routes(self) -> Mapping[str, Mapping[str, Callable[[Query], Awaitable[Mapping[str, object]]]]]:
        """What is answered, by path and method."""
        return {"/_unhub/usage": {"GET": self.usage}}

    async def usage(self, query: Query) -> Mapping[str, object]:
        """Sums by ``by`` (``account,repository``) of the days ``since`` to ``until``, by default of this month.

        ``terms`` names a profile to reckon with in place of the one in force. Raises :class:`ServeError` (400), :class:`UsageError`.
        """
        asked = self._asked(query)
        profile = query.optional("terms")
        rules = profile_allowances(self._data, profile) if profile else self._rules
        await self._flush()
        found = await usage(self._meters, asked, rules)
        terms = {
            **{"profile": rules.profile, "in_force": not profile or rules == self._rules, "head_counts": rules.counts_head},
            "rates": [_rate(kind, rate) for kind, rate in rules.rates.items() if rate is not None],
        }
        return {
            **{"since": _day(asked.first), "until": _day(asked.last), "by": list(asked.by)},
            **{"rows": _rows(found, asked.by), "more": found.more, "total": _sums(found.total), "terms": terms},
            **{"limits": [_left(one) for one in found.left], "costs": [_cost(one) for one in found.costs], "price": _price(rules.price)},
        }

    def _asked(self, query: Query) -> Asked:
        month = Month.of(self._now())
        first = _read_day(query.optional("since"), month.first)
        last = _read_day(query.optional("until"), month.last)
        if last < first:
            raise bad("cannot tell the usage of that time: it ends before it begins")
        if (last - first) > 31 * MONTHS_MAX or len(months(first, last)) > MONTHS_MAX:
            raise bad(f"cannot tell the usage of more than {MONTHS_MAX} months at once")
        names = [name for name in (query.optional("by") or "").split(",") if name]
        unknown = [name for name in names if name not in [field.value for field in FIELDS]]
        if unknown:
            raise bad(f"cannot tell usage by {unknown[0][:40]!r}: only by {', '.join(FIELDS)}")
        return Asked(tuple(field for field in FIELDS if field.value in names), first, last, _read_limit(query.optional("limit")))


def _read_day(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        number = date.fromisoformat(text).toordinal() - EPOCH
    except ValueError:
        raise bad(f"cannot read the day {text[:40]!r}: it is not like 2026-11-26") from None
    if number < 0:
        raise bad(f"cannot tell the usage of {text[:40]}: it is before 1970")
    return number


def _read_limit(text: str | None) -> int:
    if text is None:
        return ROWS
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= ROWS_MAX):
        raise bad(f"cannot tell {text[:20]} rows: 1 to {ROWS_MAX} of them")
    return int(text)


def _rows(found: Usage, by: tuple[MeterField, ...]) -> list[dict[str, object]]:
    """What was used, and the cost where rows are accounts."""
    usd = {account: sum(one.usd for one in found.costs if one.account == account) for account in {one.account for one in found.costs}}
    rows: list[dict[str, object]] = []
    for row in found.rows:
        names: dict[str, object] = {field.value: getattr(row, field.value) for field in by}
        if MeterField.DAY in by:
            names["day"] = _day(row.day)
        cost = {"usd": str(usd[row.account])} if by == (MeterField.ACCOUNT,) and row.account in usd else {}
        rows.append({**names, **_sums(row), **cost})
    return rows


def _sums(row: MeterSum) -> dict[str, object]:
    return {
        "pulls": row.pulls,
        "bytes_answered": row.bytes_answered,
        "exempt_pulls": row.exempt_pulls,
        "exempt_bytes": row.exempt_bytes,
    }


def _rate(kind: Kind, rate: Rate) -> dict[str, object]:
    return {"caller": kind.value, "pulls_a_second": round(SECOND / rate.gap, 6), "at_once": rate.burst}


def _left(one: Left) -> dict[str, object]:
    return {
        **{"month": _month(one.month), "caller": one.kind.value, "who": one.who, "counted_bytes": one.counted},
        **{"limit_bytes": one.limit, "left_bytes": one.left, "above": "refused" if one.refused else "priced"},
    }


def _cost(one: Cost) -> dict[str, object]:
    return {
        **{"month": _month(one.month), "account": one.account, "counted_bytes": one.counted, "free_bytes": one.free},
        **{"billed_bytes": one.billed, "usd": str(one.usd)},
    }


def _price(price: Price | None) -> dict[str, object] | None:
    if price is None:
        return None
    return {
        **{"usd": price.usd, "unit": price.unit, "says": price.says, "date": price.date.isoformat()},
        **{"source": price.source, "confidence": price.confidence},
    }


def _day(number: int) -> str:
    return date.fromordinal(number + EPOCH).isoformat()


def _month(month: Month) -> str:
    return _day(month.first)[:7]
