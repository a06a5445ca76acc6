"""JSON, as IAM's console and ``aws iam`` take it."""

from __future__ import annotations

import json
from typing import Any

from unhub.aws.renderings.grant import Grant


def render(grant: Grant) -> str:
    """The trust policy where one is wanted, else the policy."""
    return pretty(grant.trust or grant.policy)


def pretty(document: dict[str, Any]) -> str:
    """A document for people: indented, with a last line end."""
    return json.dumps(document, indent=2) + "\n"


def compact(document: dict[str, Any]) -> str:
    """A document on one line, for a command."""
    return json.dumps(document, separators=(",", ":"))
