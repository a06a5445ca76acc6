"""What the limits mean for a tree: every limit beside what its builds take, as the tree is and after the migration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from unhub.aws.terms import MonthlyCost, caller_terms, monthly_cost, seconds_for
from unhub.data.terms import MONTH, Caller, Limit, Terms
from unhub.migrate.forecast import Load, Meter, Pulled, in_month, load, meter, registry_of

CALLERS: Final[tuple[Caller, ...]] = ("anonymous", "account")
"""Whose limits are forecast: those who are counted. ``paid`` and ``aws`` have no amount to reach."""


@dataclass(frozen=True, slots=True)
class Builds:
    """How much is built: ``per_day`` builds evenly spread (``None``: not said), over ``addresses`` outgoing addresses.

    ``at_once`` is how many start at the same moment behind one address.
    """

    per_day: Fraction | None = None
    addresses: int = 1
    at_once: int = 1

    def behind(self, caller: Caller) -> Fraction:
        """Builds a day that one counter sees: an address sees its share, an account all of them."""
        per_day = self.per_day or Fraction(0)
        return per_day / self.addresses if caller == "anonymous" else per_day


@dataclass(frozen=True, slots=True)
class Side:
    """One limit under the load of one build, now or after the migration; ``unknown`` images have no known size."""

    meter: Meter
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A limit on pulls or bytes, beside both loads.

    ``before_login``: the build logs in, and this is for what the platform pulls before that, which counts as not logged
    in. ``factor``: so many builds in all for each one that this counter sees (addresses).
    """

    limit: Limit
    before_login: bool
    factor: int
    now: Side
    after: Side


@dataclass(frozen=True, slots=True)
class Burst:
    """A limit on pulls a second: how many come at once, and how many seconds they need (``None``: no limit)."""

    limit: Limit
    now: int
    after: int
    seconds_now: Fraction | None
    seconds_after: Fraction | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that builds with a login move in a month, and an estimate of their price (``None``: no price is known)."""

    moved: int
    unknown: int
    estimate: MonthlyCost | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything about one registry. The costs are ``None`` where it is not said how much is built."""

    terms: Terms
    builds: Builds
    now: Load
    after: Load
    lines: tuple[Line, ...]
    bursts: tuple[Burst, ...]
    cost_now: Cost | None = None
    cost_after: Cost | None = None


def outlook(
    terms: Terms, now: Sequence[Pulled], after: Sequence[Pulled], builds: Builds, used: Mapping[Caller, int] | None = None
) -> Outlook:
    """What a registry's terms mean for builds. ``used`` is what callers have taken of its limit on pulls already."""
    loads = _Loads(*([one for one in side if registry_of(one.reference) == terms.profile.registry] for side in (now, after)))
    taken = used or {}
    lines = [loads.line(row, builds, taken, before_login=False) for caller in CALLERS for row in _amounts(terms, caller)]
    if any(one.before_login for one in (*loads.now, *loads.after)):
        lines += [loads.line(row, builds, taken, before_login=True) for row in _amounts(terms, "anonymous")]
    return Outlook(
        terms,
        builds,
        load(loads.now),
        load(loads.after),
        tuple(lines),
        tuple(loads.burst(row, builds) for row in terms.limits if row.is_rate and row.counts == "pulls" and row.caller in CALLERS),
        _cost(terms, loads.now, builds),
        _cost(terms, loads.after, builds),
    )


def is_enough(outlook: Outlook, *, migrated: bool) -> bool | None:
    """Whether builds without a login reach none of a registry's limits.

    ``None`` where it is not said how much is built, or where sizes that are not known might reach one. A limit on pulls
    a second makes builds slow or retry; it does not count here.
    """
    if outlook.builds.per_day is None:
        return None
    lines = [line for line in outlook.lines if line.limit.caller == "anonymous" and not line.before_login and line.limit.amount]
    sides = [line.after if migrated else line.now for line in lines]
    if any(side.meter.reached for side in sides):
        return False
    return None if any(side.unknown for side in sides) else True


def _amounts(terms: Terms, caller: Caller) -> list[Limit]:
    return [row for row in terms.limits if row.caller == caller and row.counts in ("pulls", "bytes") and not row.is_rate]


@dataclass(frozen=True, slots=True)
class _Loads:
    """What is pulled from one registry, now and after the migration."""

    now: Sequence[Pulled]
    after: Sequence[Pulled]

    def line(self, limit: Limit, builds: Builds, used: Mapping[Caller, int], *, before_login: bool) -> Line:
        factor = builds.addresses if limit.caller == "anonymous" else 1
        taken = used.get(limit.caller, 0) if limit.counts == "pulls" else 0
        sides = [_side(limit, load(side, before_login=_which(limit, before_login)), builds, taken) for side in (self.now, self.after)]
        return Line(limit, before_login, factor, sides[0], sides[1])

    def burst(self, limit: Limit, builds: Builds) -> Burst:
        now, after = (load(side, before_login=_which(limit, False)).pulls * builds.at_once for side in (self.now, self.after))
        return Burst(limit, now, after, seconds_for(now, limit), seconds_for(after, limit))


def _which(limit: Limit, before_login: bool) -> bool | None:
    """Which pulls a limit counts: without a login all of them, else those after the login or those before it."""
    if before_login:
        return True
    return None if limit.caller == "anonymous" else False


def _side(limit: Limit, taken: Load, builds: Builds, used: int) -> Side:
    per_build = taken.size if limit.counts == "bytes" else taken.pulls
    unknown = taken.unknown if limit.counts == "bytes" else 0
    return Side(meter(limit.amount, limit.seconds, per_build, builds.behind(limit.caller), used=used), unknown)


def _cost(terms: Terms, pulled: Sequence[Pulled], builds: Builds) -> Cost | None:
    if builds.per_day is None:
        return None
    taken = load(pulled, before_login=False)
    moved = in_month(taken.size, builds.per_day, MONTH)
    return Cost(moved, taken.unknown, monthly_cost(moved, caller_terms(terms, "account")))
