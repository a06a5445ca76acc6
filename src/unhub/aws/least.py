"""The least policy for ECR Public: the article's two actions for pulling, and the push of named repositories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from unhub.aws.policy_document import VERSION
from unhub.data.iam import iam_knowledge, resource_of
from unhub.image.errors import UsageError

_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*")
_ARN = re.compile(r"arn:aws:ecr-public::([0-9]{12}):repository/(.+)")


class Use(StrEnum):
    """What the policy is for; pushing includes the login."""

    PULL = "pull"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Need:
    """An action, and the resource that it must be allowed on."""

    action: str
    resource: str


def repository_arn(repository: str = "*", account: str | None = None) -> str:
    """The ARN of a repository of ECR Public; it has no region. ``*`` stands for every repository or account.

    ``repository`` may be an ARN already, and have a ``*`` in it. Raises :class:`UsageError` for a name that ECR Public would not take.
    """
    arn = _ARN.fullmatch(repository)
    account, repository = (arn[1], arn[2]) if arn else (account, repository)
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        raise UsageError(f"cannot use the account {account!r}: an account has 12 digits", hint="aws sts get-caller-identity shows it")
    if not _REPOSITORY.fullmatch(repository.replace("*", "a")):
        hint = "Give the name below your registry's alias: app, or team/app, without public.ecr.aws/ALIAS/ and without a tag"
        raise UsageError(f"cannot use the repository {repository!r}: it is no repository's name", hint=hint)
    return f"arn:aws:ecr-public::{account or '*'}:repository/{repository}"


def actions_for(use: Use) -> tuple[str, ...]:
    """The actions of one use by itself, in the order of the documentation."""
    return next(row.actions for row in iam_knowledge().uses if row.name == use)


def needs(use: Use, repositories: Sequence[str] = ()) -> tuple[Need, ...]:
    """Everything that must be allowed; ``repositories`` are ARNs, and none means every repository."""
    found = [Need(action, "*") for action in actions_for(Use.PULL)]
    if use is Use.PUSH:
        found += [Need(action, arn) for arn in repositories or (repository_arn(),) for action in actions_for(Use.PUSH)]
    return tuple(found)


def least_policy(use: Use, repositories: Sequence[str] = ()) -> dict[str, Any]:
    """The policy that allows exactly :func:`needs`: one statement for each kind of resource."""
    return {"Version": VERSION, "Statement": statements_for(needs(use, repositories))}


def statements_for(wanted: Sequence[Need]) -> list[dict[str, Any]]:
    """Statements that allow these needs and nothing else: actions with the same resources share one."""
    resources: dict[str, list[str]] = {}
    for need in wanted:
        resources.setdefault(need.action, []).append(need.resource)
    actions: dict[tuple[str, ...], list[str]] = {}
    for action, on in resources.items():
        actions.setdefault(tuple(on), []).append(action)
    return [{"Effect": "Allow", "Action": _short(names), "Resource": _short(list(on))} for on, names in actions.items()]


def _short(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def has_no_resource(action: str) -> bool:
    """Whether an action must be allowed on ``*``, since it knows no resources."""
    return resource_of(action) == "*"
