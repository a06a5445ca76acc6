"""``unhub cache block``: forbid a digest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import click

from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import printable, say, write
from unhub.image.errors import UsageError


@click.command("block", short_help="Serve a digest no more, or list what is blocked.")
@click.argument("digest", required=False)
@click.option("--reason", metavar="TEXT", help="Why, in one line; clients are shown it.")
@click.option("--list", "only_list", is_flag=True, help="Show what is blocked.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show the list.")
@mirror_options
def command(mirror: MirrorClient, digest: str | None, reason: str | None, only_list: bool, form: str) -> int:
    """Serve a digest no more: a manifest, or a layer of many images.

    Within a second every worker refuses it (403 DENIED) in all doors, for GET, HEAD and Range alike, and no repository
    can mount it.
    """
    if only_list or (digest is None and reason is None):
        _list(mirror.get("blocks"), form)
        return 0
    if digest is None or reason is None:
        raise UsageError("cannot block without a digest and a reason", hint="unhub cache block sha256:… --reason 'malware, ticket 12'")
    mirror.post("block", digest=digest, reason=reason)
    say(f"{digest} is blocked; `unhub cache pulls {digest}` shows who has it")
    return 0


def _list(answer: dict[str, Any], form: str) -> None:
    if form == "json":
        write(json.dumps(answer, indent=2) + "\n")
        return
    rows = cast(list[dict[str, Any]], answer["blocks"])
    for row in rows:
        moment = datetime.fromtimestamp(row["blocked_at"], UTC).strftime("%Y-%m-%d %H:%MZ")
        write(f"{row['digest']}  {moment}  {printable(row['reason'])}\n")
    if not rows:
        say("nothing is blocked")
