"""Who may push, in mode ``open``: pulls are anybody's (docs/contracts.md, how a name is understood)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from unhub.image.errors import ServeError
from unhub.mirror.names import UnknownRepository
from unhub.server.distribution.answers import JSON, Answer, Receive, Send, answer, deliver
from unhub.server.distribution.credentials import asked_at, authorization, basic
from unhub.server.distribution.errors import NotAllowed, Unauthorized, refusal
from unhub.server.distribution.note import Note
from unhub.server.distribution.push_token import SECONDS, mint, user_of
from unhub.server.distribution.request import Request

ANONYMOUS: Final = "anonymous"
SERVICE: Final = "unhub"
TOKEN_PATH: Final = "/token"  # noqa: S105 (a path)


@dataclass(frozen=True, slots=True)
class OpenAccess:
    """With ``push_password`` whoever knows it may push, as any user; without, anybody where only this machine can ask.

    Reads want nothing in any case. ``/v2/`` asks for a token where there is a push password, since docker, podman and
    skopeo send a password only where it does; strangers get a token that opens nothing, and pull with or without it.
    """

    push_password: str | None = field(default=None, repr=False)
    loopback_only: bool = True
    now: Callable[[], float] = time.time

    def knows(self, scope: dict[str, Any], note: Note | None) -> bool:
        """Nobody is asked who they are to pull."""
        return True

    def admit(self, scope: dict[str, Any], note: Note | None) -> None:
        """Nobody is turned away at the door."""

    async def check(self, request: Request) -> None:
        """Whatever has a handler may be asked."""

    def unknown(self, error: UnknownRepository) -> ServeError:
        """In our own words."""
        return ServeError(error.message, status=404, registry_code="NAME_UNKNOWN", hint=error.hint)

    def refused(self, error: ServeError) -> Answer:
        """In the specification's form."""
        return refusal(error)

    async def explained(self, error: ServeError, request: Request | None) -> ServeError:
        """In our own words, as it was raised."""
        return error

    def visitor(self, scope: dict[str, Any]) -> None:
        """Whoever asks ``/v2/``. Raises :class:`Unauthorized` where a token could be had and none was sent."""
        if self.push_password is None:
            return
        kind, value = authorization(scope["headers"])
        if kind == "bearer" or (kind == "basic" and self._user_of_basic(value) is not None):
            return
        raise Unauthorized("this registry also takes tokens", _challenge(scope))

    async def writer(self, request: Request) -> str:
        """See the protocol; 401 or 403."""
        scope = request.scope
        if self.push_password is None:
            if self.loopback_only:
                return ANONYMOUS
            message = "cannot push: this mirror listens to other machines and has no push password"
            raise ServeError(message, status=403, registry_code="DENIED", hint="Start it with --push-password-file")
        kind, value = authorization(scope["headers"])
        user = self._user_of_basic(value) if kind == "basic" else None
        if kind == "bearer":
            user = user_of(value, self.push_password, self.now())
        if user is None:
            raise Unauthorized("cannot push without the push password", _challenge(scope, request.repository.written))
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
        kind, value = authorization(scope["headers"])
        token = ANONYMOUS
        if kind == "basic":
            user = self._user_of_basic(value)
            if user is None:
                raise Unauthorized("cannot log in: the push password is another one", 'Basic realm="unhub", charset="UTF-8"')
            token = mint(user, self.push_password, self.now())
        body = b'{"token":"%s","expires_in":%d}' % (token.encode("ascii"), SECONDS)
        return answer(200, [JSON, (b"cache-control", b"no-store")], body)

    def _user_of_basic(self, value: str) -> str | None:
        user, password = basic(value)
        known = self.push_password or ""
        return user if hmac.compare_digest(password.encode("utf-8"), known.encode("utf-8")) else None


def _challenge(scope: dict[str, Any], repository: str = "") -> str:
    """Where a token is had."""
    wanted = f',scope="repository:{repository}:pull,push"' if repository else ""
    return f'Bearer realm="{asked_at(scope, TOKEN_PATH)}",service="{SERVICE}"{wanted}'
