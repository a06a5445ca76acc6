"""``unhub admin key``: access keys of users, and sessions of roles."""

from __future__ import annotations

from typing import Any, cast

import click

from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import columns, moment, of_account, of_role, show, show_key, who
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say


@click.group("key", short_help="Create, list, switch and delete access keys.")
def command() -> None:
    """Access keys sign requests. Secrets are shown once, and kept encrypted with the instance's key."""


@command.command("create", short_help="Create an access key.")
@click.argument("name")
@click.option("--session", metavar="SESSION", help="A temporary key, with a session of this name: roles have no others.")
@click.option("--seconds", type=int, default=3600, show_default=True, help="How long a session holds.")
@of_role
@of_account
@json_option
@mirror_options
def create(mirror: MirrorClient, *, name: str, session: str | None, seconds: int, of_role: bool, account: str | None, as_json: bool) -> int:
    """Create an access key of the user NAME, and show it: this once."""
    answer = mirror.post("admin/key/create", **who(name, role=of_role, account=account), session=session, seconds=seconds)
    return show(answer, as_json, lambda: show_key(answer["access_key"]))


@command.command("list", short_help="List the access keys of a user or role.")
@click.argument("name")
@of_role
@of_account
@json_option
@mirror_options
def listing(mirror: MirrorClient, *, name: str, of_role: bool, account: str | None, as_json: bool) -> int:
    """List the access keys of the user NAME, without their secrets."""
    answer = mirror.post("admin/keys", **who(name, role=of_role, account=account))

    def text() -> None:
        rows = cast("list[dict[str, Any]]", answer["keys"])
        columns([_cells(row) for row in rows])
        if not rows:
            say(f"{name} has no access key")

    return show(answer, as_json, text)


@command.command("delete", short_help="Delete an access key.")
@click.argument("key_id")
@json_option
@mirror_options
def delete(mirror: MirrorClient, *, key_id: str, as_json: bool) -> int:
    """Delete an access key; passwords and tokens that were got by it count no more."""
    answer = mirror.post("admin/key/delete", id=key_id)
    done = f"deleted {key_id}; what was got by it counts no more" if answer["was_there"] else f"nothing to do: there is no {key_id}"
    return show(answer, as_json, lambda: say(done))


@command.command("disable", short_help="Switch an access key off.")
@click.argument("key_id")
@json_option
@mirror_options
def disable(mirror: MirrorClient, key_id: str, as_json: bool) -> int:
    """Switch an access key off; passwords and tokens that were got by it count no more."""
    answer = mirror.post("admin/key/switch", id=key_id, active=False)
    return show(answer, as_json, lambda: say(f"{key_id} is switched off; `unhub admin key enable {key_id}` switches it on again"))


@command.command("enable", short_help="Switch an access key on again.")
@click.argument("key_id")
@json_option
@mirror_options
def enable(mirror: MirrorClient, key_id: str, as_json: bool) -> int:
    """Switch an access key on again."""
    answer = mirror.post("admin/key/switch", id=key_id, active=True)
    return show(answer, as_json, lambda: say(f"{key_id} may be used"))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ends = f"session {row['session']} until {moment(row['expires_at'])}" if row["session"] else "lasting"
    return row["id"], "active" if row["active"] else "switched off", f"created {moment(row['created_at'])}", ends
