"""``unhub cache pulls``: who has got a digest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import click

from unhub.cli.amounts import count
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import printable, say, width, write


@click.command("pulls", short_help="Show who pulled a digest.")
@click.argument("digest")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it.")
@mirror_options
def command(mirror: MirrorClient, digest: str, form: str) -> int:
    """Show who was answered with a manifest or index, or with images that have a layer: caller, repository, how often, and when last.

    DIGEST may be that of a configuration, too, which docker calls the image's ID. For these two the manifests that the mirror
    still keeps are looked through.

    Bytes and counts are of answers that were begun: a client may have left before the end.
    """
    answer = mirror.get("pulls", digest=digest)
    if form == "json":
        write(json.dumps(answer, indent=2) + "\n")
        return 0
    rows = cast(list[dict[str, Any]], answer["pulls"])
    cells = [_cells(row, digest) for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        write("  ".join(cell + " " * (columns - width(cell)) for cell, columns in zip(row, widths, strict=True)).rstrip() + "\n")
    callers = len({row["caller"] for row in rows})
    say(
        f"{count(sum(row['count'] for row in rows), 'pull')} by {count(callers, 'caller')}"
        if rows
        else f"nobody is known to have pulled {digest}"
    )
    return 0


def _cells(row: dict[str, Any], asked: str) -> tuple[str, ...]:
    """What a row says. A digest is left out where it is the one that was asked for."""
    repository, reference = str(row["repository"]), str(row["reference"])
    which = f":{reference}" if ":" not in reference else "" if reference == asked else f"@{reference}"
    last = datetime.fromtimestamp(row["last_at"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return printable(row["caller"]), printable(repository + which), f"{row['count']:,}×", f"last {last}"
