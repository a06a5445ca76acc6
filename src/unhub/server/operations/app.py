"""``/_unhub/`` as a plain ASGI callable.

No framework: there are a dozen routes without parameters in their paths, all of them JSON, and a worker that serves only
``/v2/`` should not load one for these. Everything that changes something wants the admin token; there is no CORS, so that no
page in a browser can read an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qs

import msgspec

from unhub import __version__
from unhub.image.errors import ServeError, UnhubError
from unhub.server.operations.access import has_token, is_local
from unhub.server.operations.actions import Actions, Operate, bad, failed, read_digest, told

BODY_MAX: Final = 64 * 1024
"""Bytes of the largest body that is read."""

REASON_MAX: Final = 1000
"""Characters of the longest reason of a block."""

PLATFORMS_MAX: Final = 32

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Reload = Callable[[], Awaitable[None] | None]
T = TypeVar("T")


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body that refuses what it does not know."""


class Purge(_Row, frozen=True):
    """A reference, or a digest."""

    what: str


class BlockDigest(_Row, frozen=True):
    """A digest, and why it must not be served."""

    digest: str
    reason: str


class OneDigest(_Row, frozen=True):
    """A digest."""

    digest: str


class Pin(_Row, frozen=True):
    """A reference or a glob."""

    pattern: str


class Warm(_Row, frozen=True):
    """An image by reference, for platforms such as ``linux/arm64``, or ``all``."""

    reference: str
    platforms: list[str]


