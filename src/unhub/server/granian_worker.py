"""Granian on sockets that are open already, several of them in one process and one event loop.

Granian's own main process binds one address, and each of its workers a socket of its own (SO_REUSEPORT), with which
connections are lost that wait to be accepted when a worker goes. So its worker is used here without its main process. All
that is used of its inside is in this module.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.tasks import _enter_task, _leave_task  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownVariableType]
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from granian._granian import ASGIWorker, CallbackScheduler, SocketHolder, WorkerSignal  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
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


Place = tuple[AsgiApp, socket.socket]
"""A socket that listens, and who answers there."""


async def serve(places: Sequence[Place], tls: Tls | None, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve until ``stop``, then accept no more and return when every answer that was begun is sent."""
    loop = asyncio.get_running_loop()
    ended = [loop.create_future() for _ in places]
    signals = [_start(app, one, tls, loop, future) for (app, one), future in zip(places, ended, strict=True)]
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
    worker.serve_mtr(_Scheduler(loop, app, None, partial(_enter_task, loop), partial(_leave_task, loop)), loop, signal)
    return signal


class _Scheduler(CallbackScheduler):  # pyright: ignore[reportUntypedBaseClass]
    """What Granian hands its requests to; its arguments are those of Granian's own (granian/_futures.py)."""

    __slots__ = ()

    def __init__(self, loop: asyncio.AbstractEventLoop, app: AsgiApp, *_: object) -> None:
        super().__init__()
        self._schedule_fn = _schedule(app, loop, self._ctx)


def _schedule(app: AsgiApp, loop: asyncio.AbstractEventLoop, context: Any) -> Callable[[Any], None]:
    """How the server's threads hand over a request.

    As Granian does it, but for ``app.at_once(scope, send)``, where the app has it: what it answers needs no task, which
    costs as much as everything else of such a request (seen: 1.2 to 1.3 times as many requests a second without it).
    """
    at_once: Callable[[Any, Any], bool] = getattr(app, "at_once", _never)

    def begin(watcher: Any) -> None:
        scope, protocol = watcher.scope, watcher.proto
        try:
            if at_once(scope, protocol.send):
                watcher.done()
                return
        except BaseException as error:
            watcher.err(error)
            return
        watcher.taskref(loop.create_task(_answer(app, scope, protocol, watcher)))

    def schedule(watcher: Any) -> None:
        loop.call_soon_threadsafe(begin, watcher, context=context)

    return schedule


def _never(scope: object, send: object) -> bool:
    return False


async def _answer(app: AsgiApp, scope: dict[str, Any], protocol: Any, watcher: Any) -> None:
    scope.update(root_path="", state={})
    try:
        await app(scope, protocol.receive, protocol.send)
    except BaseException as error:  # the server logs it, and cuts an answer that was begun
        watcher.err(error)
        return
    watcher.done()
