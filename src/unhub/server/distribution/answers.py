"""What is answered, and how it goes out: status, headers, and a body of bytes, a file, or a stream."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from unhub.image.digest import Digest
from unhub.image.errors import UnhubError
from unhub.server.distribution.files import SMALL_PIECE, read_file

Header = tuple[bytes, bytes]
Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

VERSION: Final[Header] = (b"docker-distribution-api-version", b"registry/2.0")
JSON: Final[Header] = (b"content-type", b"application/json")
NOTHING: Final[Header] = (b"content-length", b"0")

WARNING_MAX: Final = 4096
"""Bytes of all warnings of an answer (distribution specification, "Warnings")."""


@dataclass(slots=True)
class Answer:
    """An answer: one of ``body`` (bytes), ``path`` (a file to send whole) and ``stream``.

    ``size`` is the length in bytes of what is sent for a GET; it stands in ``Content-Length`` of a HEAD too.
    """

    status: int
    headers: list[Header] = field(default_factory=list[Header])
    body: bytes = b""
    path: Path | None = None
    stream: AsyncGenerator[bytes] | None = None
    size: int = 0


def answer(status: int, headers: Sequence[Header] = (), body: bytes = b"") -> Answer:
    """An answer with a body in memory. A 204 and a 304 have neither body nor length (RFC 9110, 8.6)."""
    length = [] if status in (204, 304) else [(b"content-length", b"%d" % len(body))]
    return Answer(status, [*length, VERSION, *headers], body, size=len(body))


def content_digest(digest: Digest) -> list[Header]:
    """The headers that name content by its digest."""
    text = str(digest).encode("ascii")
    return [(b"docker-content-digest", text), (b"etag", b'"%s"' % text)]


def location(path: str) -> Header:
    """``Location``, relative to the host: behind a proxy nobody here knows its name."""
    return (b"location", path.encode("ascii"))


def retry_after(seconds: float) -> Header:
    """``Retry-After`` in whole seconds, never too early."""
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))


def warning(text: str) -> Header:
    """The specification's own channel for what people should know; one line of ASCII, bounded."""
    plain = "".join(character if " " <= character <= "~" and character not in '"\\' else "'" for character in text)
    room = WARNING_MAX - len('299 - ""')
    return (b"warning", b'299 - "%s"' % plain[:room].encode("ascii"))


def stale_warning(age: float | None, reason: str) -> Header:
    """Says that something outdated is served, how old it is, and why."""
    old = "" if age is None else f", age {_age(age)}"
    return warning(f"served stale{old}: {reason}")


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"


def matches(headers: Sequence[Header], digest: Digest) -> bool:
    """Whether ``If-None-Match`` names the content that would be sent (RFC 9110, 13.1.2)."""
    for name, value in headers:
        if name == b"if-none-match":
            wanted = str(digest).encode("ascii")
            if any(one.strip().removeprefix(b"W/").strip(b'"') in (wanted, b"*") for one in value.split(b",")):
                return True
    return False


async def always() -> bool:
    """The server may be handed as many files as there are clients."""
    return True


async def deliver(answer: Answer, method: str, receive: Receive, send: Send, enter: Callable[[], Awaitable[bool]] = always) -> None:
    """Send an answer. A stream that fails, or ends early, leaves the connection cut instead of ended.

    ``enter`` says, perhaps after a while, whether the server may read a file itself, which is quick and takes more memory.
    """
    if answer.path is not None and method != "HEAD" and answer.size > SMALL_PIECE and not await enter():
        answer.stream, answer.path = read_file(answer.path, 0, answer.size, SMALL_PIECE), None
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if method == "HEAD" or (answer.path is None and answer.stream is None):
            await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
        elif answer.path is not None:
            await send({"type": "http.response.pathsend", "path": str(answer.path)})
        elif answer.stream is not None:
            await _stream(answer.stream, answer.size, receive, send)
    finally:
        if answer.stream is not None:
            await answer.stream.aclose()


async def _stream(pieces: AsyncGenerator[bytes], size: int, receive: Receive, send: Send) -> None:
    """Send until everything is out or the client has gone: who sends to a client that left is not told so."""
    sending = asyncio.ensure_future(_pump(pieces, size, send))
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, gone):
            task.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)
    if not sending.cancelled():
        sending.result()


async def _pump(pieces: AsyncGenerator[bytes], size: int, send: Send) -> None:
    """The server cuts the connection where a body's last message is missing; so it does here on any failure."""
    sent = 0
    try:
        async with aclosing(pieces):
            await send({"type": "http.response.body", "body": b"", "more_body": True})  # the headers go out at once
            async for piece in pieces:
                sent += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    except (UnhubError, OSError):
        return
    if sent == size:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
