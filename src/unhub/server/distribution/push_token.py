"""Tokens of those who know the push password: what docker, podman and skopeo want of a registry that also serves strangers.

They ask ``/v2/`` first and take what it says for the whole registry. Were that a Basic challenge, nobody could pull without
a password; a Bearer challenge (distribution specification, "Token Authentication") gives strangers a token, too.
Each worker can check a token: it is signed with the password itself, and ends with it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

SECONDS: Final = 3600
"""How long a token holds."""

_PURPOSE = b"unhub push token 1\n"


def mint(user: str, password: str, now: float) -> str:
    """A token with which ``user`` may push for an hour; ``now`` is seconds since 1970."""
    claim = f"{int(now) + SECONDS}:{user}".encode("utf-8", "surrogateescape")
    return f"{_encoded(claim)}.{_encoded(_signature(claim, password))}"


def user_of(token: str, password: str, now: float) -> str | None:
    """Who may push with a token; ``None`` where nobody may."""
    claim, signature = (_decoded(part) for part in (*token.split(".", 1), "")[:2])
    if not hmac.compare_digest(signature, _signature(claim, password)):
        return None
    end, _, user = claim.decode("utf-8", "surrogateescape").partition(":")
    return user if int(end) > now else None


def _signature(claim: bytes, password: str) -> bytes:
    return hmac.digest(password.encode("utf-8"), _PURPOSE + claim, "sha256")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
