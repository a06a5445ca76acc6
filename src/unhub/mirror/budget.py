"""The ledger of pulls: what an upstream's headers said, what was spent since, and who may spend the rest.

Docker Hub counts GET of manifests and nothing else, says what is left in ``ratelimit-remaining`` and names the window
in seconds (docs.docker.com, "Docker Hub pull usage and limits", read 2026-11-23). Without such headers nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from unhub.registry.answers import Budget
from unhub.store.records import BudgetRow, Priority


@dataclass(frozen=True, slots=True)
class Reserve:
    """The share of the limit that is kept from those who can wait: refreshes, and prefetching."""

    refresh: float = 0.2
    prefetch: float = 0.5

    def kept(self, priority: Priority, limit: int) -> int:
        """Pulls that must be left for others after a pull of this priority."""
        share = {Priority.CLIENT: 0.0, Priority.REFRESH: self.refresh, Priority.PREFETCH: self.prefetch}[priority]
        return int(limit * share)


OVERTAKEN: Final = 30.0
"""Seconds within which an answer that tells of more pulls than the last one was probably overtaken by it."""


class Ledger:
    """What is left at each (upstream, credential). Lives in one event loop; changed rows are for the store.

    A pull counts from the moment it is sent (:meth:`spend`) to its answer (:meth:`landed`), so that many at once do
    not spend the same pull.
    """

    def __init__(self, clock: Callable[[], float], rows: Iterable[BudgetRow] = (), reserve: Reserve | None = None) -> None:
        """``clock`` gives seconds since 1970; ``rows`` are what the store kept."""
        self._clock = clock
        landed = (replace(row, spent=0, remaining=None if row.remaining is None else row.remaining - row.spent) for row in rows)
        self._rows = {(row.upstream, row.credential): row for row in landed}
        self._reserve = reserve or Reserve()
        self._changed: set[tuple[str, str]] = set()

    def rows(self) -> list[BudgetRow]:
        """Everything that is known."""
        return [self._rows[key] for key in sorted(self._rows)]

    def take_changed(self) -> list[BudgetRow]:
        """The rows that changed since the last call."""
        changed, self._changed = self._changed, set()
        return [self._rows[key] for key in sorted(changed)]

    def not_saved(self, rows: Iterable[BudgetRow]) -> None:
        """Some of those rows could not be saved: they come again with the next call."""
        self._changed.update((row.upstream, row.credential) for row in rows)

    def remaining(self, upstream: str, credential: str) -> int | None:
        """Pulls that are left, at least 0; ``None`` where nothing is counted, or nobody knows."""
        row = self._rows.get((upstream, credential))
        if row is None or row.remaining is None:
            return None
        left = row.limit if self._refilled(row) and row.limit is not None else row.remaining
        return max(0, left - row.spent)

    def refill_in(self, upstream: str, credential: str) -> float | None:
        """Seconds until a spent budget is surely full again; ``None`` where that is not known."""
        row = self._rows.get((upstream, credential))
        if row is None or row.window is None:
            return None
        return max(0.0, row.seen_at + row.window - self._clock())

    def may_spend(self, upstream: str, credential: str, priority: Priority) -> bool:
        """Whether one more pull is allowed."""
        left = self.remaining(upstream, credential)
        if left is None:
            return True
        limit = self._rows[(upstream, credential)].limit or left
        return left > self._reserve.kept(priority, limit)

    def spend(self, upstream: str, credential: str) -> None:
        """Count a pull that is being sent; :meth:`landed` must follow."""
        key = (upstream, credential)
        row = self._rows.get(key)
        if row is None:
            return
        if self._refilled(row):
            row = replace(row, remaining=row.limit, seen_at=self._clock())
        self._set(key, replace(row, spent=row.spent + 1))

    def landed(self, upstream: str, credential: str, budget: Budget | None) -> None:
        """The answer to a pull came, or will never come; it counts as spent unless ``budget`` tells what is left."""
        key = (upstream, credential)
        row = self._rows.get(key)
        if row is not None and row.spent:
            left = None if row.remaining is None else row.remaining - (budget is None)
            self._set(key, replace(row, spent=row.spent - 1, remaining=left))
        self.heard(upstream, credential, budget)

    def heard(self, upstream: str, credential: str, budget: Budget | None) -> None:
        """Take over what the headers of an answer said; ``None``: they said nothing."""
        if budget is None or (budget.limit is None and budget.remaining is None):
            return
        key, now = (upstream, credential), self._clock()
        row = self._rows.get(key)
        left, flying = budget.remaining, row.spent if row else 0
        if row is not None and row.remaining is not None and left is not None and row.limit == budget.limit:
            overtaken = 0 < left - row.remaining <= max(flying, 1) + 1 and now - row.seen_at < OVERTAKEN
            left = row.remaining if overtaken else left
        self._set(key, BudgetRow(upstream, credential, budget.limit, left, budget.window, now, flying, budget.source))

    def exhausted(self, upstream: str, credential: str, *, window: int | None = None) -> None:
        """The upstream refused a pull: nothing is left, whatever was said before."""
        key = (upstream, credential)
        known = self._rows.get(key) or BudgetRow(upstream, credential, None, None, window, self._clock())
        self._set(key, replace(known, remaining=0, seen_at=self._clock(), window=known.window or window))

    def _refilled(self, row: BudgetRow) -> bool:
        return row.window is not None and self._clock() >= row.seen_at + row.window

    def _set(self, key: tuple[str, str], row: BudgetRow) -> None:
        self._rows[key] = row
        self._changed.add(key)
