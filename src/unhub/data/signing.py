"""How AWS's services check signatures and refuse requests: the rows of ``signing.toml``, and a user's over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from unhub.data.facts import Dated
from unhub.data.rows import typed

Protocol = Literal["json", "query"]
"""What a service speaks, which decides on the names of its errors."""


class Signing(Dated, frozen=True, kw_only=True):
    """How one service (``id`` is its signing name) judges the time of a signature."""

    id: str
    protocol: Protocol
    skew_seconds: int
    presigned_max_seconds: int
    says: str

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        if self.skew_seconds < 1 or self.presigned_max_seconds < 1:
            raise ValueError("times are at least one second")


class SignatureRefusal(Dated, frozen=True, kw_only=True):
    """One way of being refused; ``{detail}`` in the message stands for what is known only then."""

    id: str
    message: str
    json_code: str
    json_status: int
    query_code: str
    query_status: int

    def __post_init__(self) -> None:
        """Refuse what is no status of a refusal."""
        if not all(400 <= status <= 599 for status in (self.json_status, self.query_status)):
            raise ValueError("the status of a refusal is 400 to 599")


def signing_of(service: str, own: Path | None = None) -> Signing:
    """How a service judges time. ``own`` is a user's data file. Raises ``LookupError`` for a service that is not known."""
    for row in typed("signing", Signing, own):
        if row.id == service:
            return row
    raise LookupError(service)


def signature_refusals(own: Path | None = None) -> dict[str, SignatureRefusal]:
    """Every way of being refused, by its ``id``; of two rows with one ``id`` the user's."""
    found: dict[str, SignatureRefusal] = {}
    for row in typed("signature_refusal", SignatureRefusal, own):
        found.setdefault(row.id, row)
    return found


class RegistryToken(Dated, frozen=True, kw_only=True):
    """How many ``seconds`` a kind of token (``id``) of ECR Public holds."""

    id: str
    seconds: int
    says: str

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        if self.seconds < 1:
            raise ValueError("a token holds for at least one second")


class Denial(Dated, frozen=True, kw_only=True):
    """A text of ``AccessDeniedException``, with ``{arn}``, ``{action}`` and ``{resource}``, and its HTTP status."""

    id: str
    message: str
    status: int

    def __post_init__(self) -> None:
        """Refuse what is no status of a refusal."""
        if not 400 <= self.status <= 599:
            raise ValueError("the status of a refusal is 400 to 599")


TYPES: Final[Mapping[str, type[Dated]]] = {
    "signing": Signing,
    "signature_refusal": SignatureRefusal,
    "registry_token": RegistryToken,
    "denial": Denial,
}
"""The kinds of rows that are known here."""


def token_seconds(kind: str, own: Path | None = None) -> int:
    """How long a kind of token holds. Raises ``LookupError`` for a kind that is not known."""
    for row in typed("registry_token", RegistryToken, own):
        if row.id == kind:
            return row.seconds
    raise LookupError(kind)


def denials(own: Path | None = None) -> dict[str, Denial]:
    """Every way of being denied something, by its ``id``; of two rows with one ``id`` the user's."""
    found: dict[str, Denial] = {}
    for row in typed("denial", Denial, own):
        found.setdefault(row.id, row)
    return found
