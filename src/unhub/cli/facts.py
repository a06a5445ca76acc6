"""``unhub facts``: every dated fact, how old it is, and how to override it."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unhub.cli.output import colourful, printable, styled, terminal_width, write
from unhub.image.errors import UsageError

if TYPE_CHECKING:
    from unhub.data.listing import Fact

OLD = 1
SCHEMA = 1
DAYS = {"d": 1, "w": 7, "y": 365}
MANY = 40
"""Facts of one kind in one file above which the table counts them, unless they are asked for."""


@click.command("facts", short_help="List every dated fact that decisions rest on, and how to override it.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--older-than", metavar="AGE", help="Only facts older than this: 180d, 26w, 1y. Ends with 1 where there are any.")
@click.option("--all", "everything", is_flag=True, help="List each of many facts of one kind, too (table only).")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "toml"]), default="table", show_default=True, help="How to show it."
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="UNHUB_CONFIG",
    metavar="FILE",
    help="The settings file, in place of the nearest unhub.toml.",
)
def command(names: tuple[str, ...], older_than: str | None, everything: bool, form: str, config: Path | None) -> int:
    """List what unhub knows of registries, images, limits and prices, with date, source and confidence.

    NAME is a fact's name, a glob on names, a kind (limit) or a file (terms.toml); facts that are named are shown with the
    lines of TOML that override them. The settings name the file for these lines: file = "facts.toml" under [data].
    With --format toml only the lines are written.
    """
    from unhub.cli.configuration import load
    from unhub.data import listing

    days = None if older_than is None else age_in_days(older_than)
    found = load(Path.cwd(), config)
    own = found.settings.data.file
    facts = chosen(listing.list_facts((found.folder or Path()) / own if own else None), names)
    today = datetime.datetime.now(datetime.UTC).date()
    if days is not None:
        facts = listing.older_than(facts, days, today)
    write(_render(form, facts, today, everything=everything, named=bool(names)))
    return OLD if days is not None and facts else 0


def age_in_days(text: str) -> int:
    """Read an age: a number and ``d``, ``w`` or ``y``. Raises :class:`UsageError`."""
    match = re.fullmatch(r"([0-9]{1,5})([dwy])", text)
    if match is None:
        raise UsageError(f"cannot read the age {text!r}", hint="Write days, weeks or years: 180d, 26w, 1y")
    return int(match[1]) * DAYS[match[2]]


def chosen(facts: Sequence[Fact], names: Sequence[str]) -> list[Fact]:
    """The facts that one of the names means; all without names. Raises :class:`UsageError` for a name that means none."""
    if not names:
        return list(facts)
    picked: dict[str, Fact] = {}
    for name in names:
        meant = [fact for fact in facts if _means(name, fact)]
        if not meant:
            from difflib import get_close_matches

            near = get_close_matches(name, [fact.id for fact in facts], n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"cannot show {name!r}: there is no such fact", hint=hint + "`unhub facts` lists them")
        picked |= {fact.id: fact for fact in meant}
    return [fact for fact in facts if fact.id in picked]


def _means(name: str, fact: Fact) -> bool:
    from fnmatch import fnmatchcase

    return name in (fact.id, fact.kind, fact.file, fact.file.removesuffix(".toml")) or fnmatchcase(fact.id, name)


def _render(form: str, facts: Sequence[Fact], today: datetime.date, *, everything: bool, named: bool) -> str:
    match form:
        case "json":
            records = [_record(fact, today) for fact in facts]
            return json.dumps({"schema": SCHEMA, "facts": records}, indent=2, ensure_ascii=False, default=str) + "\n"
        case "csv":
            return _csv([_record(fact, today) for fact in facts])
        case "toml":
            return "\n".join(f"# for {fact.override_in}\n{fact.override}" for fact in facts if fact.override)
        case _:
            return "".join(f"{line}\n" for line in _table(facts, today, everything=everything, named=named))


def _record(fact: Fact, today: datetime.date) -> dict[str, object]:
    return {
        "id": fact.id,
        "kind": fact.kind,
        "file": fact.file,
        "value": fact.value,
        "date": fact.date.isoformat(),
        "age_days": fact.age(today),
        "source": fact.source,
        "confidence": fact.confidence,
        "state": fact.state,
        "override": fact.override or None,
        "override_in": fact.override_in or None,
        "fields": dict(fact.fields),
        "replaced": dict(fact.replaced.fields) if fact.replaced else None,
    }


def _csv(records: Sequence[dict[str, object]]) -> str:
    columns = ("id", "value", "date", "age_days", "source", "confidence", "state", "file", "override_in", "override")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([record[name] for name in columns] for record in records)
    return out.getvalue()


def _table(facts: Sequence[Fact], today: datetime.date, *, everything: bool, named: bool) -> Iterator[str]:
    colours = colourful(sys.stdout)
    for file, kind, rows in _groups(facts):
        yield styled(printable(f"{kind}  ({file})"), "bold", on=colours)
        if len(rows) > MANY and not (everything or named):
            yield f"  {len(rows)} facts of {_span(rows)}; `unhub facts {kind}` lists them"
        else:
            for fact in rows:
                yield from _lines(fact, today, colours=colours, with_override=named)
        yield ""
    yield from _summary(facts, today)


def _groups(facts: Sequence[Fact]) -> Iterator[tuple[str, str, list[Fact]]]:
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        groups.setdefault((fact.file, fact.kind), []).append(fact)
    for (file, kind), rows in groups.items():
        yield file, kind, rows


def _lines(fact: Fact, today: datetime.date, *, colours: bool, with_override: bool) -> Iterator[str]:
    from textwrap import wrap

    columns = terminal_width(sys.stdout) or 10_000
    about = f"{fact.date.isoformat()}, {_days(fact.age(today))} old, {fact.confidence}: {fact.source}"
    yield "  " + styled(printable(fact.id), "yellow" if fact.state != "shipped" else "cyan", on=colours)
    for text in (fact.value, about):
        yield from wrap(printable(text), columns, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    if fact.state != "shipped":
        yield "    " + ("your own, in the place of the shipped fact" if fact.replaced else "your own")
    if fact.replaced is not None:
        yield f"    shipped: {printable(_different(fact.replaced.fields, fact.fields))}"
    if with_override and fact.override:
        yield f"    to override it, in {fact.override_in}:"
        yield from (f"      {printable(line)}" for line in fact.override.splitlines())


def _different(shipped: Mapping[str, object], own: Mapping[str, object]) -> str:
    changed = [f"{name} = {value}" for name, value in shipped.items() if own.get(name) != value]
    return ", ".join(changed) or "the same"


def _summary(facts: Sequence[Fact], today: datetime.date) -> Iterator[str]:
    if not facts:
        yield "no such facts"
        return
    oldest = min(facts, key=lambda fact: fact.date)
    own = sum(fact.state != "shipped" for fact in facts)
    unsure = sum("unverified" in fact.confidence for fact in facts)
    yield (
        f"{len(facts)} fact{'s' if len(facts) != 1 else ''}, the oldest {_days(oldest.age(today))} old ({printable(oldest.id)}); "
        f"{unsure} unverified; {own} of your own"
    )
    yield "`unhub facts NAME` shows the lines that override one"


def _span(rows: Sequence[Fact]) -> str:
    first, last = min(row.date for row in rows), max(row.date for row in rows)
    return first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"
