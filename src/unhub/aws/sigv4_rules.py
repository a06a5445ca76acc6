"""By which rules one service judges signatures, and how it words its refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from unhub.data.signing import signature_refusals, signing_of
from unhub.image.errors import ApiRefused


class Cause(StrEnum):
    """Why a request is refused; the ``id`` of a row of ``data/signing.toml``."""

    MISSING = "missing"
    """It is not signed at all."""
    INCOMPLETE = "incomplete"
    """What it says of its signature cannot be read."""
    UNKNOWN_KEY = "unknown-key"
    """Nobody has this access key, or the session token does not belong to it."""
    EXPIRED_TOKEN = "expired-token"  # noqa: S105 -- no secret
    """The session of a temporary access key has ended."""
    WRONG_SIGNATURE = "wrong-signature"
    """Somebody else signed, or signed something else."""
    INVALID = "invalid"
    """It was signed for another time, region or service, or does not cover what it must."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a cause is answered."""

    aws_code: str
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class SigningRules:
    """The rules of one service at one endpoint; times are seconds.

    ``regions`` are those that a signature may be made for: one for a regional name, every known one for an endpoint
    that has no name of its own.
    """

    service: str
    regions: frozenset[str]
    skew: int
    presigned_max: int
    refusals: Mapping[Cause, Refusal] = field(repr=False)

    def refuse(self, cause: Cause, detail: str = "") -> ApiRefused:
        """The error to raise."""
        refusal = self.refusals[cause]
        return ApiRefused(refusal.message.replace("{detail}", detail), aws_code=refusal.aws_code, status=refusal.status)


def rules_for(service: str, regions: Iterable[str], *, own: Path | None = None) -> SigningRules:
    """The rules of a service (``ecr-public``, ``sts``) as the data has them; ``own`` is a user's data file.

    Raises ``LookupError`` for a service that the data does not know.
    """
    signing = signing_of(service, own)
    json = signing.protocol == "json"
    rows = signature_refusals(own)
    refusals = {
        cause: Refusal(row.json_code if json else row.query_code, row.json_status if json else row.query_status, row.message)
        for cause, row in ((cause, rows[cause.value]) for cause in Cause)
    }
    return SigningRules(service, frozenset(regions), signing.skew_seconds, signing.presigned_max_seconds, refusals)
