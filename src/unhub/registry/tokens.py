"""Tokens: what a token service gives out, how long it holds, and one fetch at a time for each."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import msgspec

from unhub.image.errors import AccessRefused, BadAnswer, LimitKind, RegistryError
from unhub.registry.credential import IDENTITY_TOKEN, Credential
from unhub.registry.exchange import Answer, Request
from unhub.registry.limits import limit_kind

BODY_MAX: Final = 64 * 1024
"""Bytes of the largest answer of a token service that is read."""

SECONDS_DEFAULT: Final = 60.0
"""How long a token holds whose service does not say (distribution's token specification)."""

SECONDS_MAX: Final = 24 * 3600.0
KEPT_MAX: Final = 4096
"""Tokens that are kept at a time; more scopes than that are asked for again."""

_SENDABLE = re.compile(r"[\x21-\x7e]{1,32768}")


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """What a token is for. Equal wishes share one token; ``rejected`` is a token that does not do, and is no part of the wish."""

    realm: str
    service: str | None
    scope: str | None
    credential: Credential | None = field(default=None, repr=False)
    rejected: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and for how many seconds from when it came it holds."""

    value: str = field(repr=False)
    seconds: float = SECONDS_DEFAULT


class LoginRefused(AccessRefused):
    """A token service does not take the stored login; without it, public images may still be had."""

    code = "login-refused"


class LoginsLimited(LoginRefused):
    """A token service has seen too many failed logins, and takes none for some minutes."""


class _Document(msgspec.Struct, frozen=True):
    token: str | None = None
    access_token: str | None = None
    expires_in: object = None


def basic(credential: Credential) -> str:
    """The value of ``Authorization`` for a user name and password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{credential.username}:{credential.secret}".encode("utf-8", "surrogateescape")).decode()


def fetch_token(wanted: TokenWanted) -> Generator[Request, Answer, Token]:
    """Ask a token service: yields the one request, is sent its answer, returns the token.

    Raises :class:`LoginRefused` where the login is not taken, :class:`BadAnswer` for an answer that is no
    token, and the answer's own error otherwise. Redirects are not followed: they would carry the login away.
    """
    answer = yield _request(wanted)
    host = _host(wanted)
    login = wanted.credential is not None
    if login and answer.status == 429 and limit_kind(answer) is LimitKind.LOGINS:
        raise LoginsLimited(f"cannot log in at {host}: too many failed logins", host=host, status=429)
    if login and answer.status in (400, 401, 403):
        raise LoginRefused(f"cannot log in at {host}: it refused the login ({answer.status})", host=host, status=answer.status)
    if 300 <= answer.status < 400:
        raise BadAnswer(f"cannot get a token from {host}: it redirects elsewhere, which is not followed", host=host, status=answer.status)
    if answer.status != 200:
        raise _failed(answer, host)
    return _read(answer, host)


def _request(wanted: TokenWanted) -> Request:
    credential = wanted.credential
    fields = {name: value for name, value in (("service", wanted.service), ("scope", wanted.scope)) if value}
    accept = {"Accept": "application/json"}
    if credential is not None and credential.username == IDENTITY_TOKEN:
        form = {"grant_type": "refresh_token", "client_id": "unhub", **fields, "refresh_token": credential.secret}
        return Request(
            "POST",
            wanted.realm,
            {**accept, "Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form, errors="surrogateescape").encode("ascii"),
        )
    glue = "&" if "?" in wanted.realm else "?"
    url = wanted.realm + (glue + urlencode(fields, safe=":/,*") if fields else "")
    return Request("GET", url, accept if credential is None else {**accept, "Authorization": basic(credential)})


def _host(wanted: TokenWanted) -> str:
    return wanted.realm.partition("://")[2].partition("/")[0].partition("?")[0]


def _failed(answer: Answer, host: str) -> RegistryError:
    from unhub.registry.failures import failure

    return failure(answer, action="get a token", place=host, host=host)


def _read(answer: Answer, host: str) -> Token:
    try:
        document = msgspec.json.decode(answer.body, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        what = "a web page" if answer.is_web_page else "something that is no token"
        raise BadAnswer(f"cannot get a token from {host}: it answered with {what}", host=host, status=answer.status) from None
    value = document.token or document.access_token
    if not value or not _SENDABLE.fullmatch(value):
        raise BadAnswer(f"cannot get a token from {host}: its answer has none that can be sent", host=host, status=answer.status)
    return Token(value, _seconds(document.expires_in) or _seconds(_own_life(value)) or SECONDS_DEFAULT)


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return min(float(value), SECONDS_MAX)
    return None


class _Expiring(msgspec.Struct, frozen=True):
    expiration: float


def _own_life(token: str) -> float | None:
    """Seconds that a token says it holds: ECR Public's are base64 of JSON with ``expiration`` (ecr-public.md, 2.2)."""
    try:
        return msgspec.json.decode(base64.b64decode(token, validate=True), type=_Expiring).expiration - time.time()
    except (ValueError, msgspec.MsgspecError):
        return None


class TokenStore:
    """Tokens that were fetched, each used for four fifths of its life, and fetched once however many wait for it."""

    def __init__(self, fetch: Callable[[TokenWanted], Awaitable[Token]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[TokenWanted, tuple[Token, float]] = {}
        self._coming: dict[TokenWanted, asyncio.Task[Token]] = {}

    async def get(self, wanted: TokenWanted) -> Token:
        """A token that holds. A waiter that is cancelled takes the fetch away from nobody else."""
        kept = self._kept.get(wanted)
        if kept is not None and self._clock() < kept[1] and kept[0].value != wanted.rejected:
            return kept[0]
        task = self._coming.get(wanted)
        if task is None:
            task = asyncio.ensure_future(self._bring(wanted))
            self._coming[wanted] = task
            task.add_done_callback(_look)
        return await asyncio.shield(task)

    def values(self) -> tuple[str, ...]:
        """The tokens that are kept, so that they can be cut out of texts."""
        return tuple(token.value for token, _ in self._kept.values())

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._coming.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring(self, wanted: TokenWanted) -> Token:
        try:
            token = await self._fetch(wanted)
            while len(self._kept) >= KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[wanted] = (token, self._clock() + 0.8 * token.seconds)
            return token
        finally:
            self._coming.pop(wanted, None)


def _look(task: asyncio.Task[Token]) -> None:
    """Take note of a failure that nobody may be left to hear of."""
    if not task.cancelled():
        task.exception()
