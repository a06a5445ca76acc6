"""A permission before it has a form: the policy, whom it is for, and who may assume that role."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from unhub.aws.trust import Trusted
from unhub.image.errors import UsageError

_ENTITY = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,254}")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who gets the permission. ``kind`` is ``role``, ``user``, or ``codebuild`` for a project's service role."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Grant:
    """``name`` is the policy's name. With ``trust`` the role itself is made, for those who are ``trusted``."""

    name: str
    policy: dict[str, Any]
    holder: Holder | None = None
    trusted: Trusted | None = None
    trust: dict[str, Any] | None = None


def holder(kind: str, name: str) -> Holder:
    """Who ``--role``, ``--user`` or ``--codebuild`` names; a role or user may be given by its ARN.

    Raises :class:`UsageError` for a name that AWS would not take.
    """
    if kind != "codebuild" and name.startswith("arn:"):
        name = name.rpartition("/")[2]
    if not (_PROJECT if kind == "codebuild" else _ENTITY).fullmatch(name):
        what = "CodeBuild project" if kind == "codebuild" else kind
        raise UsageError(f"cannot use {name!r}: it is no name of a {what}")
    return Holder(kind, name)
