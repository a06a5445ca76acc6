"""The limits that the stand-ins enforce unless told otherwise: those of the dated data (``data/terms.toml``)."""

from __future__ import annotations

from functools import cache

import msgspec

from unhub.data.rows import typed

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Profile(msgspec.Struct, frozen=True):
    id: str
    registry: str
    current: bool = False


class _Limit(msgspec.Struct, frozen=True):
    profile: str
    caller: str
    counts: str
    window: str
    amount: int | None = None
    operation: str | None = None


def amount(registry: str, caller: str, counts: str) -> int | None:
    """How many ``pulls`` or ``bytes`` a kind of caller (``anonymous``, ``account``) gets in a window; ``None`` is not limited."""
    found = _limit(registry, caller, counts)
    return found.amount if found else None


def window(registry: str, caller: str, counts: str) -> int:
    """The seconds of the window of a limit; a month is read as 30 days. 0 where there is no such limit."""
    found = _limit(registry, caller, counts)
    if found is None:
        return 0
    if found.window == "month":
        return 30 * 86400
    return int(found.window[:-1]) * _SECONDS[found.window[-1]]


@cache
def _limit(registry: str, caller: str, counts: str) -> _Limit | None:
    current = {row.id for row in typed("profile", _Profile) if row.registry == registry and row.current}
    wanted = (caller, counts)
    for row in typed("limit", _Limit):
        if row.profile in current and (row.caller, row.counts) == wanted and row.operation is None:
            return row
    return None
