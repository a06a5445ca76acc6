"""The edge: the one place where requests are read and answers are sent, harmed as the faults say, as fast as allowed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlencode

from aiohttp import web

from unhub.demo.cdn import SECRET_QUERIES
from unhub.demo.exchange import Answer, Asked, Kind, Service, Site, text_answer
from unhub.demo.faults import Delivery, Fault, Faults, delivery, instead, spoiled
from unhub.demo.registry import route_of
from unhub.demo.state import Record

BODY_MOST = 1_000_000
"""Bytes of the largest request that is read."""

PIECE = 256 * 1024
"""Bytes that are handed to a connection at once."""

_SHORTEST_SLEEP = 0.002
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing then resets the connection."""


class Stage(Protocol):
    """What the edge needs to know of the stand-in behind it."""

    faults: Faults
    log: deque[Record]

    def now(self) -> float:
        """Seconds since 1970."""
        ...


class Harmed(Service, Protocol):
    """A service that knows what its own protocol looks like under a fault."""

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """The answer under a fault; ``None`` where the fault means nothing to it."""
        ...


class Pace:
    """Bytes a second that all answers share; each waits for its turn."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._free = 0.0

    async def wait(self, size: int, rate: float | None) -> None:
        """Wait until ``size`` bytes more are due."""
        if rate is None:
            return
        now = self._clock()
        self._free = max(now, self._free) + size / rate
        if self._free - now > _SHORTEST_SLEEP:
            await asyncio.sleep(self._free - now)


class Speed:
    """How fast answers are: seconds before each, bytes a second of all together and of one; read anew for each answer."""

    def __init__(self, latency: Callable[[], float], shared: Callable[[], float | None], single: Callable[[], float | None]) -> None:
        self.latency, self.shared, self.single = latency, shared, single


class Edge:
    """The handler of one site."""

    def __init__(self, site: Site, service: Service, stage: Stage, speed: Speed, notice: Callable[[Record], None] | None = None) -> None:
        self._site, self._service, self._stage, self._speed = site, service, stage, speed
        self._notice = notice
        self._shared: Pace | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. It is in the log before the first byte of its answer is sent."""
        asked = await self._read(request)
        if asked is None:
            return await self._send(request, text_answer(413, "too large\n"), Delivery())
        controls = kind_of(asked) is Kind.CONTROL
        faults = () if controls else self._stage.faults.take(asked)
        way = delivery(faults)
        pause = self._speed.latency() + way.delay
        if pause > 0:
            await asyncio.sleep(pause)
        answer = self._answer(asked, faults)
        if not controls:
            self._record(asked, answer, faults)
        return await self._send(request, answer, way)

    def _answer(self, asked: Asked, faults: tuple[Fault, ...]) -> Answer:
        answer = next((found for fault in faults if (found := self._harmed(fault, asked)) is not None), None)
        if answer is None:
            answer = self._service.answer(asked)
        for fault in faults:
            answer = spoiled(answer, fault)
        return answer

    def _harmed(self, fault: Fault, asked: Asked) -> Answer | None:
        under: Callable[[Fault, Asked], Answer | None] | None = getattr(self._service, "under", None)
        return instead(fault) or (under(fault, asked) if under else None)

    async def _read(self, request: web.BaseRequest) -> Asked | None:
        body = b""
        if request.body_exists:
            body = await request.content.read(BODY_MOST + 1)
            while len(body) <= BODY_MOST and (more := await request.content.read(BODY_MOST + 1 - len(body))):
                body += more
            if len(body) > BODY_MOST:
                return None
        url = request.rel_url
        scopes = tuple(url.query.getall("scope", ()))
        accept = ", ".join(request.headers.getall("Accept", ()))
        return Asked(self._site, request.method, url.path, url.query, request.headers, body, request.remote or "", scopes, accept)

    def _record(self, asked: Asked, answer: Answer, faults: tuple[Fault, ...]) -> None:
        query = urlencode([(name, value) for name, value in asked.query.items() if name not in SECRET_QUERIES], safe=":/,")
        record = Record(
            time=self._stage.now(),
            site=asked.site,
            method=asked.method,
            path=asked.path,
            query=query,
            status=answer.status,
            kind=kind_of(asked),
            caller=answer.caller,
            authorization=asked.authorization[0] if asked.authorization[0] in ("basic", "bearer", "aws4-hmac-sha256", "") else "other",
            address=asked.address,
            user_agent=asked.headers.get("User-Agent", ""),
            range=asked.headers.get("Range", ""),
            accept=asked.accept,
            size=0 if asked.method == "HEAD" else len(answer.body),
            faults=tuple(fault.kind for fault in faults),
        )
        self._stage.log.append(record)
        if self._notice is not None:
            self._notice(record)

    async def _send(self, request: web.BaseRequest, answer: Answer, way: Delivery) -> web.StreamResponse:
        if way.reset:
            return _cut(request)
        size = len(answer.body) if answer.size is None else answer.size
        headers = {**answer.headers, "Content-Length": str(size)}
        single = way.rate or (self._speed.single() if self._site is Site.CDN else None)
        plain = way.break_after is None and single is None and len(answer.body) <= PIECE and self._site is not Site.CDN
        if plain and request.method != "HEAD":
            return web.Response(status=answer.status, headers=headers, body=bytes(answer.body))
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        if request.method != "HEAD":
            with contextlib.suppress(ConnectionError):  # the client has gone; nobody is left to be told
                await self._pour(response, answer.body[: way.break_after], single)
                if way.break_after is not None and way.break_after < size:
                    return _closed(request, response)
        return response

    async def _pour(self, response: web.StreamResponse, body: bytes | memoryview, single: float | None) -> None:
        view, own, rate = memoryview(body), Pace(_loop_time), self._speed.shared() if self._site is Site.CDN else None
        if self._shared is None:
            self._shared = Pace(_loop_time)
        piece = PIECE if single is None else max(1, min(PIECE, int(single / 20)))
        for start in range(0, len(view), piece):
            part = view[start : start + piece]
            await own.wait(len(part), single)
            await self._shared.wait(len(part), rate)
            await response.write(part)


def kind_of(asked: Asked) -> Kind:
    """What a request is about, by its site and path alone."""
    if asked.site is Site.CDN:
        return Kind.CONTENT
    if asked.path.startswith("/_demo/"):
        return Kind.CONTROL
    if asked.site is Site.API:
        return Kind.API
    if asked.site is Site.TOKEN or asked.path == "/token/":
        return Kind.TOKEN
    route = route_of(asked.path)
    return route.kind if route else Kind.OTHER


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    """Reset the connection; the response that is returned goes nowhere."""
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()


def _closed(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection after what was written, though more was promised."""
    response.force_close()
    if request.transport is not None:
        request.transport.close()
    return response
