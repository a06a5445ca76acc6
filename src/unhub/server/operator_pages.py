"""Health and metrics: small pages for load balancers, monitors and people."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from unhub.image.errors import ServeError
from unhub.server.counters import Counters
from unhub.server.fetcher_client import FetcherClient
from unhub.server.metrics import CONTENT_TYPE, rendered
from unhub.server.record import Recorder
from unhub.server.watch import Watcher
from unhub.store.protocols import MetadataStore

Send = Callable[[dict[str, Any]], Awaitable[None]]

PATIENCE: Final = 1.0
"""Seconds that the fetcher has to tell of itself."""

TEXT: Final = b"text/plain; charset=utf-8"


class OperatorPages:
    """``/healthz``, ``/readyz``, ``/metrics`` and ``/``; anything else is not found."""

    def __init__(
        self, watcher: Watcher, fetcher: FetcherClient, metadata: MetadataStore, counters: Counters, recorder: Recorder, *, token: str | None
    ) -> None:
        """``token`` is wanted for the metrics; ``None`` leaves them open."""
        self._watcher = watcher
        self._fetcher = fetcher
        self._metadata = metadata
        self._counters = counters
        self._recorder = recorder
        self._token = token

    async def __call__(self, scope: dict[str, Any], receive: object, send: Send) -> None:
        """One request (ASGI 3)."""
        del receive
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(scope, send, 405, TEXT, b"only GET and HEAD\n", [(b"allow", b"GET, HEAD")])
            return
        match scope["path"]:
            case "/healthz":
                await _answer(scope, send, 200, TEXT, b"ok\n")
            case "/readyz":
                trouble = await self._trouble()
                await _answer(scope, send, 503 if trouble else 200, TEXT, f"{trouble or 'ready'}\n".encode())
            case "/metrics":
                if self._token is not None and not is_bearer(scope, self._token):
                    challenge = [(b"www-authenticate", b'Bearer realm="unhub"')]
                    await _answer(scope, send, 401, TEXT, b"the admin token is wanted here, or --open-metrics\n", challenge)
                else:
                    await _answer(scope, send, 200, CONTENT_TYPE, await self._metrics())
            case "/":
                await _answer(scope, send, 200, TEXT, b"This is unhub, a mirror of container images. The registry is below /v2/.\n")
            case _:
                await _answer(scope, send, 404, TEXT, b"there is nothing here\n")

    async def _trouble(self) -> str | None:
        """Why no requests should be sent here, ``None`` where they may."""
        if not self._watcher.hears:
            return "the database has not been read for 5 s"
        try:
            async with asyncio.timeout(PATIENCE):
                await self._metadata.changes.generation()
        except (TimeoutError, SQLAlchemyError, OSError):
            return "the database cannot be read"
        return None

    async def _metrics(self) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE):
                status = await self._fetcher.status()
        except (TimeoutError, ServeError):
            status = None
        try:
            cache_bytes = await self._metadata.eviction.usage()
        except SQLAlchemyError:
            cache_bytes = None
        return await asyncio.to_thread(rendered, self._counters.totals(), status, cache_bytes, self._recorder.failures)


def is_bearer(scope: dict[str, Any], token: str) -> bool:
    """Whether a request carries the token, compared in constant time."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, given = value.partition(b" ")
            return kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode())
    return False


async def _answer(
    scope: dict[str, Any], send: Send, status: int, kind: bytes, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fixed = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *(headers or [])]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
