"""Who may push, in mode ``open``: pulls are anybody's (docs/contracts.md, how a name is understood)."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from unhub.image.errors import ServeError
from unhub.server.distribution.answers import JSON, Answer, Receive, Send, answer, deliver
from unhub.server.distribution.errors import NotAllowed, Unauthorized, refusal
from unhub.server.distribution.push_token import SECONDS, mint, user_of

ANONYMOUS: Final = "anonymous"
SERVICE: Final = "unhub"
TOKEN_PATH: Final = "/token"  # noqa: S105 (a path)


@dataclass(frozen=True, slots=True)
class Access:
    """With ``push_password`` whoever knows it may push, as any user; without, anybody where only this machine can ask.

    Reads want nothing in any case. ``/v2/`` asks for a token where there is a push password, since docker, podman and
    skopeo send a password only where it does; strangers get a token that opens nothing, and pull with or without it.
    """

    push_password: str | None = field(default=None, repr=False)
    loopback_only: bool = True
    now: Callable[[], float] = time.time

    def visitor(self, scope: dict[str, Any]) -> None:
        """Whoever asks ``/v2/``. Raises :class:`Unauthorized` where a token could be had and none was sent."""
        if self.push_password is None:
            return
        kind, value = _authorization(scope)
        if kind == "bearer" or (kind == "basic" and self._user_of_basic(value) is not None):
            return
        raise Unauthorized("this registry also takes tokens", _challenge(scope))

    def writer(self, scope: dict[str, Any], repository: str = "") -> str:
        """Who pushes to or deletes from a repository. Raises :class:`ServeError` 401 or 403."""
        if self.push_password is None:
            if self.loopback_only:
                return ANONYMOUS
            message = "cannot push: this mirror listens to other machines and has no push password"
            raise ServeError(message, status=403, registry_code="DENIED", hint="Start it with --push-password-file")
        kind, value = _authorization(scope)
        user = self._user_of_basic(value) if kind == "basic" else None
        if kind == "bearer":
            user = user_of(value, self.push_password, self.now())
        if user is None:
            raise Unauthorized("cannot push without the push password", _challenge(scope, repository))
        return user

    async def token(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """``/token``: a token for whoever knows the push password, and one that opens nothing for strangers."""
        try:
            made = self._token(scope)
        except ServeError as error:
            made = refusal(error)
        await deliver(made, scope["method"], receive, send)

    def _token(self, scope: dict[str, Any]) -> Answer:
        if self.push_password is None:
            raise ServeError("there are no tokens here", status=404, registry_code="UNSUPPORTED")
        if scope["method"] not in ("GET", "HEAD"):
            raise NotAllowed("tokens are asked for by GET", ("GET", "HEAD"))
        kind, value = _authorization(scope)
        token = ANONYMOUS
        if kind == "basic":
            user = self._user_of_basic(value)
            if user is None:
                raise Unauthorized("cannot log in: the push password is another one", 'Basic realm="unhub", charset="UTF-8"')
            token = mint(user, self.push_password, self.now())
        body = b'{"token":"%s","expires_in":%d}' % (token.encode("ascii"), SECONDS)
        return answer(200, [JSON, (b"cache-control", b"no-store")], body)

    def _user_of_basic(self, value: str) -> str | None:
        user, password = _basic(value)
        known = self.push_password or ""
        return user if hmac.compare_digest(password.encode("utf-8"), known.encode("utf-8")) else None


def _authorization(scope: dict[str, Any]) -> tuple[str, str]:
    """The scheme, in lower case, and the rest of ``Authorization``; empty ones where there is none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, rest = value.decode("latin-1").partition(" ")
            return kind.lower(), rest.strip()
    return "", ""


def _basic(value: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def _challenge(scope: dict[str, Any], repository: str = "") -> str:
    """Where a token is had: under the name by which this server was asked."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b":authority")), "localhost")
    plain = "".join(char for char in host if char.isalnum() or char in "-.:[]_")
    wanted = f',scope="repository:{repository}:pull,push"' if repository else ""
    return f'Bearer realm="{scope["scheme"]}://{plain}{TOKEN_PATH}",service="{SERVICE}"{wanted}'
