"""``unhub admin policy``: what users and roles may do."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, cast

import click

from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import columns, moment, of_account, of_role, read_text, show, who
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say, write

_OF_AWS = "arn:aws:iam::aws:policy/"


@click.group("policy", short_help="Attach, list and detach policies of users and roles.")
def command() -> None:
    """Policies are IAM policy documents; `unhub iam-policy` writes the least one, `unhub admin simulate` tries them."""


@command.command("attach", short_help="Attach a policy document to a user or role.")
@click.argument("name")
@click.argument("file")
@click.option("--policy-name", metavar="NAME", help="What to call the policy. Default: the file's name.")
@of_role
@of_account
@json_option
@mirror_options
def attach(
    mirror: MirrorClient, *, name: str, file: str, policy_name: str | None, of_role: bool, account: str | None, as_json: bool
) -> int:
    """Attach the policy document in FILE (- is standard input) to the user NAME, in the place of one of the same name.

    FILE may be the ARN of one of AWS's own policies, arn:aws:iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly.
    """
    asked = who(name, role=of_role, account=account)
    if file.startswith(_OF_AWS):
        answer = mirror.post("admin/policy/attach", **asked, managed=file)
    else:
        answer = mirror.post("admin/policy/attach", **asked, policy=policy_name or _name_of(file), document=read_text(file))
    return show(answer, as_json, lambda: say(f"attached {answer['policy']} to {answer['identity']}"))


@command.command("detach", short_help="Take a policy away from a user or role.")
@click.argument("name")
@click.argument("policy_name")
@of_role
@of_account
@json_option
@mirror_options
def detach(mirror: MirrorClient, *, name: str, policy_name: str, of_role: bool, account: str | None, as_json: bool) -> int:
    """Take the policy POLICY_NAME away from the user NAME."""
    answer = mirror.post("admin/policy/detach", **who(name, role=of_role, account=account), policy=policy_name)
    done = "detached" if answer["was_attached"] else "nothing to do: there was no"
    return show(answer, as_json, lambda: say(f"{done} {policy_name} of {answer['identity']}"))


@command.command("list", short_help="List the policies of a user or role.")
@click.argument("name")
@click.option("--documents", is_flag=True, help="Show their documents, too.")
@of_role
@of_account
@json_option
@mirror_options
def listing(mirror: MirrorClient, *, name: str, documents: bool, of_role: bool, account: str | None, as_json: bool) -> int:
    """List the policies of the user NAME."""
    answer = mirror.post("admin/policies", **who(name, role=of_role, account=account))

    def text() -> None:
        rows = cast("list[dict[str, Any]]", answer["policies"])
        if documents:
            for row in rows:
                write(f"{row['name']}:\n{row['document'].rstrip()}\n")
        else:
            columns([(row["name"], f"attached {moment(row['attached_at'])}") for row in rows])
        if not rows:
            say(f"{name} has no policy, and may do nothing")

    return show(answer, as_json, text)


def _name_of(file: str) -> str:
    """A file's name without its end, as a policy may be called."""
    return re.sub(r"[^A-Za-z0-9+=,.@_-]", "-", PurePath(file).stem)[:128] if file != "-" else "policy"
