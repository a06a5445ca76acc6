"""Granian on sockets that are open already, several of them in one process and one event loop.

Granian's own main process binds one address, and each of its workers a socket of its own (SO_REUSEPORT), with which
connections are lost that wait to be accepted when a worker goes. So its worker is used here without its main process. All
that is used of its inside is in this module.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from granian._futures import _future_watcher_wrapper, _new_cbscheduler  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from granian._granian import ASGIWorker, SocketHolder, WorkerSignal
from granian.asgi import _callback_wrapper  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from granian.http import HTTP1Settings, HTTP2Settings

from unhub.server.listen import BACKLOG
from unhub.server.settings import Tls

AsgiApp = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

BLOCKING_THREADS: Final = 32
"""Threads that read files for ``pathsend``; each has its stack, and more do not make a disk faster."""

CONNECTIONS: Final = 16_384
"""Connections that a worker takes at a time."""

HEADER_SECONDS: Final = 30

BUFFER: Final = 32 * 1024
"""Bytes that wait for one client at most, beside the piece of a file that is being read; also the longest head of a request."""


async def serve(app: AsgiApp, sockets: Sequence[socket.socket], tls: Tls | None, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve until ``stop``, then accept no more and return when every answer that was begun is sent."""
    loop = asyncio.get_running_loop()
    ended = [loop.create_future() for _ in sockets]
    signals = [_start(app, one, tls, loop, future) for one, future in zip(sockets, ended, strict=True)]
    ready()
    await stop.wait()
    for signal in signals:
        signal.set()
    await asyncio.gather(*ended)


def _start(
    app: AsgiApp, listening: socket.socket, tls: Tls | None, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]
) -> WorkerSignal:
    signal = WorkerSignal()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    signal.add_cb(lambda: loop.call_soon_threadsafe(end))
    callback = _future_watcher_wrapper(_callback_wrapper(app, {}, {}, None))  # pyright: ignore[reportUnknownVariableType]
    holder = SocketHolder(listening.detach(), False, BACKLOG)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    http1 = HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=BUFFER)
    arguments: tuple[Any, ...] = (
        *(1, (None, holder), None),  # worker id, socket, pipe for metrics
        *(1, BLOCKING_THREADS, 1, 30, CONNECTIONS),  # runtime threads, blocking threads, Python's threads, their idle time, backpressure
        *("auto", http1, HTTP2Settings(), False, None),  # HTTP version and settings, websockets, static files
        *(tls is not None, tls and str(tls.certificate), tls and str(tls.key), None, "tls1.2", None, [], False),
        (None, None),  # metrics
    )
    worker: Any = ASGIWorker(*arguments)
    worker.serve_mtr(_new_cbscheduler(loop, callback, impl_asyncio=True), loop, signal)
    return signal
