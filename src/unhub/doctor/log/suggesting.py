"""What follows from the values in a log: whom to grant a permission, which name was meant."""

from __future__ import annotations

import re
from typing import Final

from unhub.image.errors import InvalidReference
from unhub.image.reference import Reference

ECR_PUBLIC: Final = "public.ecr.aws"
OFFICIAL: Final = "docker/library/"
"""Where Docker's official images lie at ECR Public."""

_ROLE = re.compile(r"arn:[\w-]{1,20}:(?:sts|iam)::[\d*]{0,12}:(?:assumed-role|role)/(?P<role>[\w+=,.@-]{1,64})")
_USER = re.compile(r"arn:[\w-]{1,20}:iam::[\d*]{0,12}:user/(?:[\w+=,.@/-]{1,256}/)?(?P<user>[\w+=,.@-]{1,64})")


def derived(known: dict[str, str]) -> dict[str, str]:
    """The values that follow from others: ``subject_option`` of ``unhub iam-policy``, ``suggestion`` for a name."""
    found = {"subject_option": subject_option(known.get("subject", "")), "suggestion": suggestion(known.get("reference", ""))}
    return {name: value for name, value in found.items() if value}


def subject_option(arn: str) -> str | None:
    """``--role NAME`` or ``--user NAME`` for the ARN of a caller; ``None`` where it is hidden or of another kind."""
    if match := _ROLE.match(arn):
        return f"--role {match['role']}"
    match = _USER.match(arn)
    return f"--user {match['user']}" if match else None


def suggestion(text: str) -> str | None:
    """The name with ``library/`` where an official image at ECR Public lacks it."""
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return None
    alias, _, name = reference.repository.partition("/")
    if reference.registry != ECR_PUBLIC or alias != "docker" or not name or "/" in name:
        return None
    return str(reference.with_name(ECR_PUBLIC, OFFICIAL + name))
