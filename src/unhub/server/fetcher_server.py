"""The fetcher's side of the Unix socket: questions of workers, and how far blobs are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, ServeError
from unhub.mirror.blobs import BlobFlight, NoSpace
from unhub.mirror.fetcher import Fetcher
from unhub.mirror.source import Gone, Unavailable
from unhub.mirror.upstream import Registry
from unhub.server import wire
from unhub.server.wire import Answer, Asked, Attached, Failed, Line
from unhub.store.records import RepositoryKey

NOTICE: Final = 0.005
"""Seconds between two lines about a blob, at least: 1 MB at 200 MB/s."""

SAY_AGAIN: Final = 60.0
"""Seconds between two sentences about a full volume."""

BODY_MAX: Final = 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Operations(Protocol):
    """What operators ask the fetcher for: warming, eviction, its state."""

    def run(self, action: str, body: Mapping[str, object]) -> AsyncIterator[Mapping[str, object]]:
        """Do it, and tell of it as it goes on. Raises :class:`ServeError`."""
        ...


class FetcherServer:
    """Serves a :class:`Fetcher` over a Unix socket that only this user may open."""

    def __init__(
        self,
        fetcher: Fetcher,
        socket: Path,
        status: Callable[[], dict[str, Any]],
        operations: Operations | None = None,
        *,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``status`` tells about the fetcher for metrics, ``notice`` gets sentences for people."""
        self._fetcher = fetcher
        self._socket = socket
        self._status = status
        self._operations = operations
        self._notice = notice
        self._noticed_at = 0.0
        self._passed_on = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. What an earlier fetcher left at the path goes away."""
        app = web.Application(client_max_size=BODY_MAX)
        routes: dict[str, Handler] = {
            wire.TAG: self._tag,
            wire.DIGEST: self._digest,
            wire.REVALIDATE: self._revalidate,
            wire.BLOB: self._blob,
            wire.STREAM: self._stream,
            wire.TAGS: self._tags,
            wire.REFERRERS: self._referrers,
            wire.STATUS: self._tell_status,
            wire.FORGET_NEGATIVE: self._forget_negative,
        }
        for path, handler in routes.items():
            app.router.add_post(path, handler)
        app.router.add_post(wire.OPERATIONS + "/{action}", self._operate)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
        await self._runner.setup()
        with suppress(FileNotFoundError):
            self._socket.unlink()
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, self._socket).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._runner is not None:
            await self._runner.cleanup()
        with suppress(FileNotFoundError):
            self._socket.unlink()

    async def _tag(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        return await _answered(self._fetcher.tag(_key(asked), asked.which, wait=asked.wait))

    async def _digest(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        return await _answered(self._fetcher.digest(_key(asked), _digest(asked), wait=asked.wait))

    async def _revalidate(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        with suppress(ServeError):
            self._fetcher.revalidate(_key(asked), asked.which)
        return _said(Answer())

    async def _tags(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        try:
            return _said(Answer(tags=await self._fetcher.tags(_key(asked))))
        except ServeError as error:
            return _said(Answer(failed=Failed.of(error)))

    async def _referrers(self, request: web.Request) -> web.Response:
        asked = await _asked(request)
        try:
            found = await self._fetcher.referrers(_key(asked), _digest(asked))
        except ServeError as error:
            return _said(Answer(failed=Failed.of(error)))
        rows = [Attached(one.media_type, str(one.digest), one.size, one.artifact_type, dict(one.annotations)) for one in found]
        return _said(Answer(referrers=rows))

    async def _tell_status(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=msgspec.json.encode({**self._status(), "passed_on": self._passed_on}))

    async def _forget_negative(self, request: web.Request) -> web.Response:
        del request
        self._fetcher.forget_negative()
        return _said(Answer())

    async def _operate(self, request: web.Request) -> web.StreamResponse:
        """A line for each thing that an operation tells; a failure is the last one."""
        if self._operations is None:
            raise web.HTTPNotFound
        body = msgspec.json.decode(await request.read() or b"{}", type=dict[str, object])
        response = web.StreamResponse()
        with suppress(ConnectionError):
            await response.prepare(request)
            try:
                async for told in self._operations.run(request.match_info["action"], body):
                    await response.write(msgspec.json.encode(told) + b"\n")
            except ServeError as error:
                await response.write(msgspec.json.encode({wire.FAILED: Failed.of(error)}) + b"\n")
            await response.write_eof()
        return response

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        """Begin or join a flight; then a line each time that more of the blob is here."""
        asked = await _asked(request)
        try:
            flight = await self._fetcher.blob(_key(asked), _digest(asked))
        except ServeError as error:
            return _line_only(Line(failed=Failed.of(error)))
        except NoSpace:
            return _line_only(Line(no_space=True))
        response = web.StreamResponse()
        with suppress(ConnectionError):
            await response.prepare(request)
            await _tell(response, Line(path=str(flight.path), size=flight.size, published=flight.published))
            await _tell(response, await _follow(flight, response))
            await response.write_eof()
        return response

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """A blob passed on without being kept, the last piece only when its digest is right."""
        asked = await _asked(request)
        key, digest = _key(asked), _digest(asked)
        self._count_passed_on(key)
        upstream = self._fetcher.upstreams.get(key.alias)
        if upstream is None:
            raise web.HTTPNotFound
        sources = [upstream.source, *(one.source for one in upstream.fallbacks if one.rules.carries(key.path))]
        for source in sources:
            begun = False
            try:
                async with source.watched():
                    response = web.StreamResponse()
                    size: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                    registry: Registry = source.registry
                    reference = source.place.reference(key.path, digest)

                    def learned(value: int, size: asyncio.Future[int] = size) -> None:
                        if not size.done():
                            size.set_result(value)

                    async with registry.blob(reference, digest, on_size=learned) as chunks:
                        async for chunk in chunks:
                            if not begun:
                                begun = True
                                if size.done():
                                    response.content_length = size.result()
                                await response.prepare(request)
                            await response.write(chunk)
                    await response.write_eof()
                    return response
            except (Gone, Unavailable):
                if begun:
                    _cut(request)
                    raise
        return _line_only(Line(failed=Failed(f"cannot pass on {digest}: nobody sends it", 503, "UNAVAILABLE", 30.0)), status=503)

    def _count_passed_on(self, key: RepositoryKey) -> None:
        self._passed_on += 1
        now = asyncio.get_running_loop().time()
        if not self._noticed_at or now - self._noticed_at >= SAY_AGAIN:
            self._noticed_at = now
            self._notice(f"the volume is full: blobs of {key} and others are passed on and not kept; make room, or set [serve] cache-size")


async def _follow(flight: BlobFlight, response: web.StreamResponse) -> Line:
    """Tell of progress, not too often; the last line says how it ended."""
    try:
        async for published in flight.progress():
            await _tell(response, Line(published=published))
            await asyncio.sleep(NOTICE)
    except (NoSpace, Gone, Unavailable, ServeError) as error:
        if isinstance(error, NoSpace):
            return Line(no_space=True)
        return Line(failed=Failed(f"cannot go on with {flight.digest}: {error}", 503, "UNAVAILABLE", 1.0))
    except ConnectionError:
        raise
    except Exception as error:  # whatever ended the flight ends those who read it, and with its own words
        return Line(failed=Failed(f"cannot go on with {flight.digest}: {error}", 502, "UNAVAILABLE", 1.0))
    return Line(published=flight.published, size=flight.size, done=True)


async def _tell(response: web.StreamResponse, line: Line) -> None:
    await response.write(wire.encode(line) + b"\n")


async def _asked(request: web.Request) -> Asked:
    try:
        return wire.asked.decode(await request.read())
    except msgspec.MsgspecError:
        raise web.HTTPBadRequest from None


async def _answered(work: Awaitable[object]) -> web.Response:
    try:
        await work
    except ServeError as error:
        return _said(Answer(failed=Failed.of(error)))
    return _said(Answer())


def _key(asked: Asked) -> RepositoryKey:
    return RepositoryKey(asked.alias, asked.path)


def _digest(asked: Asked) -> Digest:
    try:
        return Digest.parse(asked.which)
    except InvalidDigest:
        raise web.HTTPBadRequest from None


def _said(answer: Answer) -> web.Response:
    return web.Response(body=wire.encode(answer))


def _line_only(line: Line, *, status: int = 200) -> web.Response:
    return web.Response(body=wire.encode(line) + b"\n", status=status)


def _cut(request: web.Request) -> None:
    """End the connection at once, so that nobody takes what was sent for all of it."""
    if request.transport is not None:
        request.transport.abort()
