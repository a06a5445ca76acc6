"""The tokens of both services, made and read again. They are signed, so that nothing has to be kept about them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, cast

PROCESS_KEY = secrets.token_bytes(32)
"""The key of every stand-in of this process that was given no other: what one issues, the others accept."""

ECR_USER = "AWS"


@dataclass(frozen=True, slots=True)
class HubToken:
    """What a token of Docker Hub allows: ``account`` is ``None`` without a login, ``repositories`` may be pulled."""

    account: str | None
    repositories: frozenset[str]
    expires: float


@dataclass(frozen=True, slots=True)
class EcrToken:
    """Whose a token or password of ECR Public is (``None`` without a login), and until when it holds."""

    account: str | None
    expires: float


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes and reads tokens with one key. Nothing here says whether one has expired: the caller knows the time."""

    key: bytes = field(default=PROCESS_KEY, repr=False)

    def hub_token(self, token: HubToken, now: float) -> str:
        """A token as auth.docker.io makes them: three parts, of which clients look into none."""
        access = [{"type": "repository", "name": name, "actions": ["pull"]} for name in sorted(token.repositories)]
        claims = {
            "access": access,
            "aud": "registry.docker.io",
            "exp": token.expires,
            "iat": now,
            "iss": "auth.docker.io",
            "sub": token.account or "",
        }
        head = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{head}.{_base64url(self._sign(head.encode()))}"

    def read_hub_token(self, text: str) -> HubToken | None:
        """What a token says; ``None`` for what was not made here."""
        head, _, signature = text.rpartition(".")
        claims = _object(head.partition(".")[2])
        if claims is None or not hmac.compare_digest(_base64url(self._sign(head.encode())), signature.encode("ascii", "replace").decode()):
            return None
        names = frozenset(str(row["name"]) for row in claims["access"])
        return HubToken(str(claims["sub"]) or None, names, float(claims["exp"]))

    def ecr_password(self, token: EcrToken) -> str:
        """A password of ECR Public: base64 of a JSON object with an expiration, and no colon in it (ecr-public.md 2.4)."""
        whose = (token.account or "").encode()
        sealed = self._sign(whose + str(int(token.expires)).encode())
        # What is between is encrypted in the real ones; its length makes a password about as long as theirs.
        filler = hashlib.shake_256(sealed).digest(1200)
        content = {
            "payload": base64.b64encode(len(whose).to_bytes(2, "big") + sealed + whose + filler).decode(),
            "datakey": base64.b64encode(hashlib.shake_256(filler).digest(184)).decode(),
            "version": "3",
            "type": "DATA_KEY",
            "expiration": int(token.expires),
        }
        return base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()

    def read_ecr(self, text: str) -> EcrToken | None:
        """What a password, a token of ``/token/`` or a whole ``authorizationToken`` says; ``None`` for what was not made here."""
        decoded = _unbase64(text)
        if decoded.startswith(f"{ECR_USER}:".encode()):
            decoded = _unbase64(decoded[len(ECR_USER) + 1 :].decode("ascii", "replace"))
        content = _parsed(decoded)
        if content is None or not isinstance(content.get("payload"), str) or not isinstance(content.get("expiration"), int):
            return None
        payload = _unbase64(content["payload"])
        whose = payload[34 : 34 + int.from_bytes(payload[:2], "big")]
        if not hmac.compare_digest(self._sign(whose + str(content["expiration"]).encode()), payload[2:34]):
            return None
        return EcrToken(whose.decode() or None, content["expiration"])

    def link(self, path: str, expires: int) -> str:
        """The signature of a link of the content network."""
        return _base64url(self._sign(f"{path} {expires}".encode()))

    def is_link(self, path: str, expires: int, signature: str) -> bool:
        """Whether a link was made here."""
        return hmac.compare_digest(self.link(path, expires).encode(), signature.encode("utf-8", "replace"))

    def _sign(self, data: bytes) -> bytes:
        return hmac.new(self.key, data, "sha256").digest()


def authorization_token(password: str) -> str:
    """The ``authorizationToken`` of a password: base64 of ``AWS:`` and the password."""
    return base64.b64encode(f"{ECR_USER}:{password}".encode()).decode()


def basic(text: str) -> tuple[str, str] | None:
    """User name and password of a Basic ``Authorization``; ``None`` where that is none."""
    user, colon, password = _unbase64(text).decode("utf-8", "replace").partition(":")
    return (user, password) if colon else None


def _encoded(content: object) -> str:
    return _base64url(json.dumps(content, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _object(text: str) -> dict[str, Any] | None:
    try:
        return _parsed(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        content: object = json.loads(data)
    except ValueError:
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None
