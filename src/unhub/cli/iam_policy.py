"""``unhub iam-policy``: the least policy written in many forms, or given policies checked."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from unhub.cli.output import printable, say, write
from unhub.image.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from unhub.aws.policy_check import Check
    from unhub.aws.policy_sources import Given, Subject
    from unhub.aws.renderings.grant import Grant, Holder
    from unhub.aws.trust import Trusted

NOT_ALLOWED = 1

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that are read; the details of a large account are some megabytes."""


class _Options(TypedDict):
    """What click hands over."""

    push: bool
    repositories: tuple[str, ...]
    account: str | None
    form: str | None
    role: str | None
    user: str | None
    codebuild: str | None
    trust: str | None
    branches: tuple[str, ...]
    environments: tuple[str, ...]
    checked: tuple[str, ...]
    context: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The options of one call."""

    push: bool
    repositories: tuple[str, ...]
    account: str | None
    form: str | None
    role: str | None
    user: str | None
    codebuild: str | None
    trust: str | None
    branches: tuple[str, ...]
    environments: tuple[str, ...]
    checked: tuple[str, ...]
    context: tuple[str, ...]


@click.command("iam-policy", short_help="Write the least IAM policy for ECR Public, or check one.")
@click.option("--push", is_flag=True, help="For pushing to your own repositories, too.")
@click.option("--repository", "repositories", multiple=True, metavar="NAME", help="With --push: this repository only (repeatable).")
@click.option("--account", metavar="ID", help="Your AWS account: 12 digits.")
@click.option("--format", "form", type=click.Choice(["json", "cloudformation", "terraform", "cdk"]), help="The form.  [default: json]")
@click.option("--role", metavar="NAME", help="Print the commands that give it to this role; nothing is changed.")
@click.option("--user", metavar="NAME", help="Print the command that gives it to this user; nothing is changed.")
@click.option("--codebuild", metavar="PROJECT", help="Print the commands that give it to a project's service role.")
@click.option("--trust", metavar="WHO", help="Write the trust policy for github:ORG/REPO or gitlab:GROUP/PROJECT.")
@click.option("--branch", "branches", multiple=True, metavar="NAME", help="With --trust: only this branch (repeatable; * is a wildcard).")
@click.option("--environment", "environments", multiple=True, metavar="NAME", help="With --trust: only this environment (repeatable).")
@click.option("--check", "checked", multiple=True, metavar="FILE", help="Check the policies in FILE (- is standard input; repeatable).")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="With --check: a request has this context key (repeatable).")
def command(**options: Unpack[_Options]) -> int:
    """Write the least IAM policy for pulling from ECR Public with a login; pulls without one need none.

    With --check, say for each needed action whether the given policies allow it, which statement decides,
    and how to mend it; several files count together. What `aws iam get-role-policy`, `get-policy-version`,
    `list-attached-role-policies` and `get-account-authorization-details` print is understood. Nothing is
    asked of AWS and nothing is changed. How IAM evaluates is told after AWS's user guide, not measured.
    """
    wanted = _Wanted(**options)
    _refuse_what_does_not_fit(wanted)
    return _check(wanted) if wanted.checked else _write(wanted)


def _refuse_what_does_not_fit(wanted: _Wanted) -> None:
    holders = [name for name, value in (("--role", wanted.role), ("--user", wanted.user), ("--codebuild", wanted.codebuild)) if value]
    if len(holders) > 1:
        raise UsageError(f"cannot use {holders[0]} together with {holders[1]}")
    if wanted.repositories and not wanted.push:
        raise UsageError("cannot use --repository without --push", hint="Public images may be pulled by everybody")
    if (wanted.branches or wanted.environments) and not wanted.trust:
        raise UsageError("cannot use --branch or --environment without --trust")
    if wanted.trust and (wanted.user or wanted.codebuild):
        raise UsageError(f"cannot use --trust together with {holders[0]}", hint="Pipelines assume a role: --role NAME")
    if wanted.context and not wanted.checked:
        raise UsageError("cannot use --context without --check")
    if wanted.checked and (wanted.trust or wanted.codebuild or wanted.form not in (None, "json")):
        raise UsageError("cannot use --check together with --trust, --codebuild, or a form other than json")


def _write(wanted: _Wanted) -> int:
    from unhub.aws.renderings import cdk, cloudformation, commands, json_document, terraform

    grant = _grant(wanted)
    forms = {"cloudformation": cloudformation.render, "terraform": terraform.render, "cdk": cdk.render}
    if wanted.form in forms:
        write(forms[wanted.form](grant))
        say("Written after the documentation and not tried against AWS: look at it before you deploy it")
    elif grant.holder and wanted.form is None:
        write(commands.render(grant))
    elif grant.holder:
        document = {"schema": 1, "commands": commands.commands(grant), "policy": grant.policy}
        write(json_document.pretty({**document, "trust": grant.trust} if grant.trust else document))
    else:
        write(json_document.render(grant))
    _say_notes(wanted, grant)
    return 0


def _grant(wanted: _Wanted) -> Grant:
    from unhub.aws.least import Use, least_policy, repository_arn
    from unhub.aws.renderings.grant import Grant
    from unhub.aws.trust import ACCOUNT_PLACEHOLDER, trust_policy

    use = Use.PUSH if wanted.push else Use.PULL
    account = wanted.account
    arns = [repository_arn(name, account) for name in wanted.repositories or ("*",)]
    trusted = _trusted(wanted)
    return Grant(
        name=f"unhub-ecr-public-{use}",
        policy=least_policy(use, arns),
        holder=_holder(wanted),
        trusted=trusted,
        trust=trust_policy(trusted, account or ACCOUNT_PLACEHOLDER) if trusted else None,
    )


def _trusted(wanted: _Wanted) -> Trusted | None:
    from unhub.aws.trust import parse_trusted

    return parse_trusted(wanted.trust, wanted.branches, wanted.environments) if wanted.trust else None


def _holder(wanted: _Wanted) -> Holder | None:
    from unhub.aws.renderings.grant import holder

    named = (("role", wanted.role), ("user", wanted.user), ("codebuild", wanted.codebuild))
    return next((holder(kind, name) for kind, name in named if name), None)


def _say_notes(wanted: _Wanted, grant: Grant) -> None:
    if wanted.push and not wanted.repositories:
        say("It covers every repository of the account; --repository NAME narrows it")
    if grant.trusted is None:
        return
    if not wanted.branches and not wanted.environments:
        say(printable(f"Every branch, tag and merge of {grant.trusted.project} may assume the role; --branch NAME narrows it"))
    note = grant.trusted.provider.note.replace(grant.trusted.provider.audience, grant.trusted.audience)
    say(f"{note} {grant.trusted.provider.cite()}")
    if grant.holder is None and wanted.form is None:
        if wanted.account is None:
            say("Put your account's 12 digits in place of ACCOUNT_ID, or give --account")
        say("--role NAME prints the commands that make the role and give it the policy")


def _check(wanted: _Wanted) -> int:
    from unhub.aws.least import Use, needs
    from unhub.aws.policy_check import check
    from unhub.aws.policy_sources import collect

    use = Use.PUSH if wanted.push else Use.PULL
    given = collect([(_shown(name), _read(name)) for name in wanted.checked], _subject(wanted))
    account = _account(wanted, given)
    needed = needs(use, _repositories(wanted, account))
    done = check(given, needed, _context(wanted.context), account)
    _show(done, use, wanted, given)
    return 0 if done.allowed else NOT_ALLOWED


def _subject(wanted: _Wanted) -> Subject | None:
    from unhub.aws.policy_sources import Subject

    holder = _holder(wanted)
    return Subject(holder.kind, holder.name) if holder else None


def _shown(name: str) -> str:
    return "standard input" if name == "-" else name


def _read(name: str) -> bytes:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise UsageError(f"cannot read the policy {name}: there is no such file", hint="A - reads it from standard input") from None
    except OSError as error:
        raise UnreadableError(f"cannot read {name}: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise UnreadableError(f"cannot read {_shown(name)}: it is larger than {LARGEST // 1024 // 1024} MiB")
    return data


def _account(wanted: _Wanted, given: Given) -> str | None:
    """The account of the repositories: as told, else the only one that the policies name."""
    from unhub.aws.policy_check import accounts_named

    if wanted.account or not wanted.push:
        return wanted.account
    if given.arn:
        return given.arn.split(":")[4]
    named = accounts_named(given.identity)
    if len(named) > 1:
        raise UsageError(f"cannot choose among the accounts {', '.join(named)} that the policies name", hint="Say --account")
    return named[0] if named else None


def _repositories(wanted: _Wanted, account: str | None) -> list[str]:
    from unhub.aws.least import repository_arn

    return [repository_arn(name, account) for name in wanted.repositories or ("*",)]


def _context(pairs: tuple[str, ...]) -> dict[str, list[str]]:
    """The keys with their values; a key without a value is missing from the request."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"cannot use the context {pair!r}", hint="It reads KEY=VALUE; KEY= says that the request does not have it")
        found.setdefault(key, []).extend([value] if value else [])
    return found


def _show(done: Check, use: str, wanted: _Wanted, given: Given) -> None:
    from unhub.cli.policy_table import as_record, lines

    if wanted.form == "json":
        write(json.dumps(as_record(done, use, given), indent=2) + "\n")
        return
    from unhub.cli.output import colourful, terminal_width

    for line in lines(done, use, given, columns=terminal_width(sys.stdout), colours=colourful(sys.stdout)):
        write(f"{line}\n")
