"""``unhub admin role``: roles, which have sessions (``unhub admin key create --session``) in the place of lasting keys."""

from __future__ import annotations

import click

from unhub.cli import admin_identities
from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import of_account, read_text
from unhub.cli.mirror_client import MirrorClient, mirror_options


@click.group("role", short_help="Create, list and delete roles.")
def command() -> None:
    """Roles have no lasting access keys, but sessions: `unhub admin key create NAME --session BUILD`."""


@command.command("create", short_help="Create a role.")
@click.argument("name")
@click.option("--trust", metavar="FILE", help="The role's trust policy, JSON.")
@of_account
@json_option
@mirror_options
def create(mirror: MirrorClient, *, name: str, trust: str | None, account: str | None, as_json: bool) -> int:
    """Create a role."""
    text = None if trust is None else read_text(trust)
    return admin_identities.create(mirror, name, account=account, trust=text, role=True, access_key=False, as_json=as_json)


@command.command("list", short_help="List the roles.")
@of_account
@json_option
@mirror_options
def listing(mirror: MirrorClient, *, account: str | None, as_json: bool) -> int:
    """List the roles, of one account or of all."""
    return admin_identities.listing(mirror, account=account, role=True, as_json=as_json)


@command.command("delete", short_help="Delete a role.")
@click.argument("name")
@of_account
@json_option
@mirror_options
def delete(mirror: MirrorClient, *, name: str, account: str | None, as_json: bool) -> int:
    """Delete a role with its policies and sessions; its passwords and tokens count no more."""
    return admin_identities.delete(mirror, name, account=account, role=True, as_json=as_json)
