"""``unhub cache unblock``: allow a digest again."""

from __future__ import annotations

import click

from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say


@click.command("unblock", short_help="Serve a blocked digest again.")
@click.argument("digest")
@mirror_options
def command(mirror: MirrorClient, digest: str) -> int:
    """Serve a blocked digest again."""
    was_blocked = mirror.post("unblock", digest=digest)["was_blocked"]
    say(f"{digest} is served again" if was_blocked else f"{digest} was not blocked")
    return 0
