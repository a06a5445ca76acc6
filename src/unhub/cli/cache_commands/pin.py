"""``unhub cache pin``: keep an image whatever happens."""

from __future__ import annotations

import json

import click

from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import printable, say, write


@click.command("pin", short_help="Never evict an image, or list the pins.")
@click.argument("pattern", required=False, metavar="[REFERENCE|GLOB]")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show the list.")
@mirror_options
def command(mirror: MirrorClient, pattern: str | None, form: str) -> int:
    """Never evict an image: `node:20`, all tags of `node`, or a glob such as `library/node:20*` or `docker/acme/*`.

    Without a pattern the pins are listed. A pin keeps what is there; it fetches nothing (`unhub cache warm` does).
    """
    if pattern is None:
        answer = mirror.get("pins")
        write(json.dumps(answer, indent=2) + "\n" if form == "json" else "".join(f"{printable(one)}\n" for one in answer["pins"]))
        if not answer["pins"] and form == "table":
            say("nothing is pinned")
        return 0
    kept = mirror.post("pin", pattern=pattern)["pattern"]
    say(f"pinned: {printable(kept)}")
    return 0
