"""The rules of ECR Public's token service: passwords, bearer tokens and anonymous ones.

All three are base64 of ``{"payload":…,"datakey":…,"version":"3","type":"DATA_KEY","expiration":…}`` (ecr-public.md, 2.4), the
shape that clients look into for the end. What counts is in the signed payload; the rest must agree with it. A password holds
for 12 hours, the others for one. A text has one spelling only: whatever was changed in it is refused.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, cast

import msgspec

from unhub.data.aws import registry_password
from unhub.data.signing import token_seconds
from unhub.image.errors import TokenFault, TokenRefused
from unhub.mirror.revoked import Revoked
from unhub.mirror.sealing import Entropy
from unhub.mirror.signing_keys import Keyring, Signature

USERNAME: Final = registry_password().username
PASSWORD_SECONDS: Final = registry_password().hours * 3600
LENGTH_MAX: Final = 8192
"""Characters of the longest text that is looked into."""

_PURPOSE: Final = "token"
_VERSION: Final = "3"
_TYPE: Final = "DATA_KEY"
_MEMBERS: Final = ("payload", "datakey", "version", "type", "expiration")

_TEXTS: Final = {
    TokenFault.INVALID: "Your Authorization Token is invalid.",
    TokenFault.EXPIRED: "Your authorization token has expired. Reauthenticate and try again.",
    TokenFault.REVOKED: "Your Authorization Token is invalid.",
}
"""As ECR Public says it (ecr-public.md, 2.5); how a revoked one is answered there nobody has seen."""


class TokenKind(StrEnum):
    """What a text may be used as."""

    PASSWORD = "password"  # noqa: S105 -- a kind
    BEARER = "bearer"
    ANONYMOUS = "anonymous"


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: TokenKind
    id: str
    issued: int
    """Milliseconds since 1970."""
    expires: int
    """Seconds since 1970."""
    account: str = ""
    arn: str = ""
    unique_id: str = ""
    access_key: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a password is given: account, ARN, the identity's unique id, and the access key that asked."""

    account: str
    arn: str
    unique_id: str
    access_key: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Who presents a token, as it was signed. All texts about an owner are empty for the anonymous. Times are seconds since 1970."""

    kind: TokenKind
    id: str
    issued_at: float
    expires_at: int
    account: str
    arn: str
    unique_id: str
    access_key: str
    parent: str

    @property
    def anonymous(self) -> bool:
        """Whether nobody has logged in."""
        return self.kind is TokenKind.ANONYMOUS


@dataclass(frozen=True, slots=True)
class Issued:
    """A text that was given out, and when it ends (seconds since 1970)."""

    text: str = field(repr=False)
    id: str
    expires_at: int

    @property
    def authorization_token(self) -> str:
        """Of a password: what ``GetAuthorizationToken`` answers, base64 of ``AWS:PASSWORD``."""
        return base64.b64encode(f"{USERNAME}:{self.text}".encode()).decode()


class Tokens:
    """Gives out and reads. ``now`` is seconds since 1970; keys and revocations are replaced as they change."""

    def __init__(
        self,
        keyring: Keyring,
        revoked: Revoked,
        *,
        now: Callable[[], float],
        entropy: Entropy = os.urandom,
        facts: Path | None = None,
    ) -> None:
        """``facts`` is a user's data file, which may say how long tokens hold."""
        self._anonymous_seconds = token_seconds("anonymous", facts)
        self._bearer_seconds = token_seconds("bearer", facts)
        self.keyring = keyring
        self.revoked = revoked
        self._now = now
        self._entropy = entropy

    def password(self, owner: Owner, seconds: int = PASSWORD_SECONDS) -> Issued:
        """A password for ``docker login``. ``seconds`` shortens its life (to that of a session)."""
        return self._issue(TokenKind.PASSWORD, min(seconds, PASSWORD_SECONDS), owner)

    def anonymous(self) -> Issued:
        """A token for whoever asks."""
        return self._issue(TokenKind.ANONYMOUS, self._anonymous_seconds, None)

    def exchange(self, username: str, password: str) -> Issued:
        """The bearer token for a password, which it does not outlive. Raises :class:`TokenRefused`."""
        holder = self.read_password(username, password)
        seconds = min(self._bearer_seconds, int(holder.expires_at - self._now()))
        owner = Owner(holder.account, holder.arn, holder.unique_id, holder.access_key)
        return self._issue(TokenKind.BEARER, seconds, owner, parent=holder.id)

    def read_password(self, username: str, password: str) -> Holder:
        """Who presents a user name and password. Raises :class:`TokenRefused`."""
        if username != USERNAME:
            raise _refused(TokenFault.INVALID)
        return self._read(password, (TokenKind.PASSWORD,))

    def read_bearer(self, text: str) -> Holder:
        """Who presents a bearer token; a raw authorization token counts as one, too. Raises :class:`TokenRefused`."""
        decoded = _decode(text)
        prefix = f"{USERNAME}:".encode()
        if decoded.startswith(prefix):
            if base64.b64encode(decoded).decode() != text:
                raise _refused(TokenFault.INVALID)
            return self._read(decoded[len(prefix) :].decode("latin-1"), (TokenKind.PASSWORD,))
        return self._read(text, (TokenKind.BEARER, TokenKind.ANONYMOUS))

    def _issue(self, kind: TokenKind, seconds: int, owner: Owner | None, parent: str = "") -> Issued:
        now = self._now()
        identifier = base64.b32encode(self._entropy(15)).decode().lower()
        about = (owner.account, owner.arn, owner.unique_id, owner.access_key) if owner else ("", "", "", "")
        claims = _Claims(kind, identifier, int(now * 1000), int(now) + seconds, *about, parent)
        payload = base64.b64encode(msgspec.json.encode(claims)).decode()
        signature = self.keyring.sign(_PURPOSE, _signed(payload, claims.expires), now)
        return Issued(_encode(payload, signature, claims.expires), identifier, claims.expires)

    def _read(self, text: str, kinds: tuple[TokenKind, ...]) -> Holder:
        payload, signature, expiration = _parts(text)
        claims = _claims(payload)
        if not self.keyring.check(_PURPOSE, _signed(payload, expiration), signature, claims.issued / 1000):
            raise _refused(TokenFault.INVALID)
        if claims.expires != expiration or claims.kind not in kinds:
            raise _refused(TokenFault.INVALID)
        holder = _holder(claims)
        if self.revoked.covers(holder):
            raise _refused(TokenFault.REVOKED)
        if self._now() >= claims.expires:
            raise _refused(TokenFault.EXPIRED)
        return holder