class Request:
    """One request: its query, and its body as what a route wants."""

    def __init__(self, scope: Message, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive

    def parameter(self, name: str) -> str:
        """A parameter of the query. Raises :class:`ServeError` (400) where it is missing."""
        value = self.optional(name)
        if value is None:
            raise bad(f"cannot answer without {name}=")
        return value

    def optional(self, name: str) -> str | None:
        """A parameter of the query, or ``None``. Raises :class:`ServeError` (400) where there are too many of them."""
        query = cast(bytes, self._scope.get("query_string", b""))
        try:
            values = parse_qs(query[:BODY_MAX].decode("ascii", "replace"), max_num_fields=20).get(name)
        except ValueError:
            raise bad("cannot read the query: it has more than 20 parameters") from None
        return values[0] if values else None

    async def read(self, kind: type[T]) -> T:
        """The body. Raises :class:`ServeError`: 413 where it is too large, 400 where it is something else."""
        body = b""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise bad("cannot read the body: the client left")
            body += cast(bytes, message.get("body", b""))
            if len(body) > BODY_MAX:
                raise ServeError(f"cannot take more than {BODY_MAX} bytes", status=413, registry_code="SIZE_INVALID")
            if not message.get("more_body"):
                break
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise bad(f"cannot read the body: {error}") from None


Answer = Mapping[str, object]
Handler = Callable[[Request], Awaitable[Answer]]


class OperationsApp:
    """ASGI for every path below ``/_unhub/``."""

    def __init__(
        self,
        actions: Actions,
        operate: Operate,
        *,
        token: str,
        answers: Callable[[], Mapping[str, int]],
        reload: Reload,
        open_status: bool = False,
        more: Mapping[str, Mapping[str, Handler]] | None = None,
    ) -> None:
        """``token`` is the admin token, ``answers`` counts of answers by cache state, ``open_status`` lets everybody see the status.

        ``more`` are further routes by path and method (:attr:`unhub.server.operations.identity_actions.IdentityActions.routes`).
        """
        self._actions = actions
        self._operate = operate
        self._token = token
        self._answers = answers
        self._reload = reload
        self._open_status = open_status
        self._routes: dict[str, Mapping[str, Handler]] = {
            "/_unhub/status": {"GET": self._status},
            "/_unhub/purge": {"POST": self._purge},
            "/_unhub/blocks": {"GET": self._blocks},
            "/_unhub/block": {"POST": self._block},
            "/_unhub/unblock": {"POST": self._unblock},
            "/_unhub/pins": {"GET": self._pins},
            "/_unhub/pin": {"POST": self._pin},
            "/_unhub/unpin": {"POST": self._unpin},
            "/_unhub/pulls": {"GET": self._pulls},
            "/_unhub/reload": {"POST": self._reload_now},
            **(more or {}),
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method, path = cast(str, scope["method"]), cast(str, scope["path"])
        try:
            self._check(scope, method, path)
            request = Request(scope, receive)
            if path == "/_unhub/warm":
                _only(method, ("POST",))
                await _stream(await self._warm(request), send)
                return
            answer = await self._handler(method, path)(request)
        except ServeError as error:
            await _say(send, error.status, failed(error), method)
        except UnhubError as error:
            await _say(send, 422, failed(error), method)
        else:
            await _say(send, 200, {"schema": 1, **answer}, method)

    def _handler(self, method: str, path: str) -> Handler:
        handlers = self._routes.get(path)
        if handlers is None:
            raise ServeError(f"cannot find {path[:100]}: there is no such operation", status=404, registry_code="UNSUPPORTED")
        _only(method, tuple(handlers))
        return handlers["GET" if method == "HEAD" else method]

    def _check(self, scope: Message, method: str, path: str) -> None:
        """Raise :class:`ServeError` (401) unless the caller may ask this."""
        if has_token(scope["headers"], self._token):
            return
        if path == "/_unhub/status" and method in ("GET", "HEAD") and (self._open_status or is_local(scope)):
            return
        raise ServeError(
            "cannot answer that to anybody: it needs the admin token",
            status=401,
            registry_code="UNAUTHORIZED",
            hint="Send `Authorization: Bearer …` with what the server wrote to admin.token in its data folder",
        )

    async def _status(self, request: Request) -> Answer:
        del request
        fetcher: Mapping[str, object] | None = None
        cause = None
        try:
            async for line in self._operate("status", {}):
                fetcher = line
        except ServeError as error:
            cause = error.message
        blocks, pins = await self._actions.blocks(), await self._actions.pins()
        counts = {"blocks": len(blocks), "pins": len(pins)}
        return {"version": __version__, "answers": dict(self._answers()), "policy": counts, "fetcher": fetcher, "fetcher_error": cause}

    async def _purge(self, request: Request) -> Answer:
        return {"purged": told(await self._actions.purge((await request.read(Purge)).what))}

    async def _blocks(self, request: Request) -> Answer:
        del request
        return {"blocks": [told(block) for block in await self._actions.blocks()]}

    async def _block(self, request: Request) -> Answer:
        asked = await request.read(BlockDigest)
        reason = asked.reason.strip()
        if not reason or len(reason) > REASON_MAX or not reason.isprintable():
            raise bad(f"cannot block without a reason: one line of 1 to {REASON_MAX} characters")
        return {"block": told(await self._actions.block(read_digest(asked.digest), reason))}

    async def _unblock(self, request: Request) -> Answer:
        digest = read_digest((await request.read(OneDigest)).digest)
        return {"digest": str(digest), "was_blocked": await self._actions.unblock(digest)}

    async def _pins(self, request: Request) -> Answer:
        del request
        return {"pins": await self._actions.pins()}

    async def _pin(self, request: Request) -> Answer:
        return {"pattern": await self._actions.pin((await request.read(Pin)).pattern)}

    async def _unpin(self, request: Request) -> Answer:
        pattern, was_pinned = await self._actions.unpin((await request.read(Pin)).pattern)
        return {"pattern": pattern, "was_pinned": was_pinned}

    async def _pulls(self, request: Request) -> Answer:
        digest = read_digest(request.parameter("digest"))
        return {"digest": str(digest), "pulls": [told(row) for row in await self._actions.pulls(digest)]}

    async def _reload_now(self, request: Request) -> Answer:
        del request
        done = self._reload()
        if done is not None:
            await done
        return {"reloading": True}

    async def _warm(self, request: Request) -> AsyncIterator[Mapping[str, object]]:
        asked = await request.read(Warm)
        if not 0 < len(asked.platforms) <= PLATFORMS_MAX or any(len(name) > 100 for name in asked.platforms):
            raise bad(f"cannot warm without platforms: 1 to {PLATFORMS_MAX} of them")
        referred = self._actions.referred(asked.reference)
        body = {"alias": referred.key.alias, "path": referred.key.path, "which": str(referred.which), "platforms": asked.platforms}
        return aiter(self._operate("warm", body))


def _only(method: str, allowed: tuple[str, ...]) -> None:
    if method not in allowed and not (method == "HEAD" and "GET" in allowed):
        raise ServeError(f"cannot {method} this: only {', '.join(allowed)}", status=405, registry_code="UNSUPPORTED")


async def _stream(lines: AsyncIterator[Mapping[str, object]], send: Send) -> None:
    """A line of JSON for each thing that is told; a failure before the first has its status, a later one is the last line."""
    first = await anext(lines, None)
    await send({"type": "http.response.start", "status": 200, "headers": _headers(b"application/x-ndjson")})
    line = first
    try:
        while line is not None:
            await send({"type": "http.response.body", "body": msgspec.json.encode(line) + b"\n", "more_body": True})
            line = await anext(lines, None)
    except UnhubError as error:
        await send({"type": "http.response.body", "body": msgspec.json.encode(failed(error)) + b"\n", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _say(send: Send, status: int, value: Mapping[str, object], method: str) -> None:
    body = msgspec.json.encode(value)
    headers = [*_headers(b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="unhub operations"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


def _headers(kind: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", kind), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
