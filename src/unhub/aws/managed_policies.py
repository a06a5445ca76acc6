"""AWS's own policies, as documents."""

from __future__ import annotations

from unhub.data.iam import iam_knowledge
from unhub.image.errors import UsageError


def managed_policy(name: str) -> tuple[str, str]:
    """The name and the document of a policy of AWS's own, by its name or ARN. Raises :class:`UsageError` for one that is not known."""
    short = name.rpartition("/")[2]
    for row in iam_knowledge().managed:
        if row.name == short:
            return short, _document(row.actions)
    known = ", ".join(row.name for row in iam_knowledge().managed)
    raise UsageError(f"cannot attach {name[:200]}: it is none of AWS's policies that are known here", hint=f"Known are {known}")


def _document(actions: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{action}"' for action in actions)
    return f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": [{listed}], "Resource": "*"}}]}}'
