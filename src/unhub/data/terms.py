"""What registries allow and charge, as dated profiles: the rows of ``terms.toml``, and a user's over them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from unhub.data.facts import Dated
from unhub.data.rows import Row, converted, merged, own_rows
from unhub.image.errors import ConfigurationError, UsageError

Caller = Literal["anonymous", "account", "paid", "aws"]
"""Who pulls: without a login, with one, with a paid account, or a workload inside AWS."""

Counts = Literal["pulls", "bytes", "requests", "stored bytes"]
"""What is counted."""

SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MONTH: Final = 30 * SECONDS["d"]
"""Seconds of a month, as forecasts count it."""

_WINDOW = re.compile(r"([1-9][0-9]*)([smhd])")
_FILES = ("terms.toml",)
D = TypeVar("D", bound=Dated)


class Profile(Dated, frozen=True, kw_only=True):
    """What one registry allowed at a time. ``current`` counts unless another one is asked for.

    ``enforced`` is false for what was announced only.
    """

    id: str
    registry: str
    title: str
    current: bool = False
    enforced: bool = True


class Limit(Dated, frozen=True, kw_only=True):
    """One figure of a profile: ``amount`` in ``window``, ``None`` for no limit; ``per`` says whose is counted together.

    ``window`` is ``1s``, ``6h``, ``1d`` or ``month``. ``operation`` names the API operation of a limit on requests.
    """

    id: str
    profile: str
    caller: Caller
    counts: Counts
    window: str
    per: str
    amount: int | None = None
    operation: str | None = None
    says: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no window or amount."""
        if self.window != "month" and not _WINDOW.fullmatch(self.window):
            raise ValueError(f"the window {self.window!r} is none like 1s, 6h, 1d or month")
        if self.amount is not None and self.amount < 1:
            raise ValueError("the amount must be at least 1; without the key there is no limit")

    @property
    def seconds(self) -> int:
        """The window in seconds; a month has 30 days."""
        match = _WINDOW.fullmatch(self.window)
        return int(match[1]) * SECONDS[match[2]] if match else MONTH

    @property
    def is_rate(self) -> bool:
        """Whether this limits how fast, not how much."""
        return self.seconds == 1

    @property
    def window_text(self) -> str:
        """The window in words: ``6 h``, ``1 month``."""
        return "1 month" if self.window == "month" else f"{self.window[:-1]} {self.window[-1]}"

    @property
    def text(self) -> str:
        """The limit in words: ``100 pulls in 6 h``, ``1 pull a second``, ``500 GB a month``, ``not limited``."""
        if self.amount is None:
            return "not limited"
        what = amount_text(self.amount, self.operation or self.counts)
        if self.window == "month":
            return f"{what} a month"
        return f"{what} a second" if self.is_rate else f"{what} in {self.window_text}"

    @property
    def sentence(self) -> str:
        """The limit with whose is counted, and what else is known: ``100 pulls in 6 h for each IPv4 address``."""
        return f"{self.text} for each {self.per}" + (f"; {self.says}" if self.says else "")


class Price(Dated, frozen=True, kw_only=True):
    """What more than the free amount costs: ``usd`` for each ``unit`` of what is counted."""

    id: str
    profile: str
    caller: Caller
    counts: Counts
    usd: str
    unit: int
    says: str
    free: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no price."""
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", self.usd) or self.unit < 1:
            raise ValueError('a price is usd = "0.09" for a unit of at least 1')

    @property
    def of_one(self) -> Fraction:
        """US dollars for one byte."""
        return Fraction(Decimal(self.usd)) / self.unit


class Quota(Dated, frozen=True, kw_only=True):
    """A fixed maximum of a service; ``code`` is its Service Quotas code where it can be raised."""

    id: str
    profile: str
    name: str
    amount: int
    unit: str
    code: str | None = None


class Counting(Dated, frozen=True, kw_only=True):
    """Whether a kind of request counts as a pull."""

    id: str
    registry: str
    request: str
    counts: bool
    says: str


class Burst(Dated, frozen=True, kw_only=True):
    """How many pulls a registry takes at once after a rest, whatever its pulls a second are."""

    id: str
    registry: str
    pulls: int
    says: str

    def __post_init__(self) -> None:
        """Refuse what is no number of pulls."""
        if self.pulls < 1:
            raise ValueError("a burst has at least 1 pull")


class TermsRefusal(Dated, frozen=True, kw_only=True):
    """What a caller above a limit is told: of pulls (``rate``), bytes (``data``) or an operation of the API (``operation``).

    ``code`` is the registry's or AWS's, ``status`` HTTP's; ``retry_after`` says whether it is told when to come again.
    """

    id: str
    status: int
    code: str
    message: str
    retry_after: bool
    says: str

    def __post_init__(self) -> None:
        """Refuse what is no status of a refusal."""
        if not 400 <= self.status <= 599:
            raise ValueError("the status of a refusal is 400 to 599")


class Note(Dated, frozen=True, kw_only=True):
    """Something that is known of a registry's limits and is no figure."""

    id: str
    registry: str
    says: str


class Probe(Dated, frozen=True, kw_only=True):
    """An image whose HEAD tells what is left of a limit and costs nothing."""

    id: str
    registry: str
    reference: str
    says: str


