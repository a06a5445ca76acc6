"""What ECR Public's registry and token service say to those whom they do not serve: the rows of ``ecr_public.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from unhub.data.facts import Dated
from unhub.data.rows import typed


class RegistryRefusal(Dated, frozen=True, kw_only=True):
    """One way of being refused: HTTP status, the registry's code, a text with ``{placeholders}``, and ``WWW-Authenticate``."""

    id: str
    status: int
    code: str
    message: str
    challenge: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no status of a refusal, and what would break the header."""
        if not 400 <= self.status <= 599:
            raise ValueError("the status of a refusal is 400 to 599")
        if not (self.challenge.isascii() and self.challenge.isprintable()):
            raise ValueError("a challenge is printable ASCII")


class RegistryPage(Dated, frozen=True, kw_only=True):
    """How long the pages of a list (``id``) of the registry are at most."""

    id: str
    most: int
    says: str

    def __post_init__(self) -> None:
        """Refuse what is no length, or more than is held in memory for a page."""
        if not 1 <= self.most <= 10_000:
            raise ValueError("a page has 1 to 10000 entries")


TYPES: Final[Mapping[str, type[Dated]]] = {"registry_refusal": RegistryRefusal, "registry_page": RegistryPage}
"""The kinds of rows that are known here."""


def registry_refusals(own: Path | None = None) -> dict[str, RegistryRefusal]:
    """Every way of being refused, by its ``id``; of two rows with one ``id`` the user's. ``own`` is a user's data file."""
    found: dict[str, RegistryRefusal] = {}
    for row in typed("registry_refusal", RegistryRefusal, own):
        found.setdefault(row.id, row)
    return found


def page_most(list_: str, own: Path | None = None) -> int:
    """The longest page of a list. Raises ``LookupError`` for a list that is not known."""
    for row in typed("registry_page", RegistryPage, own):
        if row.id == list_:
            return row.most
    raise LookupError(list_)
