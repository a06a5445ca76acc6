"""A server that answers what a test says, in a thread of its own: for what no honest registry does."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        return self.path + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True)
class Reply:
    """What goes out: ``cut`` breaks the connection after so many bytes of the body, ``late`` waits so many seconds before.

    ``when`` holds the answer back until it is true.

    A header whose value is a tuple is sent as several lines.
    """

    status: int = 200
    headers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    late: float = 0.0
    when: Callable[[], bool] = lambda: True
    length: bool = True


@dataclass
class Server:
    """A running server; ``asked`` is every request so far."""

    url: str
    asked: list[Asked]

    @property
    def address(self) -> str:
        return self.url.partition("://")[2]

    def paths(self, method: str | None = None) -> list[str]:
        return [row.target for row in self.asked if method in (None, row.method)]


@contextmanager
def loop_in_a_thread() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """A loop in a thread of its own; what is yielded runs a coroutine in it to its end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    async def finish() -> None:
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await loop.shutdown_default_executor()

    try:
        yield run
    finally:
        run(finish())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


@contextmanager
def scripted(answer: Callable[[Asked], Reply], *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Server]:
    """Answer every request by ``answer``, called in the server's thread."""
    asked: list[Asked] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        row = Asked(request.method, path, query, dict(request.headers), await request.read())
        asked.append(row)
        return await _send(request, answer(row))

    async def start() -> tuple[web.ServerRunner, int]:
        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        return runner, runner.addresses[0][1]

    with loop_in_a_thread() as run:
        runner, port = run(start())
        try:
            yield Server(f"{'https' if tls else 'http'}://{host}:{port}", asked)
        finally:
            run(runner.cleanup())


@contextmanager
def tunnel(target: str, *, silent: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that leads every CONNECT to ``target``, or says nothing; its URL, and the heads of the requests that it got."""
    heads: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = target.partition(":")
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            if silent:
                await asyncio.sleep(60)
            other_reader, other_writer = await asyncio.open_connection(host, int(port))
            with contextlib.closing(other_writer):
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))

    async def start() -> asyncio.Server:
        return await asyncio.start_server(handle, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()

    with loop_in_a_thread() as run:
        server = run(start())
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
        finally:
            run(stop(server))


async def _send(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    while not reply.when():
        await asyncio.sleep(0.005)
    await asyncio.sleep(reply.late)
    response = web.StreamResponse(status=reply.status)
    for name, value in reply.headers.items():
        for line in (value,) if isinstance(value, str) else value:
            response.headers.add(name, line)
    if reply.length and "Content-Length" not in reply.headers:
        response.content_length = len(reply.body)
    elif not reply.length:
        response.enable_chunked_encoding()
    await response.prepare(request)
    if request.method != "HEAD" or reply.cut is not None:
        await response.write(reply.body if reply.cut is None else reply.body[: reply.cut])
    if reply.cut is not None:
        await asyncio.sleep(0.02)
        transport = request.transport
        if transport is not None:
            transport.close()
        return response
    await response.write_eof()
    return response
