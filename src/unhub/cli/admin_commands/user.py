"""``unhub admin user``: users and their first access keys."""

from __future__ import annotations

import click

from unhub.cli import admin_identities
from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import of_account
from unhub.cli.mirror_client import MirrorClient, mirror_options


@click.group("user", short_help="Create, list and delete users.")
def command() -> None:
    """Users sign requests with access keys, and may do what their policies allow."""


@command.command("create", short_help="Create a user with an access key.")
@click.argument("name")
@click.option("--no-key", is_flag=True, help="Make no access key yet.")
@of_account
@json_option
@mirror_options
def create(mirror: MirrorClient, *, name: str, no_key: bool, account: str | None, as_json: bool) -> int:
    """Create a user, and show its access key: this once."""
    return admin_identities.create(mirror, name, account=account, trust=None, role=False, access_key=not no_key, as_json=as_json)


@command.command("list", short_help="List the users.")
@of_account
@json_option
@mirror_options
def listing(mirror: MirrorClient, *, account: str | None, as_json: bool) -> int:
    """List the users, of one account or of all."""
    return admin_identities.listing(mirror, account=account, role=False, as_json=as_json)


@command.command("delete", short_help="Delete a user.")
@click.argument("name")
@of_account
@json_option
@mirror_options
def delete(mirror: MirrorClient, *, name: str, account: str | None, as_json: bool) -> int:
    """Delete a user with its policies and access keys; its passwords and tokens count no more."""
    return admin_identities.delete(mirror, name, account=account, role=False, as_json=as_json)
