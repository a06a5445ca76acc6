"""A mirror's state in a screenful: bars for what fills up, red for what is wrong, nothing that a machine would need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from unhub.cli.amounts import amount, count, period, share
from unhub.cli.output import printable, styled

Row = dict[str, Any]

_BAR = 24


def lines(status: Row, url: str, *, colours: bool, columns: int = 100) -> list[str]:
    """The screen, line by line; ``columns`` bounds their length where that can be."""
    return list(_Screen(colours, columns).draw(status, url))


class _Screen:
    def __init__(self, colours: bool, columns: int) -> None:
        self._colours = colours
        self._bar = _BAR if columns >= 80 else 10

    def draw(self, status: Row, url: str) -> Iterator[str]:
        yield f"{self._paint(printable(url), 'bold')}  {self._paint('unhub ' + printable(str(status.get('version', ''))), 'dim')}"
        fetcher = cast("Row | None", status.get("fetcher"))
        yield from self._cache(fetcher or {}, cast(Row, status.get("policy") or {}))
        yield from self._answers(cast(Row, status.get("answers") or {}))
        if fetcher is None:
            yield self._paint(f"fetcher   {printable(str(status.get('fetcher_error') or 'not there'))}", "red")
            return
        yield from self._budgets(fetcher)
        yield from self._sources(fetcher)
        yield from self._flights(fetcher)

    def _cache(self, fetcher: Row, policy: Row) -> Iterator[str]:
        cache = cast(Row, fetcher.get("cache") or {})
        if cache:
            used, cap = cache["used"], cache["cap"]
            yield f"cache     {self._meter(used, cap)}  {amount(used)} of {amount(cap)}"
        evicted = cast(Row, fetcher.get("evictions") or {})
        notes = [f"{count(evicted['images'], 'image')} evicted ({amount(evicted['bytes'])})"] if evicted.get("images") else []
        notes += [count(policy["pins"], "pin")] if policy.get("pins") else []
        notes += [count(policy["blocks"], "block")] if policy.get("blocks") else []
        if notes:
            yield f"          {', '.join(notes)}"
        if evicted.get("failure"):
            yield self._paint(f"          eviction fails: {printable(str(evicted['failure']))}", "red")

    def _answers(self, answers: Row) -> Iterator[str]:
        kept = answers.get("memory", 0) + answers.get("store", 0)
        fetched, stale, refused = (answers.get(name, 0) for name in ("fetched", "stale", "refused"))
        total = kept + fetched + stale
        if not total and not refused:
            yield "answers   none yet"
            return
        yield f"answers   {self._meter(kept + stale, total)}  {share(kept + stale, total)} from the cache of {total:,}"
        parts = [f"{fetched:,} fetched"]
        parts += [self._paint(f"{stale:,} stale", "yellow")] if stale else []
        parts += [f"{refused:,} refused"] if refused else []
        yield f"          {', '.join(parts)}"

    def _budgets(self, fetcher: Row) -> Iterator[str]:
        for row in cast(list[Row], fetcher.get("budgets") or []):
            who = printable(str(row["upstream"])) + (f" as {printable(str(row['credential']))}" if row["credential"] else "")
            limit, left = row["limit"], row["remaining"]
            if left is None:
                yield f"budget    {who}: no limit is told"
                continue
            full = f", full again in {period(row['refill_in'])}" if row.get("refill_in") and left != limit else ""
            of = f" of {limit:,}" if limit is not None else ""
            text = f"{left:,}{of} pulls left{full}"
            colour = "red" if left == 0 else "yellow" if limit and left < limit / 5 else None
            yield f"budget    {self._meter(left, limit or max(left, 1), empty_is_bad=True)}  {who}: {self._paint(text, colour)}"

    def _sources(self, fetcher: Row) -> Iterator[str]:
        counts = cast(Row, fetcher.get("counts") or {})
        pulled = cast(dict[str, int], counts.get("per_source") or {})
        for row in cast(list[Row], fetcher.get("sources") or []):
            name = printable(str(row["name"]))
            if row["shut_for"]:
                said = self._paint(f"left alone for {period(row['shut_for'])} more", "red")
            else:
                said = self._paint("healthy", "green")
            if row["next_slot_in"] >= 0.5:
                said += f", next slot in {period(row['next_slot_in'])}"
            said += ", logged in" if row.get("login") else ""
            manifests = pulled.get(str(row["name"]), 0)
            yield f"upstream  {name}: {said}, {count(manifests, 'manifest')}"
        saved = counts.get("saved_pulls")
        if saved:
            yield f"          {count(saved, 'pull')} saved by fallbacks"

    def _flights(self, fetcher: Row) -> Iterator[str]:
        flights = cast(dict[str, int], fetcher.get("flights") or {})
        counts = cast(Row, fetcher.get("counts") or {})
        under_way = ", ".join(count(number, name.removesuffix("s")) for name, number in flights.items() if number)
        yield f"fetching  {under_way or 'nothing'}; {amount(counts.get('blob_bytes', 0))} of blobs so far"
        if counts.get("blob_mismatches"):
            yield self._paint(f"          {count(counts['blob_mismatches'], 'blob')} came with wrong bytes: thrown away", "red")

    def _meter(self, part: float, whole: float, *, empty_is_bad: bool = False) -> str:
        filled = round(self._bar * min(max(part / whole if whole else 0.0, 0.0), 1.0))
        bad = empty_is_bad and filled == 0
        return self._paint("█" * filled + "░" * (self._bar - filled), "red" if bad else "cyan")

    def _paint(self, text: str, name: str | None) -> str:
        return styled(text, name, on=self._colours) if name else text
