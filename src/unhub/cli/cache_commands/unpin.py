"""``unhub cache unpin``: take a pin back."""

from __future__ import annotations

import click

from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import printable, say


@click.command("unpin", short_help="Let a pinned image be evicted again.")
@click.argument("pattern", metavar="REFERENCE|GLOB")
@mirror_options
def command(mirror: MirrorClient, pattern: str) -> int:
    """Let a pinned image be evicted again, named as it was pinned."""
    answer = mirror.post("unpin", pattern=pattern)
    said = "is no longer pinned" if answer["was_pinned"] else "was not pinned"
    say(f"{printable(answer['pattern'])} {said}")
    return 0
