"""How ECR Public's API refuses what it understood: the rows of ``gallery.toml``, and a user's over them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from unhub.data.facts import Dated
from unhub.data.rows import typed


class ApiRefusal(Dated, frozen=True, kw_only=True):
    """One way of being refused: AWS's name of the error, its text with ``{placeholders}``, and the HTTP status.

    ``registry_code`` and ``registry_status`` say how the registry refuses the same, where a push can meet it.
    """

    id: str
    code: str
    message: str
    status: int = 400
    registry_code: str | None = None
    registry_status: int = 400

    def __post_init__(self) -> None:
        """Refuse what is no status of a refusal."""
        if not all(400 <= status <= 599 for status in (self.status, self.registry_status)):
            raise ValueError("the status of a refusal is 400 to 599")


class FailureReason(Dated, frozen=True, kw_only=True):
    """The text beside a failure code (``id``) of an operation that does many things at once."""

    id: str
    message: str


TYPES: Final[dict[str, type[Dated]]] = {"api_refusal": ApiRefusal, "failure_reason": FailureReason}
"""The kinds of rows of ``gallery.toml``."""


def api_refusals(own: Path | None = None) -> dict[str, ApiRefusal]:
    """Every way of being refused, by its ``id``; of two rows with one ``id`` the user's. ``own`` is a user's data file."""
    found: dict[str, ApiRefusal] = {}
    for row in typed("api_refusal", ApiRefusal, own):
        found.setdefault(row.id, row)
    return found


def failure_reasons(own: Path | None = None) -> dict[str, str]:
    """The texts by failure code."""
    found: dict[str, str] = {}
    for row in typed("failure_reason", FailureReason, own):
        found.setdefault(row.id, row.message)
    return found
