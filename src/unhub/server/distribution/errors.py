"""Every refusal in the specification's JSON (distribution specification, "Error Codes")."""

from __future__ import annotations

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, ServeError
from unhub.server.distribution.answers import JSON, Answer, Header, answer, retry_after


class _Error(msgspec.Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    detail: dict[str, str] = {}


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...]


class Unauthorized(ServeError):
    """401: ``challenge`` says how to log in (RFC 9110, section 11.6.1)."""

    def __init__(self, message: str, challenge: str, *, status: int = 401, registry_code: str = "UNAUTHORIZED") -> None:
        super().__init__(message, status=status, registry_code=registry_code)
        self.challenge = challenge


class NotAllowed(ServeError):
    """405: what may be asked instead is in ``allowed``."""

    def __init__(self, message: str, allowed: tuple[str, ...], *, hint: str | None = None, registry_code: str = "UNSUPPORTED") -> None:
        super().__init__(message, status=405, registry_code=registry_code, hint=hint)
        self.allowed = allowed


def refusal(error: ServeError, *, content_type: Header = JSON, end: bytes = b"") -> Answer:
    """The answer to a request that cannot be served; ``end`` is what its body ends with."""
    headers = [content_type]
    if error.retry_after is not None:
        headers.append(retry_after(error.retry_after))
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", error.challenge.encode("latin-1")))
    if error.status == 405:
        allowed = error.allowed if isinstance(error, NotAllowed) else ("GET", "HEAD")
        headers.append((b"allow", ", ".join(allowed).encode("ascii")))
    detail = {"hint": error.hint} if error.hint else {}
    body = msgspec.json.encode(_Errors((_Error(error.registry_code, _plain(str(error)), detail),)))
    return answer(error.status, headers, body + end)


def parse_digest(text: str, *, status: int = 400) -> Digest:
    """A digest by its grammar, before anything is made of it. Raises :class:`ServeError`, ``DIGEST_INVALID``."""
    try:
        return Digest.parse(text)
    except InvalidDigest as error:
        raise ServeError(f"cannot read the digest: {error.reason}", status=status, registry_code="DIGEST_INVALID") from None


def _plain(text: str) -> str:
    """Texts may quote what was sent: no lone surrogates, no endless names."""
    return text.encode("utf-8", "replace").decode("utf-8")[:2000]
