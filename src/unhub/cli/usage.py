"""``unhub usage``: what callers of a running mirror were answered, what is left of their limits, and what more would cost."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import click

from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say, write
from unhub.image.errors import UsageError

FIELDS = ("account", "address", "repository", "day")
SUMS = ("pulls", "bytes_answered", "exempt_pulls", "exempt_bytes")


@click.command("usage", short_help="Show what callers of a mirror pulled, what is left of their limits, and the cost.")
@click.option(
    "--by",
    "by",
    multiple=True,
    type=click.Choice(FIELDS),
    help="Tell it apart by this; repeatable.  [default: account]",
)
@click.option("--month", metavar="YYYY-MM", help="Of this calendar month (UTC).  [default: the current one]")
@click.option("--since", metavar="YYYY-MM-DD", help="From this day on (UTC).")
@click.option("--until", metavar="YYYY-MM-DD", help="Up to this day, which is included.")
@click.option("--terms", metavar="PROFILE", help="Reckon with these terms, as aws-2026-11, whatever the mirror itself goes by.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, metavar="N", help="Rows at most.")
@click.option("--format", "form", type=click.Choice(("table", "json", "csv")), default="table", show_default=True, help="How to show it.")
@mirror_options
def command(*, mirror: MirrorClient, by: tuple[str, ...], form: str, limit: int, **time: str | None) -> int:
    """Show what callers of a running mirror were answered: pulls and bytes, by account, address, repository or day.

    Bytes are those of answers that were begun: a client may have left before the end. What is exempt counts toward no
    limit. Costs are estimates from dated figures, never a bill. What other workers of the mirror answered in the last
    second may be missing.
    """
    asked: dict[str, str] = {"by": ",".join(by or ("account",)), "limit": str(limit), **_days(time)}
    if time["terms"]:
        asked["terms"] = time["terms"]
    answer = mirror.get("usage", **asked)
    if form == "json":
        write(json.dumps(answer, indent=2) + "\n")
    elif form == "csv":
        write(_csv(answer))
    else:
        _show(answer)
    if answer["more"] and form != "json":
        say(f"there are more rows than {limit:,}; --limit shows more")
    return 0


def _show(answer: dict[str, Any]) -> None:
    from unhub.cli.usage_text import lines

    write("".join(f"{line}\n" for line in lines(answer)))


def _days(time: dict[str, str | None]) -> dict[str, str]:
    """The first and last day as they are asked for. Raises :class:`UsageError`."""
    month, since, until = time["month"], time["since"], time["until"]
    if month is None:
        return {name: _day(f"--{name}", value) for name, value in (("since", since), ("until", until)) if value is not None}
    if since or until:
        raise UsageError("cannot use --month together with --since or --until")
    first = _day("--month", f"{month}-01", month)
    year, number = int(first[:4]), int(first[5:7])
    after = date(year + number // 12, number % 12 + 1, 1) if (year, number) < (9999, 12) else date(9999, 12, 31)
    return {"since": first, "until": date.fromordinal(after.toordinal() - 1).isoformat()}


def _day(option: str, text: str, shown: str | None = None) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        form = "2026-11" if option == "--month" else "2026-11-26"
        raise UsageError(f"cannot read {option} {shown or text!r}: it is not like {form}") from None


def _csv(answer: dict[str, Any]) -> str:
    """One row a combination; the last column is the cost, where rows are accounts and the terms have a price."""
    cost = ("usd",) if answer["by"] == ["account"] and answer["price"] else ()
    text = io.StringIO()
    writer = csv.DictWriter(text, (*answer["by"], *SUMS, *cost), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(answer["rows"])
    return text.getvalue()
