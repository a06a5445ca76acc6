"""Blobs: ``GET``, ``HEAD`` and ``DELETE /v2/<name>/blobs/<digest>``; whole, in part, or on their way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from unhub.image.digest import Digest
from unhub.image.errors import ServeError, UnhubError
from unhub.mirror.pull import BlobAnswer, FlightView, Pull
from unhub.mirror.push import Push
from unhub.server.distribution.answers import VERSION, Answer, Header, answer, content_digest, matches
from unhub.server.distribution.errors import parse_digest
from unhub.server.distribution.files import read_file
from unhub.server.distribution.ranges import parse_range
from unhub.server.distribution.request import Request
from unhub.store.protocols import BlobStore
from unhub.store.records import BlobInfo

FIRST_PIECE: Final = 10.0
"""Seconds to wait for the first byte of a flight before the headers go out: until then a failure is an answer, and no cut."""


class Blobs:
    """Answers with blobs."""

    def __init__(self, pull: Pull, push: Push, store: BlobStore) -> None:
        self._pull = pull
        self._push = push
        self._store = store

    async def get(self, request: Request) -> tuple[Answer, BlobAnswer]:
        """A blob or a range of it, for GET and HEAD, and where it comes from. Raises :class:`ServeError`."""
        digest = parse_digest(request.route.reference)
        name = request.repository
        asked = self._pull.blob_size if request.method == "HEAD" else self._pull.blob
        found = await asked(name.key, digest)
        headers = content_digest(digest)
        if name.namespace is not None:
            headers.append((b"oci-namespace", name.namespace.encode("ascii")))
        if matches(request.headers, digest):
            return answer(304, headers), found
        size = _size(found)
        part = parse_range(_range_header(request, digest), size)
        start, end = part or (0, size)
        about: list[Header] = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % (end - start)),
            (b"accept-ranges", b"bytes"),
            VERSION,
            *headers,
        ]
        if part is not None:
            about.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size)))
        made = Answer(200 if part is None else 206, about, size=end - start)
        if request.method != "HEAD":
            await self._fill(made, found, digest, (start, end), request.scope)
        return made, found

    async def delete(self, request: Request) -> Answer:
        """Take a blob out of an own repository. Raises :class:`ServeError`."""
        await self._push.delete_blob(request.repository.key, parse_digest(request.route.reference))
        return answer(202)

    async def _fill(self, made: Answer, found: BlobAnswer, digest: Digest, part: tuple[int, int], scope: dict[str, Any]) -> None:
        start, end = part
        if found.flight is not None:
            made.stream = await begun(found.flight, start, end)
            return
        info = found.stored or BlobInfo(0)
        if info.path is not None and (start, end) == (0, info.size) and "http.response.pathsend" in scope.get("extensions", {}):
            made.path = info.path
        elif info.path is not None:
            made.stream = read_file(info.path, start, end)
        else:
            made.stream = self._read(digest, start, end)

    async def _read(self, digest: Digest, start: int, end: int) -> AsyncGenerator[bytes]:
        async with self._store.open(digest, start, end) as pieces:
            async for piece in pieces:
                yield piece


async def begun(flight: FlightView, start: int, end: int, *, patience: float = FIRST_PIECE) -> AsyncGenerator[bytes]:
    """The bytes of a flight, once the first are there or ``patience`` (seconds) is over.

    Raises :class:`ServeError` where it fails before that.
    """
    pieces = flight.read(start, end)
    first = asyncio.ensure_future(_next(pieces))
    try:
        done, _ = await asyncio.wait({first}, timeout=patience)
        if done:
            first.result()
    except BaseException as error:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await pieces.aclose()
        if isinstance(error, ServeError) or not isinstance(error, (UnhubError, OSError)):
            raise
        raise ServeError(f"cannot fetch it now: {error}", status=503, registry_code="UNAVAILABLE", retry_after=1) from None
    return _rest(first, pieces)


async def _next(pieces: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(pieces, None)


async def _rest(first: asyncio.Task[bytes | None], pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(pieces):
        try:
            piece = await first
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        while piece is not None:
            yield piece
            piece = await anext(pieces, None)


def _size(found: BlobAnswer) -> int:
    if found.stored is not None:
        return found.stored.size
    size = None if found.flight is None else found.flight.size
    if size is None:
        raise ServeError("cannot serve it yet: its size is not known", status=503, registry_code="UNAVAILABLE", retry_after=1)
    return size


def _range_header(request: Request, digest: Digest) -> bytes | None:
    """``Range``, unless ``If-Range`` names other content (RFC 9110, 13.1.5)."""
    condition = request.header(b"if-range")
    if condition is not None and condition.strip(b'"') != str(digest).encode("ascii"):
        return None
    return request.header(b"range")
