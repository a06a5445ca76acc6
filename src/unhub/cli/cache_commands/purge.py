"""``unhub cache purge``: remove an image from the mirror."""

from __future__ import annotations

import click

from unhub.cli.amounts import amount, count
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import printable, say, write


@click.command("purge", short_help="Remove an image, or whatever has a digest, so that it is fetched anew.")
@click.argument("what", metavar="REFERENCE|DIGEST")
@mirror_options
def command(mirror: MirrorClient, what: str) -> int:
    """Remove an image, or whatever has a digest, from every repository that is pulled through.

    Within a second no worker serves it from the cache. The next pull asks upstream again. Pins do not hold it; what was
    pushed here is not touched.
    """
    purged = mirror.post("purge", what=what)["purged"]
    for tag in purged["tags"]:
        write(f"{printable(tag)}\n")
    if not (purged["images"] or purged["blobs"]):
        say(f"nothing of {printable(what)} is kept at {mirror.url}")
        return 0
    say(f"removed {count(purged['images'], 'image')} and {count(purged['blobs'], 'blob')}, {amount(purged['bytes'])}")
    for kept in purged["kept"]:
        say(f"  kept in {printable(kept)}, where it was pushed")
    return 0
