"""What ``unhub admin user`` and ``unhub admin role`` do alike."""

from __future__ import annotations

from typing import Any, cast

from unhub.cli.admin_options import columns, moment, show, show_key, who
from unhub.cli.mirror_client import MirrorClient
from unhub.cli.output import say


def create(mirror: MirrorClient, name: str, *, account: str | None, trust: str | None, role: bool, access_key: bool, as_json: bool) -> int:
    """Add a user or role, and show the first access key of a user."""
    asked = who(name, role=role, account=account)
    answer = mirror.post("admin/identity/create", **asked, trust=trust, access_key=access_key)

    def text() -> None:
        say(f"created {answer['identity']['arn']}; it may do nothing until a policy is attached (`unhub admin policy attach`)")
        if "access_key" in answer:
            show_key(answer["access_key"])

    return show(answer, as_json, text)


def delete(mirror: MirrorClient, name: str, *, account: str | None, role: bool, as_json: bool) -> int:
    """Remove a user or role."""
    answer = mirror.post("admin/identity/delete", **who(name, role=role, account=account))
    return show(answer, as_json, lambda: say(f"deleted {answer['identity']['arn']}; what it was given counts no more"))


def listing(mirror: MirrorClient, *, account: str | None, role: bool, as_json: bool) -> int:
    """Show users or roles."""
    kind = "role" if role else "user"
    answer = mirror.post("admin/identities", kind=kind, account=account)

    def text() -> None:
        rows = cast("list[dict[str, Any]]", answer["identities"])
        columns([(row["name"], row["arn"], row["unique_id"], moment(row["created_at"])) for row in rows])
        if not rows:
            say(f"there is no {kind}; `unhub admin {kind} create NAME` makes one")

    return show(answer, as_json, text)