def _refused(fault: TokenFault) -> TokenRefused:
    return TokenRefused(_TEXTS[fault], fault=fault)


def _signed(payload: str, expiration: int) -> bytes:
    return f"{_VERSION}\0{_TYPE}\0{expiration}\0{payload}".encode()


def _encode(payload: str, signature: Signature, expiration: int) -> str:
    datakey = base64.b64encode(signature.key.to_bytes(4, "big") + signature.mac).decode()
    body = dict(zip(_MEMBERS, (payload, datakey, _VERSION, _TYPE, expiration), strict=True))
    return base64.b64encode(json.dumps(body, separators=(",", ":")).encode()).decode()


def _parts(text: str) -> tuple[str, Signature, int]:
    """Payload, signature and expiration, where the text is exactly as it was given out."""
    try:
        body: object = json.loads(_decode(text))
    except (ValueError, RecursionError):
        raise _refused(TokenFault.INVALID) from None
    if not isinstance(body, dict):
        raise _refused(TokenFault.INVALID)
    members = cast("dict[str, object]", body)
    payload, datakey, expiration = members.get("payload"), members.get("datakey"), members.get("expiration")
    if not isinstance(payload, str) or not isinstance(datakey, str) or not isinstance(expiration, int):
        raise _refused(TokenFault.INVALID)
    key = _decode(datakey)
    signature = Signature(int.from_bytes(key[:4], "big"), key[4:])
    if not payload.isascii() or not 0 <= expiration < 1 << 40 or _encode(payload, signature, expiration) != text:
        raise _refused(TokenFault.INVALID)
    return payload, signature, expiration


def _claims(payload: str) -> _Claims:
    try:
        return msgspec.json.decode(_decode(payload), type=_Claims)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _refused(TokenFault.INVALID) from None


def _decode(text: str) -> bytes:
    if len(text) > LENGTH_MAX:
        raise _refused(TokenFault.INVALID)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise _refused(TokenFault.INVALID) from None


def _holder(claims: _Claims) -> Holder:
    return Holder(
        kind=claims.kind,
        id=claims.id,
        issued_at=claims.issued / 1000,
        expires_at=claims.expires,
        account=claims.account,
        arn=claims.arn,
        unique_id=claims.unique_id,
        access_key=claims.access_key,
        parent=claims.parent,
    )
