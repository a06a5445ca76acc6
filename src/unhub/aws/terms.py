"""ECR Public's limits and prices, and what a month would cost by them.

The figures are dated data (``data/terms.toml``); the arithmetic is exact. What the data call ``unverified`` must be
shown so: the price above the free data, and that AWS's own regions pay nothing, were read in no price list.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from unhub.data.terms import Caller, Limit, Price, Terms

REGISTRY: Final = "public.ecr.aws"

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class CallerTerms:
    """What one kind of caller may do: pulls a second, bytes a month (``None`` where nothing is known), and the price."""

    rate: Limit | None
    data: Limit | None
    price: Price | None = None


def caller_terms(terms: Terms, caller: Caller) -> CallerTerms:
    """The terms of a caller without a login, with one, or inside AWS."""
    return CallerTerms(terms.limit(caller, "pulls", rate=True), terms.limit(caller, "bytes"), terms.price(caller, "bytes"))


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """An estimate, never a bill: US dollars for the ``billed`` bytes of a month, by a price of a day and a confidence."""

    billed: int
    usd: Decimal
    price: Price


def monthly_cost(moved: int, caller: CallerTerms) -> MonthlyCost | None:
    """What ``moved`` bytes in a month cost; ``None`` for a caller who is refused, or not limited, but not billed."""
    if caller.price is None or caller.data is None or caller.data.amount is None:
        return None
    billed = max(0, moved - caller.data.amount)
    return MonthlyCost(billed, dollars(billed * caller.price.of_one), caller.price)


def dollars(amount: Fraction) -> Decimal:
    """An exact amount as dollars and cents, half a cent upwards."""
    return (Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(_CENT, ROUND_HALF_UP)


def seconds_for(pulls: int, rate: Limit) -> Fraction | None:
    """How long ``pulls`` at the same moment take at a rate of pulls a second; ``None`` where there is no limit.

    The first second's worth is free to go at once: a bucket is full when nobody pulled before.
    """
    if rate.amount is None:
        return None
    return Fraction(max(0, pulls - rate.amount), rate.amount)
