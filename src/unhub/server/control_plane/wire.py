"""What comes in and goes out of the API: bodies that are bounded, and answers with AWS's headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from unhub.aws.sigv4_claim import SignedRequest
from unhub.image.errors import ApiRefused

Header = tuple[bytes, bytes]
Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

PATIENCE: Final = 30.0
"""Seconds without a byte after which a client is no longer waited for."""

BODY_SECONDS: Final = 300.0
"""Seconds that a whole body may take."""

LARGE: Final = 1 << 20
"""Bytes from which on a body is taken from the room that all of a worker's requests have together."""

ROOM: Final = 112 << 20
"""Bytes of all large bodies that a worker holds at a time: four whole layer parts, each of which takes about 75 MB."""


class ClientGone(Exception):
    """The client left before it had sent everything."""


class Room:
    """Bytes that large bodies may take, all together, until they are answered.

    Who finds no room is told to come again, as SDKs do by themselves.
    """

    def __init__(self, size: int = ROOM) -> None:
        self.left = size

    @contextmanager
    def share(self) -> Generator[Share]:
        """What one request has of it, given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.left += share.size


@dataclass(slots=True)
class Share:
    """What one request has of a room: ``size`` bytes so far."""

    room: Room
    size: int = 0

    def grow(self, size: int) -> None:
        """Have room for so many bytes. Raises :class:`ApiRefused` (503) where there is none; small bodies need none."""
        more = size - self.size if size > LARGE else 0
        if more > self.room.left:
            raise ApiRefused("Too many large requests at once. Please try again.", aws_code="ServiceUnavailable", status=503)
        self.room.left -= more
        self.size += more


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, body and content type."""

    status: int
    body: bytes
    content_type: bytes
    headers: tuple[Header, ...] = ()


async def read_body(receive: Receive, limit: int, share: Share) -> bytes:
    """The body. Raises :class:`ClientGone`, and :class:`ApiRefused`: too large (413), too slow (408), or no room (503)."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                piece, more = await _piece(receive)
                size += len(piece)
                if size > limit:
                    raise too_large(limit)
                share.grow(size)
                parts.append(piece)
                if not more:
                    return b"".join(parts)
    except TimeoutError:
        raise ApiRefused("The request took too long.", aws_code="RequestTimeoutException", status=408) from None


def is_small(scope: Message) -> bool:
    """Whether a request (ASGI) says that its body has at most :data:`LARGE` bytes."""
    said = header(scope, b"content-length")
    digits = said.lstrip("0")  # HTTP allows any number of zeros, the interpreter reads no number of thousands of digits
    return said.isascii() and said.isdigit() and len(digits) <= len(str(LARGE)) and int(digits or "0") <= LARGE


async def discard_body(receive: Receive, limit: int) -> None:
    """Read a body and keep nothing of it: who is still sending does not read the refusal."""
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while size <= limit:
                piece, more = await _piece(receive)
                size += len(piece)
                if not more:
                    return
    except TimeoutError:
        return


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    async with asyncio.timeout(PATIENCE):
        message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), bool(message.get("more_body"))


def too_large(limit: int) -> ApiRefused:
    """413: more than any valid request has."""
    return ApiRefused(f"Request must be smaller than {limit} bytes", aws_code="RequestEntityTooLargeException", status=413)


def headers_of(scope: Message) -> tuple[tuple[str, str], ...]:
    """The headers of a request (ASGI) as text."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])


def header(scope: Message, wanted: bytes) -> str:
    """The first header of a name in lower case; empty where there is none."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


def signed_request(scope: Message, body: bytes) -> SignedRequest:
    """A request (ASGI) as signatures are checked on it."""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return SignedRequest(scope["method"], path, query, headers_of(scope), body)


async def deliver(answer: Answer, request_id: str, method: str, send: Send) -> None:
    """Send an answer."""
    headers: list[Header] = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-amzn-requestid", request_id.encode("ascii")),
        (b"cache-control", b"no-store"),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
