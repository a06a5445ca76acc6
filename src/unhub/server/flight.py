"""A blob on its way, in a worker: one subscription to its progress and one open file for all who read it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

import aiohttp

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.server import wire
from unhub.server.wire import Asked, Line
from unhub.store.protocols import BlobStore
from unhub.store.records import RepositoryKey

PIECE: Final = 256 * 1024
"""Bytes that are read at once, at most."""

PIECES: Final = ((64, PIECE), (256, 128 * 1024), (512, 32 * 1024))
"""Readers up to a number, and their pieces. The server takes in about ten pieces before a slow client does, so that a crowd's are small."""

PIECE_MIN: Final = 8 * 1024

REUNITED: Final = 15.0
"""Seconds in which a flight must be found again after the fetcher went away."""


class Link:
    """The way to the fetcher for blobs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.readers = 0
        """How many read blobs that are on their way, in this worker."""

    @property
    def piece(self) -> int:
        """Bytes that a reader takes at once."""
        return next((size for readers, size in PIECES if self.readers <= readers), PIECE_MIN)

    async def subscribe(self, key: RepositoryKey, digest: Digest) -> tuple[aiohttp.ClientResponse, Line]:
        """Begin or join a flight: the open answer, to be closed, and its first line."""
        asked = wire.encode(Asked(key.alias, key.path, str(digest)))
        response = await self._session.post(wire.BLOB, data=asked, read_bufsize=2 * wire.LINE_MAX)
        try:
            return response, await next_line(response)
        except BaseException:
            response.close()
            raise

    async def stream(self, key: RepositoryKey, digest: Digest) -> aiohttp.ClientResponse:
        """The blob itself, kept nowhere."""
        return await self._session.post(wire.STREAM, data=wire.encode(Asked(key.alias, key.path, str(digest))))


async def next_line(response: aiohttp.ClientResponse) -> Line:
    """The next line. Raises :class:`aiohttp.ClientPayloadError` where there is none."""
    text = await response.content.readline()
    if not text.endswith(b"\n"):
        raise aiohttp.ClientPayloadError("the fetcher went away")
    return wire.line.decode(text)


class SharedFlight:
    """See :class:`unhub.mirror.pull.FlightView`."""

    def __init__(self, key: RepositoryKey, digest: Digest, link: Link, blobs: BlobStore, ended: Callable[[], None]) -> None:
        """``ended`` is called once no more readers may join."""
        self.digest = digest
        self._key = key
        self._link = link
        self._blobs = blobs
        self._when_ended = ended
        self._size: int | None = None
        self._descriptor: int | None = None
        self._published = 0
        self._complete = False
        self._no_space = False
        self._error: ServeError | None = None
        self._moved = asyncio.Event()
        self._readers = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """See the protocol."""
        if self._size is None:
            raise RuntimeError("the flight has not begun")
        return self._size

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: it is complete, or failed."""
        return self._complete or self._error is not None

    async def begin(self) -> None:
        """Ask for it; afterwards the size is known. Raises :class:`ServeError`, or what a lost connection raises."""
        response, first = await self._link.subscribe(self._key, self.digest)
        try:
            await self._begin(first)
        except BaseException:
            response.close()
            self._end()
            raise
        if self._no_space or self._complete:
            response.close()
            self._end()
        else:
            self._task = asyncio.ensure_future(self._follow(response))

    async def _begin(self, first: Line) -> None:
        if first.failed is not None:
            raise first.failed.error()
        if first.no_space or first.path is None:
            self._no_space = True
            self._size = await self._size_of_stream()
        else:
            self._size = first.size
            await self._open(Path(first.path))
            self._take(first)

    def close(self) -> None:
        """End the subscription; readers fail."""
        if self._task is not None:
            self._task.cancel()
        self._fail(ServeError("the server is ending", status=503, registry_code="UNAVAILABLE", retry_after=1.0))

    async def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """See the protocol."""
        end = self.size if end is None else min(end, self.size)
        self._readers += 1
        self._link.readers += 1
        try:
            at = start
            while at < end:
                ready = await self._ready(at)
                if self._no_space:
                    async for piece in self._passed_on(at, end):
                        yield piece
                    return
                if self._descriptor is None and self._complete:  # it ended before anybody read, and the file was closed
                    await self._is_stored()
                piece = self._piece(at, min(ready, end))
                yield piece
                at += len(piece)
        finally:
            self._readers -= 1
            self._link.readers -= 1
            self._release()

    async def _ready(self, at: int) -> int:
        """How many bytes may be read, as soon as that is more than ``at``."""
        while self._published <= at and not self._no_space:
            if self._error is not None:
                raise self._error
            await self._moved.wait()
        return self._published

    def _piece(self, at: int, ready: int) -> bytes:
        """Bytes that are surely in the page cache, so that no thread is needed for them."""
        if self._descriptor is None:
            raise self._error or _lost(self.digest)
        piece = os.pread(self._descriptor, min(self._link.piece, ready - at), at)
        if not piece:
            raise self._error or _lost(self.digest)
        return piece

    async def _passed_on(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """The rest of a blob for which there is no space: from an answer of its own, from its first byte on."""
        async with await self._link.stream(self._key, self.digest) as response:
            if response.status != 200:
                raise _lost(self.digest)
            at = 0
            try:
                async for chunk in response.content.iter_chunked(PIECE):
                    piece = chunk[max(start - at, 0) : max(end - at, 0)]
                    at += len(chunk)
                    if piece:
                        yield piece
                    if at >= end:
                        return
            except aiohttp.ClientError:
                raise _lost(self.digest) from None
        if at < end:
            raise _lost(self.digest)

    async def _size_of_stream(self) -> int:
        async with await self._link.stream(self._key, self.digest) as response:
            if response.status != 200:
                raise ((await next_line(response)).failed or _failure(self.digest)).error()
            size = response.content_length
            response.close()
        if size is None:
            raise _lost(self.digest)
        return size

    async def _follow(self, response: aiohttp.ClientResponse) -> None:
        """Take in lines until the flight ends; find it again where the fetcher goes away."""
        following: aiohttp.ClientResponse | None = response
        try:
            while following is not None:
                try:
                    while not self.ended and not self._no_space:
                        self._take(await next_line(following))
                    following.close()
                    following = None
                except (aiohttp.ClientError, OSError):
                    following.close()
                    following = await self._again()
        finally:
            if following is not None:
                following.close()
            if not self._complete and not self._no_space:
                self._fail(_lost(self.digest))
            self._end()

    async def _again(self) -> aiohttp.ClientResponse | None:
        """Join the flight that the next fetcher goes on with; ``None`` where the blob is complete, or it cannot be."""
        loop = asyncio.get_running_loop()
        until = loop.time() + REUNITED
        while loop.time() < until:
            await asyncio.sleep(0.1)
            if await self._is_stored():
                return None
            try:
                response, first = await self._link.subscribe(self._key, self.digest)
            except (aiohttp.ClientError, OSError):
                continue
            if first.failed is None and not first.no_space and first.path is not None and self._same_file(Path(first.path)):
                self._take(Line(published=max(first.published, self._published)))
                return response
            response.close()
            if await self._is_stored():
                return None
            self._no_space = first.no_space
            self._move()
            return None
        return None

    async def _is_stored(self) -> bool:
        """Whether the file that is open here became the blob."""
        info = await self._blobs.stat(self.digest)
        if info is None or info.size != self._size:
            return False
        if info.path is not None and not self._same_file(info.path):
            await self._open(info.path)
        self._published, self._complete = info.size, True
        self._move()
        return True

    def _same_file(self, path: Path) -> bool:
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), path.stat())
        except OSError:
            return False

    async def _open(self, path: Path) -> None:
        """Open the growing file, or the blob that it became meanwhile."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            info = await self._blobs.stat(self.digest)
            if info is None or info.path is None:
                raise ConnectionResetError("the flight ended before it was joined") from None
            descriptor = os.open(info.path, os.O_RDONLY | os.O_CLOEXEC)
            self._size, self._published, self._complete = info.size, info.size, True
        if self._descriptor is not None:
            os.dup2(descriptor, self._descriptor, inheritable=False)
            os.close(descriptor)
        else:
            self._descriptor = descriptor

    def _take(self, line: Line) -> None:
        if line.failed is not None:
            self._fail(line.failed.error())
            return
        self._published = max(self._published, line.published)
        self._complete = self._complete or line.done
        self._no_space = self._no_space or line.no_space
        self._move()

    def _fail(self, error: ServeError) -> None:
        if not self.ended:
            self._error = error
            self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _end(self) -> None:
        self._when_ended()
        self._release()

    def _release(self) -> None:
        """Close the file once nobody reads it, and nobody will."""
        over = self.ended or self._no_space
        if over and not self._readers and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _failure(digest: Digest) -> wire.Failed:
    return wire.Failed(f"cannot go on with {digest}: the transfer broke off", 503, "UNAVAILABLE", 1.0)


def _lost(digest: Digest) -> ServeError:
    return _failure(digest).error()
