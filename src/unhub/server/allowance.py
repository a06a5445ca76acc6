"""Whether a caller may have what it asks for: not too many pulls a second, not too many bytes a month (terms of the settings).

All of it is answered from memory in microseconds: pulls are exact across the workers of a node, bytes lag behind by what
other workers have answered in the last seconds (:mod:`unhub.mirror.month_totals`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from unhub.data.terms import TermsRefusal
from unhub.image.errors import ApiRefused, ServeError
from unhub.mirror.allowances import Allowances
from unhub.mirror.buckets import Buckets
from unhub.mirror.month_totals import MonthTotals


class Asking(Protocol):
    """Who asks: an account or none, what the address is counted as, and whether that is inside AWS (:class:`unhub.server.note.Note`)."""

    account: str
    caller: str
    in_region: bool


class Allowance:
    """Lives in one event loop.

    ``texts`` are what is said to those who are refused, by the limit: ``rate``, ``data`` or ``operation``; ``refused`` hears of it.
    """

    def __init__(
        self,
        rules: Allowances,
        buckets: Buckets,
        totals: MonthTotals,
        texts: Mapping[str, TermsRefusal],
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._rules = rules
        self._buckets = buckets
        self._totals = totals
        self._texts = texts
        self._refused = refused

    def check(self, note: Asking, *, pull: bool, head: bool = False) -> None:
        """Take a pull (a manifest), or ask only whether bytes are left. Raises :class:`ServeError` 429."""
        error = self.refuses(note, pull=pull, head=head)
        if error is not None:
            raise error

    def refuses(self, note: Asking, *, pull: bool = True, head: bool = False) -> ServeError | None:
        """The same, for where nothing is raised: the refusal, or ``None`` where it may go on (and the pull was taken)."""
        rules, account = self._rules, note.account
        month = rules.month(account, in_region=note.in_region)
        if month is not None and month.refused and self._totals.of((account, "" if account else note.caller)) >= month.amount:
            return self._refusal("data", None)
        if not pull or (head and not rules.counts_head):
            return None
        found = rules.pulls(account, note.caller, in_region=note.in_region)
        if found is None:
            return None
        wait = self._buckets.take(*found)
        return self._refusal("rate", wait) if wait else None

    def check_operation(self, account: str, operation: str) -> None:
        """Take a request of an operation of the API. Raises :class:`ApiRefused` where an account asks too often."""
        rate = self._rules.operations.get(operation)
        if rate is not None and self._buckets.take(f"operation {operation} {account}", rate):
            self._refused("operation")
            row = self._texts["operation"]
            raise ApiRefused(row.message, aws_code=row.code, status=row.status)

    def _refusal(self, kind: str, wait: float | None) -> ServeError:
        self._refused(kind)
        row = self._texts[kind]
        return ServeError(row.message, status=row.status, registry_code=row.code, retry_after=wait if row.retry_after else None)
