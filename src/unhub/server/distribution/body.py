"""Reading what a client sends: bounded in bytes, and in time between two of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from unhub.image.errors import ServeError
from unhub.server.distribution.answers import Receive
from unhub.server.distribution.request import Request

PATIENCE: Final = 60.0
"""Seconds without a byte after which a client is no longer waited for."""


class ClientGone(Exception):
    """The client left before it had sent everything."""


async def pieces(receive: Receive, *, patience: float = PATIENCE) -> AsyncGenerator[bytes]:
    """The body as it comes. Raises :class:`ClientGone`, and :class:`ServeError` 408 where nothing comes any more."""
    while True:
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            raise ServeError("cannot wait any longer for the body", status=408, registry_code="SIZE_INVALID") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message["body"]:
            yield message["body"]
        if not message.get("more_body"):
            return


async def whole(request: Request, limit: int, what: str) -> bytes:
    """The body in memory. Raises :class:`ServeError` 413 for more than ``limit`` bytes, before they are read where that is said."""
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(what, limit)
    parts: list[bytes] = []
    size = 0
    async for piece in pieces(request.receive):
        size += len(piece)
        if size > limit:
            raise _too_large(what, limit)
        parts.append(piece)
    return b"".join(parts)


def _too_large(what: str, limit: int) -> ServeError:
    return ServeError(f"cannot take {what}: it is larger than {limit} bytes", status=413, registry_code="SIZE_INVALID")
