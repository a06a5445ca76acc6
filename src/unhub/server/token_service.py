"""ECR Public's token service: ``/token/`` (ecr-public.md, 2.2 and 2.3).

Whoever asks gets an anonymous token; who sends the password of ``GetAuthorizationToken`` gets one of its account. Service
and scope are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from unhub.image.errors import ServeError, TokenFault, TokenRefused
from unhub.mirror.tokens import Issued, Tokens
from unhub.server.distribution.answers import Answer, Receive, Send, answer, deliver
from unhub.server.distribution.credentials import authorization, basic
from unhub.server.distribution.ecr_public_words import JSON_UTF8, EcrPublicWords

METHODS: Final = ("GET", "HEAD")

_FAULTS: Final = {
    TokenFault.INVALID: "invalid-password",
    TokenFault.EXPIRED: "expired-password",
    TokenFault.REVOKED: "revoked-password",
}


class _Given(msgspec.Struct, frozen=True):
    token: str
    expires_in: int


class TokenService:
    """An ASGI callable. ``tokens`` gives the tokens as they are now; while ``hears`` is false nobody's password is taken."""

    def __init__(
        self,
        tokens: Callable[[], Tokens],
        words: EcrPublicWords,
        *,
        hears: Callable[[], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._words = words
        self._hears = hears
        self._now = now

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        try:
            made = self._answer(scope)
        except ServeError as error:
            made = self._words.answer(error)
        await deliver(made, scope["method"], receive, send)

    def _answer(self, scope: dict[str, Any]) -> Answer:
        if scope["method"] not in METHODS:
            raise self._words.error("token-method", METHODS)
        issued = self._issued(scope)
        given = _Given(issued.text, max(1, issued.expires_at - int(self._now())))
        return answer(200, [JSON_UTF8, (b"cache-control", b"no-store")], msgspec.json.encode(given))

    def _issued(self, scope: dict[str, Any]) -> Issued:
        kind, value = authorization(scope["headers"])
        if not kind:
            return self._tokens().anonymous()
        if kind != "basic":
            raise self._words.error("bearer-at-token-service")
        if not self._hears():
            message = "cannot tell whose password this is: the database does not answer"
            raise ServeError(message, status=503, registry_code="UNAVAILABLE", retry_after=1.0)
        try:
            return self._tokens().exchange(*basic(value))
        except TokenRefused as error:
            raise self._words.error(_FAULTS[error.fault]) from None
