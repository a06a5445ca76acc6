"""``unhub admin``: the group of commands about who may do what."""

from __future__ import annotations

import click

from unhub.cli.group import Lazy, LazyGroup

_WHERE = "unhub.cli.admin_commands."

TABLE = {
    "user": Lazy(f"{_WHERE}user", "Create, list and delete users."),
    "role": Lazy(f"{_WHERE}role", "Create, list and delete roles."),
    "policy": Lazy(f"{_WHERE}policy", "Attach, list and detach policies of users and roles."),
    "key": Lazy(f"{_WHERE}key", "Create, list, switch and delete access keys."),
    "simulate": Lazy(f"{_WHERE}simulate", "Explain what somebody may do, statement by statement."),
    "revoke": Lazy(f"{_WHERE}revoke", "Let passwords and tokens count no more that were given out."),
    "account": Lazy(f"{_WHERE}account", "Create and list accounts, and name their registries."),
    "signing-key": Lazy(f"{_WHERE}signing_key", "Replace the key that signs passwords and tokens."),
}
"""The commands, in the order of the help."""


class AdminGroup(LazyGroup):
    """Imports a command only when it is called."""

    table = TABLE


@click.group("admin", cls=AdminGroup, short_help="Manage the accounts, users, roles, policies and keys of a mirror that speaks ECR Public.")
def command() -> None:
    """Manage who may do what at a mirror that speaks ECR Public.

    A mirror in mode ecr-public asks them at every door, one in mode open nowhere; `simulate` explains what they say.
    All commands ask the running mirror at --server, with its admin token from the data folder or UNHUB_TOKEN.
    """
