"""``unhub formats``: what is understood, and to which depth, from the code itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from unhub.cli.output import write
from unhub.formats._format import Format, entries


@click.command("formats", short_help="List the kinds of files that are understood, and how far.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True, help="How to show it."
)
def command(form: str) -> int:
    """List the kinds of files that are understood: their names for --only, the files, the positions, the known gaps.

    Tier A is complete to the last rule; tier B covers the positions named.
    """
    write({"table": _table, "json": _json, "markdown": markdown}[form](shown()))
    return 0


def shown() -> list[Format]:
    """Every format, in the order in which they are shown."""
    return sorted((entry.format for entry in entries()), key=lambda one: (one.tier, one.name))


def _table(formats: list[Format]) -> str:
    return "\n\n".join("\n".join(_block(one)) for one in formats) + "\n"


def _block(one: Format) -> Iterator[str]:
    yield f"{one.name}  (tier {one.tier})  {one.title}"
    yield f"  files      {', '.join(one.files)}"
    yield f"  positions  {', '.join(one.positions)}"
    for gap in one.gaps:
        yield f"  missing    {gap}"


def _json(formats: list[Format]) -> str:
    rows = [
        {"name": one.name, "title": one.title, "tier": one.tier, "files": one.files, "positions": one.positions, "gaps": one.gaps}
        for one in formats
    ]
    return json.dumps({"schema": 1, "formats": rows}, indent=1) + "\n"


def markdown(formats: list[Format]) -> str:
    """The page docs/reference/formats.md."""
    return "\n".join(_page(formats)) + "\n"


def _page(formats: list[Format]) -> Iterator[str]:
    yield "# Formats"
    yield ""
    yield "<!-- Written by `python -m scripts.formats`; a test compares. -->"
    yield ""
    yield "What unhub understands. Tier A is complete to the last rule; tier B covers the positions named here."
    yield "A file is looked at when its name matches, and, where the name is not enough, its content does too."
    for one in formats:
        yield ""
        yield f"## {one.title}"
        yield ""
        yield f"`--only {one.name}`, tier {one.tier}."
        yield ""
        yield f"Files: {', '.join(_code(glob) for glob in one.files)}"
        yield from _list("Positions:", one.positions)
        yield from _list("Known gaps:", one.gaps)


def _list(title: str, rows: tuple[str, ...]) -> Iterator[str]:
    if rows:
        yield from ("", title, "")
    for row in rows:
        yield f"- {_code(row)}" if " " not in row else f"- {_escaped(row)}"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]<>#" else char for char in text)


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"
