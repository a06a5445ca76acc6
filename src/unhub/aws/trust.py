"""Trust policies for roles that pipelines assume with a token of their own (OpenID Connect)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unhub.aws.policy_document import VERSION
from unhub.data.iam import Provider, iam_knowledge
from unhub.image.errors import UsageError

ACCOUNT_PLACEHOLDER = "ACCOUNT_ID"
"""What stands for an account that was not given; IAM refuses a document that still has it."""

_PROJECT = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?")
_NAME = re.compile(r"[A-Za-z0-9_./*?#@+=-]+")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Who may assume the role: a project at a provider, and there which branches and environments (none: all)."""

    provider: Provider
    project: str
    host: str
    branches: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    @property
    def audience(self) -> str:
        """The audience that the pipeline's token must be made for; a GitLab of one's own is its own audience."""
        return self.provider.audience if self.host == self.provider.host else f"https://{self.host}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the token's subject may be, with ``*`` as a wildcard."""
        branches = (self.provider.branch.format(project=self.project, branch=branch) for branch in self.branches)
        named = self.provider.environment or ""
        environments = (named.format(project=self.project, environment=one) for one in self.environments)
        return (*branches, *environments) or (self.provider.subject.format(project=self.project),)


def parse_trusted(text: str, branches: Sequence[str] = (), environments: Sequence[str] = ()) -> Trusted:
    """Who ``github:ORG/REPO``, ``gitlab:GROUP/PROJECT`` or ``gitlab@HOST:GROUP/PROJECT`` is.

    Raises :class:`UsageError` for anything else. A project takes no wildcard: it would trust strangers.
    """
    kind, _, project = text.partition(":")
    name, _, host = kind.partition("@")
    provider = next((one for one in iam_knowledge().provider if one.name == name), None)
    if provider is None:
        raise UsageError(f"cannot trust {text!r}: there is no provider {name!r}", hint="github:ORG/REPO or gitlab:GROUP/PROJECT")
    if host and (name != "gitlab" or not _HOST.fullmatch(host)):
        raise UsageError(f"cannot trust {text!r}: {host!r} is no host of a GitLab", hint="gitlab@gitlab.example.com:GROUP/PROJECT")
    if not _PROJECT.fullmatch(project) or (name == "github" and project.count("/") != 1):
        raise UsageError(f"cannot trust {text!r}: {project!r} is no project", hint=f"{name}:OWNER/NAME, without wildcards")
    if environments and provider.environment is None:
        raise UsageError(f"cannot trust an environment: the subjects of {provider.title} do not name it", hint="Use --branch")
    for one in (*branches, *environments):
        if not _NAME.fullmatch(one):
            raise UsageError(f"cannot trust {one!r}: it is no name of a branch or an environment")
    return Trusted(provider, project, host or provider.host, tuple(branches), tuple(environments))


def trust_policy(trusted: Trusted, account: str = ACCOUNT_PLACEHOLDER) -> dict[str, Any]:
    """The trust policy of the role; ``account`` is the one that the identity provider is set up in."""
    return {"Version": VERSION, "Statement": [_statement(trusted, account, kind, subjects) for kind, subjects in _by_kind(trusted)]}


def _by_kind(trusted: Trusted) -> list[tuple[str, list[str]]]:
    """The subjects under the operator that each needs; two operators of one statement would both have to hold."""
    kinds: dict[str, list[str]] = {}
    for subject in trusted.subjects:
        kinds.setdefault("StringLike" if set(subject) & {"*", "?"} else "StringEquals", []).append(subject)
    return list(kinds.items())


def _statement(trusted: Trusted, account: str, kind: str, subjects: list[str]) -> dict[str, Any]:
    condition: dict[str, dict[str, Any]] = {"StringEquals": {f"{trusted.host}:aud": trusted.audience}}
    condition.setdefault(kind, {})[f"{trusted.host}:sub"] = subjects[0] if len(subjects) == 1 else subjects
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{trusted.host}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
