"""``unhub admin revoke``: what was given out and may have leaked."""

from __future__ import annotations

import click

from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import moment, of_account, show, who
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import say
from unhub.image.errors import UsageError


@click.command("revoke", short_help="Let passwords and tokens count no more that were given out.")
@click.option("--user", metavar="NAME", help="Those of a user.")
@click.option("--role", metavar="NAME", help="Those of a role, in all its sessions.")
@click.option("--key", metavar="ID", help="Those that were got by an access key.")
@click.option("--token", metavar="ID", help="One password with its tokens, or one token, by its id in the log.")
@click.option("--everything", is_flag=True, help="Everybody's.")
@click.option("--reason", default="", metavar="TEXT", help="Why, in one line.")
@of_account
@json_option
@mirror_options
def command(mirror: MirrorClient, reason: str, account: str | None, as_json: bool, everything: bool, **chosen: str | None) -> int:
    """Let the passwords and tokens count no more that were given out until now; within a second everywhere.

    With --account alone those of the whole account. Access keys stay: `unhub admin key disable` is for those.
    """
    named = {kind: value for kind, value in chosen.items() if value is not None}
    body: dict[str, object] = {"reason": reason}
    if everything and not named and account is None:
        body |= {"kind": "everything"}
    elif everything or len(named) > 1 or (not named and account is None):
        raise UsageError("cannot tell what to revoke: name one of --user, --role, --key, --token, --account and --everything")
    elif not named:
        body |= {"kind": "account", "subject": account}
    else:
        body |= _one(*next(iter(named.items())), account)
    answer = mirror.post("admin/revoke", **body)
    what = f"{answer['revoked']['kind']} {answer['revoked']['subject']}".strip()
    return show(
        answer, as_json, lambda: say(f"revoked {what}: what was given out before {moment(answer['revoked']['revoked_at'])} ends now")
    )


def _one(kind: str, value: str, account: str | None) -> dict[str, object]:
    if kind in ("user", "role"):
        return {"kind": "identity", "who": who(value, role=kind == "role", account=account)}
    return {"kind": "access-key" if kind == "key" else "token", "subject": value}
