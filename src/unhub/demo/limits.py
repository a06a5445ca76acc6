"""Counting: pulls in a sliding window, requests a second, bytes a month, failed logins. Exact, since one thread does it."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

_TRAVEL = 0.1
"""The part of a request by which a bucket may be short."""


def counted_address(address: str) -> str:
    """What Docker Hub counts by: an IPv4 address, or the first half (/64) of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)


@dataclass(slots=True)
class Window:
    """Amounts by name, each forgotten ``seconds`` after it was added."""

    seconds: float
    _added: defaultdict[str, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque[tuple[float, int]]))
    _sums: Counter[str] = field(default_factory=Counter[str])

    def used(self, name: str, now: float) -> int:
        """What was added for a name and is not forgotten."""
        added = self._added.get(name)
        while added and added[0][0] <= now - self.seconds:
            self._sums[name] -= added.popleft()[1]
        if not added:
            self._added.pop(name, None)
            self._sums.pop(name, None)
        return self._sums[name]

    def add(self, name: str, amount: int, now: float) -> None:
        """Add for a name."""
        self._added[name].append((now, amount))
        self._sums[name] += amount

    def clear(self) -> None:
        """Forget everything."""
        self._added.clear()
        self._sums.clear()


@dataclass(slots=True)
class Rate:
    """A bucket a name that fills by ``rate`` a second, up to ``burst`` or one second's worth, whichever is more."""

    _levels: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def take(self, name: str, rate: float, burst: float, now: float) -> bool:
        """Take one if there is one. A caller whose request travelled a little faster than the one before is not refused for it."""
        most = max(rate, burst, 1.0)
        level, since = self._levels.get(name, (most, now))
        level = min(most, level + max(0.0, now - since) * rate)
        enough = level >= 1 - _TRAVEL
        self._levels[name] = (level - 1 if enough else level, now)
        return enough


@dataclass(slots=True)
class Counts:
    """What was counted: pulls by caller (``anonymous 127.0.0.1``, ``account ci``) and by reference (``library/node:20``)."""

    by_caller: Counter[str] = field(default_factory=Counter[str])
    by_reference: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        """All pulls."""
        return self.by_caller.total()

    def copy(self) -> Counts:
        """The counts of this moment."""
        return Counts(self.by_caller.copy(), self.by_reference.copy())
