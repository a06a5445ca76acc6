"""Usage as people read it: a table, then what is left of limits, then the cost with how sure its price is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from unhub.cli.amounts import count, share
from unhub.cli.output import printable, width
from unhub.data.terms import bytes_text

Row = dict[str, Any]

SHOWN_MAX = 20
"""Callers of whom it is shown what is left."""

ANONYMOUS = "(anonymous)"
WHOSE = {"anonymous": "each address without a login", "account": "each account", "aws": "each caller inside AWS"}

OTHERS = "(others)"
"""A crowd that was counted without addresses or repositories."""


def lines(answer: Row) -> Iterator[str]:
    """The page, line by line."""
    by, rows, total = cast("list[str]", answer["by"]), cast("list[Row]", answer["rows"]), cast(Row, answer["total"])
    since, until = answer["since"], answer["until"]
    if not total["pulls"] and not total["bytes_answered"]:
        yield f"nothing was answered from {since} to {until} (UTC)"
        return
    yield from _table(by, rows, total, priced=answer["price"] is not None)
    yield f"from {since} to {until} (UTC), days and months are UTC's"
    yield from _limits(answer)
    yield from _costs(answer)


def _table(by: Sequence[str], rows: list[Row], total: Row, *, priced: bool) -> Iterator[str]:
    cost = priced and list(by) == ["account"]
    head = [*by, "pulls", "answered", "exempt", *(["about USD"] if cost else [])]
    body = [
        [*(_name(field, str(row[field])) for field in by), *_figures(row), *([str(row.get("usd", "-"))] if cost else [])] for row in rows
    ]
    last = [*(["total", *[""] * (len(by) - 1)] if by else []), *_figures(total), *([""] if cost else [])]
    cells = [head, *body, *([last] if by else [])]
    widths = [max(width(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        left = [text + " " * (columns - width(text)) for text, columns in zip(row[: len(by)], widths, strict=False)]
        right = [" " * (columns - width(text)) + text for text, columns in zip(row[len(by) :], widths[len(by) :], strict=True)]
        yield "  ".join([*left, *right]).rstrip()


def _figures(row: Row) -> list[str]:
    exempt = int(row["exempt_bytes"])
    return [f"{int(row['pulls']):,}", bytes_text(int(row["bytes_answered"])), bytes_text(exempt) if exempt else "-"]


def _name(field: str, text: str) -> str:
    return printable(text) or (ANONYMOUS if field == "account" else OTHERS)


def _limits(answer: Row) -> Iterator[str]:
    terms, found = cast(Row, answer["terms"]), cast("list[Row]", answer["limits"])
    rates = cast("list[Row]", terms["rates"])
    if not found and not rates:
        yield "no terms are in force: nobody is refused (--terms aws-2026-11 reckons with those of ECR Public)"
        return
    force = "" if terms["in_force"] else ", which are not in force"
    yield f"limits of {printable(str(terms['profile']))}{force}:"
    for row in rates:
        yield f"  {WHOSE[row['caller']]}: {_a_second(row['pulls_a_second'])}, {int(row['at_once']):,} at once after a rest"
    if rates:
        head = "a HEAD of a manifest is one, too" if terms["head_counts"] else "a HEAD is none"
        yield f"  pulls are GETs of manifests, {head} (that, and how many come at once, is unverified of ECR Public)"
    for row in found[:SHOWN_MAX]:
        used, limit = int(row["counted_bytes"]), int(row["limit_bytes"])
        who = f"{'account' if row['caller'] == 'account' else 'address'} {printable(str(row['who'])) or OTHERS}"
        above = "more is refused" if row["above"] == "refused" else "more has its price"
        left = bytes_text(int(row["left_bytes"]))
        yield f"  {who}, {row['month']}: {bytes_text(used)} of {bytes_text(limit)} ({share(used, limit)}), {left} left; {above}"
    if len(found) > SHOWN_MAX:
        yield f"  and {count(len(found) - SHOWN_MAX, 'caller')} that used less"


def _a_second(pulls: float) -> str:
    return f"{pulls:g} {'pull' if pulls == 1 else 'pulls'} a second"


def _costs(answer: Row) -> Iterator[str]:
    price, costs = cast("Row | None", answer["price"]), cast("list[Row]", answer["costs"])
    if price is None or not costs:
        return
    yield f"cost, an estimate and no bill ({price['says']}; {price['confidence']}, {price['date']}: {price['source']}):"
    for row in costs[:SHOWN_MAX]:
        yield (
            f"  account {printable(str(row['account']))}, {row['month']}: {bytes_text(int(row['counted_bytes']))}, of which "
            f"{bytes_text(int(row['billed_bytes']))} above the free {bytes_text(int(row['free_bytes']))}: about {row['usd']} USD"
        )
    if len(costs) > SHOWN_MAX:
        yield f"  and {count(len(costs) - SHOWN_MAX, 'row')} more (--format json has them)"
