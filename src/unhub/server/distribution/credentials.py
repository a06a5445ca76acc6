"""What a request says about who sends it, and under which name this server was asked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from unhub.server.distribution.answers import Header


def authorization(headers: Sequence[Header]) -> tuple[str, str]:
    """The scheme, in lower case, and the rest of ``Authorization``; empty ones where there is none."""
    for name, value in headers:
        if name == b"authorization":
            kind, _, rest = value.decode("latin-1").partition(" ")
            return kind.lower(), rest.strip()
    return "", ""


def basic(value: str) -> tuple[str, str]:
    """User name and password of ``Basic`` (RFC 7617); empty ones for what is neither."""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def asked_at(scope: dict[str, Any], path: str) -> str:
    """The URL of ``path`` under the name by which this server was asked."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b":authority")), "localhost")
    plain = "".join(char for char in host if char.isalnum() or char in "-.:[]_")
    return f"{scope['scheme']}://{plain}{path}"
