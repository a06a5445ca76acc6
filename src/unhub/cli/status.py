"""``unhub status``: how a running mirror is."""

from __future__ import annotations

import json
import sys
import time

import click

from unhub.cli.mirror_client import MirrorAway, MirrorClient, mirror_options
from unhub.cli.output import colourful, is_terminal, styled, terminal_width, write
from unhub.image.errors import UsageError

INTERVAL = 2.0
"""Seconds between two looks."""

_CLEAR, _REST, _LINE = "\x1b[H", "\x1b[J", "\x1b[K"


@click.command("status", short_help="Show a running mirror: cache, hit ratio, budget, flights, health of upstreams.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it.")
@mirror_options
def command(*, mirror: MirrorClient, watch: bool, form: str) -> int:
    """Show how a running mirror is: what its cache holds, how it answered, what is left of the pulls and when they are
    full again, what is being fetched, and how upstreams are.

    Ends with 5 where there is no mirror.
    """
    if watch and form == "json":
        raise UsageError("cannot use --watch with --format json", hint="Ask again and again: unhub status --format json")
    if form == "json":
        write(json.dumps(mirror.get("status"), indent=2) + "\n")
    elif watch:
        _watch(mirror)
    else:
        write("\n".join(_screen(mirror)) + "\n")
    return 0


def _screen(mirror: MirrorClient) -> list[str]:
    from unhub.cli.status_text import lines

    return lines(mirror.get("status"), mirror.url, colours=colourful(sys.stdout), columns=terminal_width(sys.stdout) or 100)


def _watch(mirror: MirrorClient) -> None:
    """Redraw in place on a terminal; elsewhere one block after the other. A mirror that goes away is waited for."""
    screen, said = _screen(mirror), list[str]()
    redraw = is_terminal(sys.stdout)
    if redraw:
        write("\x1b[2J")
    while True:
        text = "".join(f"{line}{_LINE if redraw else ''}\n" for line in [*screen, *said])
        write(f"{_CLEAR}{text}{_REST}" if redraw else f"{text}\n")
        time.sleep(INTERVAL)
        try:
            screen, said = _screen(mirror), []
        except MirrorAway as error:
            said = [styled(error.message, "red", on=colourful(sys.stdout))]
