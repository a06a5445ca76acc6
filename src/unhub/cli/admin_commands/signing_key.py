"""``unhub admin signing-key``: the key that signs what the mirror gives out."""

from __future__ import annotations

import click

from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import show
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say


@click.group("signing-key", short_help="Replace the key that signs passwords and tokens.")
def command() -> None:
    """The key is made at the first start, and lies in the database, encrypted with the instance's key."""


@command.command("rotate", short_help="Replace the key.")
@click.option("--discard", is_flag=True, help="Let nothing count that was signed before: the key may have leaked.")
@json_option
@mirror_options
def rotate(mirror: MirrorClient, discard: bool, as_json: bool) -> int:
    """Replace the key that signs passwords and tokens; what was signed before counts until it ends by itself."""
    answer = mirror.post("admin/signing-key/rotate", discard=discard)
    before = "everybody has to log in again" if discard else "what was signed before counts until it ends"
    return show(answer, as_json, lambda: say(f"key {answer['signing_key']} signs from now on; {before}"))
