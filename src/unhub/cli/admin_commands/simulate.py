"""``unhub admin simulate``: a decision explained, without anything being done."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, cast

import click

from unhub.cli.admin_options import as_json as json_option
from unhub.cli.admin_options import of_account, of_role, who
from unhub.cli.mirror_client import MirrorClient, mirror_options
from unhub.cli.output import colourful, printable, styled, write
from unhub.image.errors import UsageError

NOT_ALLOWED = 1

_COLOURS = {"allowed": "green", "depends": "yellow"}
_TRUTHS = {True: "yes", False: "no", None: "?"}


@click.command("simulate", short_help="Explain what somebody may do, statement by statement.")
@click.argument("name")
@click.argument("actions", nargs=-1, required=True)
@click.option("--on", "resources", multiple=True, metavar="ARN", help="A resource (repeatable). Default: *")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="A context key of the request, as aws:SourceIp=192.0.2.7 (repeatable).")
@click.option("--session", default="", metavar="SESSION", help="For a role: the session's name.")
@of_role
@of_account
@json_option
@mirror_options
def command(
    mirror: MirrorClient,
    *,
    name: str,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    context: tuple[str, ...],
    session: str,
    of_role: bool,
    account: str | None,
    as_json: bool,
) -> int:
    """Explain whether the user NAME may do ACTIONS (ecr-public:PutImage): which statements of which policies decide.

    The policies of the user and of the repository count together, as they do for a real request. With
    ecr-public:GetAuthorizationToken the permission is tried, too, that it needs beside. The status is 1 where something is not allowed.
    """
    given = {"context": _pairs(context), "session": session}
    body = {**who(name, role=of_role, account=account), "actions": actions, "resources": resources or ("*",), **given}
    answer = mirror.post("admin/simulate", **body)
    decisions = cast("list[dict[str, Any]]", answer["decisions"])
    if as_json:
        write(json.dumps(answer, indent=2) + "\n")
    else:
        colours = colourful(sys.stdout)
        policies = ", ".join(answer["policies"]) or "none"
        write(printable(f"{answer['principal']}, with the policies: {policies}") + "\n")
        for decision in decisions:
            write("".join(f"{line}\n" for line in _lines(decision, colours)))
    return 0 if all(decision["allowed"] for decision in decisions) else NOT_ALLOWED


def _pairs(context: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in context]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise UsageError(f"cannot use the context {key!r}: it is not KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _lines(decision: dict[str, Any], colours: bool) -> Iterator[str]:
    outcome = str(decision["outcome"])
    word = styled(outcome, "bold", _COLOURS.get(outcome, "red"), on=colours)
    yield ""
    yield f"{word}  {printable(decision['action'])} on {printable(decision['resource'])}"
    for reason in decision["reasons"]:
        yield f"  {printable(reason)}"
    if decision["fix"]:
        yield f"  fix: {printable(decision['fix'])}"
    for statement in decision["statements"]:
        yield _statement(statement, colours)


def _statement(statement: dict[str, Any], colours: bool) -> str:
    sid = f' "{statement["sid"]}"' if statement["sid"] else ""
    parts = [f"action {_TRUTHS[statement['action']]}", f"resource {_TRUTHS[statement['resource']]}"]
    if statement["side"] == "resource":
        parts.append(f"principal {_TRUTHS[statement['principal']]}")
    parts += [f"{row['condition']} {_TRUTHS[row['holds']]}" for row in statement["conditions"]]
    mark = styled("decides", "bold", on=colours) if statement["decides"] else "applies" if statement["applies"] else "passed over"
    text = printable(f"{statement['effect']:5}  {statement['policy']}, statement {statement['number']}{sid}: {', '.join(parts)}")
    return f"    {text}: {mark}"
