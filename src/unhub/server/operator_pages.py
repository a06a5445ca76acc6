"""Health and metrics: small pages for load balancers, monitors and people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from unhub.image.errors import ServeError
from unhub.server.counters import Counters
from unhub.server.fetcher_client import FetcherClient
from unhub.server.metrics import CONTENT_TYPE, rendered
from unhub.server.operations.access import has_token, is_local
from unhub.server.record import Recorder
from unhub.server.watch import Watcher
from unhub.store.protocols import MetadataStore

Send = Callable[[dict[str, Any]], Awaitable[None]]

PATIENCE: Final = 1.0
"""Seconds that the fetcher has to tell of itself."""

TEXT: Final = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: bytes
    kind: bytes = TEXT
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """Where the metrics come from."""

    counters: Counters
    fetcher: FetcherClient
    metadata: MetadataStore
    recorder: Recorder

    async def page(self) -> bytes:
        """The metrics of this node; those of the fetcher are left out where it does not tell them in time."""
        try:
            async with asyncio.timeout(PATIENCE):
                status = await self.fetcher.status()
        except (TimeoutError, ServeError):
            status = None
        try:
            cache_bytes = await self.metadata.eviction.usage()
        except SQLAlchemyError:
            cache_bytes = None
        return await asyncio.to_thread(rendered, self.counters.totals(), status, cache_bytes, self.recorder.failures)


class OperatorPages:
    """``/healthz``, ``/readyz``, ``/metrics`` and ``/``; anything else is not found."""

    def __init__(self, watcher: Watcher, metadata: MetadataStore, figures: Figures, *, token: str | None) -> None:
        """``token`` is wanted for the metrics, unless this machine asks; ``None`` leaves them open."""
        self._watcher = watcher
        self._metadata = metadata
        self._figures = figures
        self._token = token

    async def __call__(self, scope: dict[str, Any], receive: object, send: Send) -> None:
        """One request (ASGI 3)."""
        del receive
        status, page = await self._page(scope)
        await _answer(scope, send, status, page)

    async def _page(self, scope: dict[str, Any]) -> tuple[int, Page]:
        if scope["method"] not in ("GET", "HEAD"):
            return 405, Page(b"only GET and HEAD\n", headers=((b"allow", b"GET, HEAD"),))
        match scope["path"]:
            case "/healthz":
                return 200, Page(b"ok\n")
            case "/readyz":
                trouble = await self._trouble()
                return (503 if trouble else 200), Page(f"{trouble or 'ready'}\n".encode())
            case "/metrics":
                if self._token is not None and not is_local(scope) and not has_token(scope["headers"], self._token):
                    challenge = (b"www-authenticate", b'Bearer realm="unhub"')
                    return 401, Page(b"the admin token is wanted here, or --open-metrics\n", headers=(challenge,))
                return 200, Page(await self._figures.page(), CONTENT_TYPE)
            case "/":
                return 200, Page(b"This is unhub, a mirror of container images. The registry is below /v2/.\n")
            case _:
                return 404, Page(b"there is nothing here\n")

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


async def _answer(scope: dict[str, Any], send: Send, status: int, page: Page) -> None:
    fixed = [(b"content-type", page.kind), (b"content-length", str(len(page.body)).encode()), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *page.headers]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page.body})
