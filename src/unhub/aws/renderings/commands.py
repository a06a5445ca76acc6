"""The ``aws`` commands that would make the change, for a POSIX shell; they are printed and never run here."""

from __future__ import annotations

import shlex
from typing import Any

from unhub.aws.renderings.grant import Grant
from unhub.aws.renderings.json_document import compact
from unhub.aws.trust import ACCOUNT_PLACEHOLDER, Trusted

_ACCOUNT = "account=$(aws sts get-caller-identity --query Account --output text)"


def render(grant: Grant) -> str:
    """The commands, a line each; a line that begins with ``#`` is for people."""
    return "".join(f"{line}\n" for line in commands(grant))


def commands(grant: Grant) -> list[str]:
    """The commands for the grant's holder, in order; :class:`ValueError` where it has none."""
    if grant.holder is None:
        raise ValueError("no command without a role, user or project")
    name = shlex.quote(grant.holder.name)
    put = f"--policy-name {shlex.quote(grant.name)} --policy-document {_quoted(grant.policy)}"
    match grant.holder.kind:
        case "user":
            return [f"aws iam put-user-policy --user-name {name} {put}"]
        case "codebuild":
            query = "--query 'projects[0].serviceRole' --output text"
            return [
                f"role=$(aws codebuild batch-get-projects --names {name} {query})",
                f'aws iam put-role-policy --role-name "${{role##*/}}" {put}',
            ]
        case _:
            return [*_role(grant, name), f"aws iam put-role-policy --role-name {name} {put}"]


def _role(grant: Grant, name: str) -> list[str]:
    if grant.trusted is None or grant.trust is None:
        return []
    trust = _quoted(grant.trust)
    return [
        f"# Once for each account, where it is not there yet: {provider_command(grant.trusted)}",
        *([_ACCOUNT] if '"$account"' in trust else []),
        f"aws iam create-role --role-name {name} --assume-role-policy-document {trust}",
    ]


def provider_command(trusted: Trusted) -> str:
    """The command that lets an account know the pipelines' identity provider."""
    return f"aws iam create-open-id-connect-provider --url https://{trusted.host} --client-id-list {shlex.quote(trusted.audience)}"


def _quoted(document: dict[str, Any]) -> str:
    """A document as one word of the shell; an account that is not known is asked for by the command itself."""
    return shlex.quote(compact(document)).replace(ACCOUNT_PLACEHOLDER, "'\"$account\"'")
