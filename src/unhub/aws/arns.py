"""The names of AWS's things that ECR Public has to do with (ecr-public.md, 3.2; IAM's own for users and roles)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PARTITION: Final = "aws"

ACCOUNT = re.compile(r"[0-9]{12}")
_SESSION = re.compile(r"arn:aws:sts::[0-9]{12}:assumed-role/[^/]+/([^/]+)")
_REPOSITORY = re.compile(r"arn:aws:ecr-public::([0-9]{12}):repository/(.+)")


class RepositoryName(NamedTuple):
    """A repository by its account and its name there."""

    account: str
    name: str


def user_arn(account: str, name: str) -> str:
    """A user."""
    return f"arn:{PARTITION}:iam::{account}:user/{name}"


def role_arn(account: str, name: str) -> str:
    """A role, as policies name it."""
    return f"arn:{PARTITION}:iam::{account}:role/{name}"


def session_arn(account: str, name: str, session: str) -> str:
    """Whoever has assumed a role."""
    return f"arn:{PARTITION}:sts::{account}:assumed-role/{name}/{session}"


def session_of(arn: str) -> str:
    """The name of the session that an ARN names; empty for another one."""
    found = _SESSION.fullmatch(arn)
    return found[1] if found else ""


def repository_arn(account: str, name: str) -> str:
    """A repository; it has no region."""
    return f"arn:{PARTITION}:ecr-public::{account}:repository/{name}"


def registry_arn(account: str) -> str:
    """A registry, which is one with its account."""
    return f"arn:{PARTITION}:ecr-public::{account}:registry/{account}"


def read_repository_arn(arn: str) -> RepositoryName | None:
    """The repository of an ARN, ``None`` for another text."""
    found = _REPOSITORY.fullmatch(arn)
    return RepositoryName(found[1], found[2]) if found else None
