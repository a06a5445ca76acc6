"""``unhub admin account``: accounts, each with its registry."""

from __future__ import annotations

from typing import Any, cast

import click

from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import columns, of_account, show
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say


@click.group("account", short_help="Create and list accounts, and name their registries.")
def command() -> None:
    """An account is a registry with users and roles of its own; the first one is made by itself."""


@command.command("create", short_help="Create an account.")
@click.argument("account", required=False)
@click.option("--alias", metavar="NAME", help="A name of its registry, beside the one that it gets.")
@click.option("--verified", is_flag=True, help="Mark its registry as verified.")
@json_option
@mirror_options
def create(mirror: MirrorClient, *, account: str | None, alias: str | None, verified: bool, as_json: bool) -> int:
    """Create an account with the id ACCOUNT (12 digits), or with one that nobody chose."""
    answer = mirror.post("admin/account/create", account=account, alias=alias, verified=verified)
    made = cast("dict[str, Any]", answer["account"])
    return show(answer, as_json, lambda: say(f"created {_names(made)}"))


@command.command("alias", short_help="Give a registry one more name.")
@click.argument("alias")
@click.option("--keep-displayed", is_flag=True, help="Show the name that is shown now.")
@of_account
@json_option
@mirror_options
def alias(mirror: MirrorClient, *, alias: str, keep_displayed: bool, account: str | None, as_json: bool) -> int:
    """Give a registry the name ALIAS, which is the displayed one from now on; its older names stay good for pulls and pushes."""
    answer = mirror.post("admin/account/alias", alias=alias, account=account, primary=not keep_displayed)
    return show(answer, as_json, lambda: say(_names(answer["account"])))


@command.command("verify", short_help="Show a registry as verified.")
@click.argument("account")
@click.option("--undo", is_flag=True, help="Show it as not verified.")
@json_option
@mirror_options
def verify(mirror: MirrorClient, *, account: str, undo: bool, as_json: bool) -> int:
    """Show the registry of ACCOUNT as verified: only such registries have logos in the gallery."""
    answer = mirror.post("admin/account/verify", account=account, verified=not undo)
    return show(answer, as_json, lambda: say(f"the registry of {account} is {'not ' if undo else ''}verified"))


@command.command("list", short_help="List the accounts.")
@json_option
@mirror_options
def listing(mirror: MirrorClient, *, as_json: bool) -> int:
    """List the accounts with the names of their registries, the displayed one first."""
    answer = mirror.post("admin/accounts")

    def text() -> None:
        rows = cast("list[dict[str, Any]]", answer["accounts"])
        columns([(row["account"], "verified" if row["verified"] else "", ", ".join(a["name"] for a in row["aliases"])) for row in rows])
        if not rows:
            say("there is no account yet; the first user or role makes one")

    return show(answer, as_json, text)


def _names(account: dict[str, Any]) -> str:
    return f"the account {account['account']}; its registry's names: {', '.join(row['name'] for row in account['aliases'])}"