TYPES: Final[dict[str, type[Dated]]] = {
    "profile": Profile,
    "limit": Limit,
    "price": Price,
    "quota": Quota,
    "counting": Counting,
    "burst": Burst,
    "terms_refusal": TermsRefusal,
    "note": Note,
    "probe": Probe,
}
"""The kinds of rows of ``terms.toml``."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One registry's profile with its figures."""

    profile: Profile
    limits: tuple[Limit, ...]
    prices: tuple[Price, ...]
    quotas: tuple[Quota, ...] = ()
    notes: tuple[Note, ...] = ()

    def limit(self, caller: Caller, counts: Counts, *, rate: bool = False) -> Limit | None:
        """The limit of a caller on pulls or bytes; ``rate`` asks for the one on how fast. ``None``: none is known."""
        found = (row for row in self.limits if (row.caller, row.counts, row.is_rate) == (caller, counts, rate))
        return next(found, None)

    def price(self, caller: Caller, counts: Counts) -> Price | None:
        """What a caller pays above the free amount; ``None`` where nothing is known of a price."""
        return next((row for row in self.prices if (row.caller, row.counts) == (caller, counts)), None)


class TermsData:
    """All of ``terms.toml``, with the rows of a user's data file in the place of the shipped ones.

    Raises :class:`ConfigurationError` where a row of the user's is wrong.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._rows = merged(own_rows(own) if own else (), _FILES)

    def profiles(self) -> tuple[Profile, ...]:
        """Every profile."""
        return self._of("profile", Profile)

    def probe(self, registry: str) -> Probe:
        """The free question about what is left. Raises :class:`ConfigurationError` where none is known."""
        for row in self._of("probe", Probe):
            if row.registry == registry:
                return row
        raise ConfigurationError(f"cannot ask {registry} what is left: no [[probe]] is known for it")

    def counts(self, registry: str, request: str) -> bool:
        """Whether a registry counts a kind of request as a pull; ``False`` where nothing is known of it."""
        return any(row.counts for row in self._of("counting", Counting) if (row.registry, row.request) == (registry, request))

    def burst(self, registry: str) -> int:
        """How many pulls a registry takes at once after a rest; 1 where nothing is known."""
        return next((row.pulls for row in self._of("burst", Burst) if row.registry == registry), 1)

    def refusals(self) -> dict[str, TermsRefusal]:
        """What callers above a limit are told, by ``id``; of two rows with one ``id`` the user's."""
        return {row.id: row for row in reversed(self._of("terms_refusal", TermsRefusal))}

    def terms(self, registry: str, names: tuple[str, ...] = ()) -> Terms:
        """The terms of a registry: of the first of ``names`` that is a profile of it, else the current ones.

        Raises :class:`ConfigurationError` where the registry has no current profile.
        """
        profiles = [row for row in self.profiles() if row.registry == registry]
        chosen = [row for name in names for row in profiles if row.id == name] or [row for row in profiles if row.current]
        if not chosen:
            raise ConfigurationError(f"cannot tell the limits of {registry}: no [[profile]] of it is current")
        profile = chosen[0]
        return Terms(
            profile,
            tuple(row for row in self._of("limit", Limit) if row.profile == profile.id),
            tuple(row for row in self._of("price", Price) if row.profile == profile.id),
            tuple(row for row in self._of("quota", Quota) if row.profile == profile.id),
            tuple(row for row in self._of("note", Note) if row.registry == registry),
        )

    def check(self, names: tuple[str, ...]) -> None:
        """Raise :class:`UsageError` for the first name that is no profile."""
        known = [row.id for row in self.profiles()]
        for name in names:
            if name not in known:
                raise UsageError(f"cannot use the terms {name!r}: there are none of that name", hint=f"Known are {', '.join(known)}")

    def _of(self, kind: str, type_: type[D]) -> tuple[D, ...]:
        return tuple(converted(row, type_) for row in self._rows if row.kind == kind)


def amount_text(amount: int, counts: str) -> str:
    """An amount in words: ``1 pull``, ``200 pulls``, ``500 GB``, ``10 PutImage requests``."""
    if counts.endswith("bytes"):
        return bytes_text(amount)
    if counts in ("pulls", "requests"):
        return f"{amount:,} {counts.removesuffix('s') if amount == 1 else counts}"
    return f"{amount:,} {counts} requests"


def bytes_text(amount: float) -> str:
    """Bytes in powers of ten, three digits: ``48.2 MB``, ``5 TB``."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= size * 0.9995:
            number = amount / size
            digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
            text = f"{number:,.{digits}f}"
            return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
    return f"{amount:.0f} bytes"


def described(row: Row) -> str:
    """A row of ``terms.toml`` in words."""
    value = converted(row, TYPES[row.kind])
    match value:
        case Limit():
            return value.sentence
        case Quota():
            return f"{value.name}: {value.amount:,} {value.unit}"
        case Profile():
            return value.title + (" (current)" if value.current else "")
        case Price() | Note() | Counting() | Burst() | TermsRefusal() | Probe():
            return value.says
        case _:
            return str(msgspec.to_builtins(value))
