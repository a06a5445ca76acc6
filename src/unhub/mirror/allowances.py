"""What callers may have at most, by the terms that were chosen: so many pulls a second, so many bytes a month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from unhub.data.terms import Price
from unhub.mirror.buckets import Rate


class Kind(StrEnum):
    """Who asks, as terms tell callers apart."""

    ANONYMOUS = "anonymous"
    """Without a login: counted by address."""
    ACCOUNT = "account"
    """With one: counted by account, wherever it asks from."""
    AWS = "aws"
    """From a network that counts as inside AWS, with a login or without."""


@dataclass(frozen=True, slots=True)
class Monthly:
    """Bytes of a calendar month (UTC). More is ``refused``, or has its price."""

    amount: int
    refused: bool


@dataclass(frozen=True, slots=True)
class Allowances:
    """The figures in force. A kind of caller or an operation that is missing is not limited, or has ``None`` for that.

    ``counts_head`` says whether a HEAD of a manifest is a pull, ``price`` what bytes above an account's month cost.
    """

    profile: str
    rates: Mapping[Kind, Rate | None] = field(default_factory=dict[Kind, Rate | None])
    months: Mapping[Kind, Monthly] = field(default_factory=dict[Kind, Monthly])
    operations: Mapping[str, Rate] = field(default_factory=dict[str, Rate])
    counts_head: bool = False
    price: Price | None = None

    @property
    def limits_nothing(self) -> bool:
        """Whether nobody can be refused, or asked to pay."""
        return not (any(self.rates.values()) or self.months or self.operations)

    @property
    def exempts_aws(self) -> bool:
        """Whether what is answered to callers inside AWS counts toward no limit."""
        return Kind.AWS not in self.months

    def pulls(self, account: str, address: str, *, in_region: bool) -> tuple[str, Rate] | None:
        """The bucket of a caller's pulls: the name of whose are counted together, and how many there may be; ``None`` for no limit.

        Inside AWS it is a bucket of its own, unless nothing is known of such callers.
        """
        kind, who = (Kind.ACCOUNT, account) if account else (Kind.ANONYMOUS, address)
        apart = in_region and Kind.AWS in self.rates
        rate = self.rates.get(Kind.AWS if apart else kind)
        return None if rate is None else (f"pulls {kind} {who}{' aws' if apart else ''}", rate)

    def month(self, account: str, *, in_region: bool) -> Monthly | None:
        """How many bytes a month a caller may have; ``None`` for no limit."""
        if in_region:
            return self.months.get(Kind.AWS)
        return self.months.get(Kind.ACCOUNT if account else Kind.ANONYMOUS)


NONE = Allowances("none")
"""One's own mirror: everybody may have everything."""
