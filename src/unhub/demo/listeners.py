"""The ports of a stand-in: bound, closed so that connections are refused, and bound again at the same number."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from unhub.demo.exchange import Site
from unhub.image.errors import UsageError
from unhub.registry.addresses import is_loopback

BACKLOG = 2048
"""Connections that may wait to be accepted: a storm of clients must not be refused by accident."""

PATIENCE = 0.2
"""Seconds that answers under way get when a stand-in ends."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class _Port:
    handler: Handler
    host: str
    port: int
    runner: web.ServerRunner | None = None


class Listeners:
    """The ports by site."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._ports: dict[Site, _Port] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, site: Site, handler: Handler, host: str, port: int) -> str:
        """Listen, and return the base URL. Raises :class:`UsageError` where the address is no loopback address, or cannot be had."""
        if not is_loopback(host):
            raise UsageError(f"cannot listen on {_shown(host)}: the stand-ins are for this machine alone", hint="Use 127.0.0.1.")
        entry = _Port(handler, host, port)
        await self._start(entry)
        self._ports[site] = entry
        return f"{'https' if self._tls else 'http'}://{_shown(host)}:{entry.port}"

    async def listen(self, site: Site, on: bool) -> None:
        """Open or close a port; closed, it refuses connections and cuts those that are there."""
        entry = self._ports[site]
        if on and entry.runner is None:
            await self._start(entry)
        elif not on and entry.runner is not None:
            runner, entry.runner = entry.runner, None
            await runner.cleanup()

    def request(self, site: Site, on: bool, seconds: float | None) -> None:
        """The same soon, and undone after some seconds if these are given."""
        task = asyncio.get_running_loop().create_task(self._for(site, on, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Close everything."""
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(self.listen(site, on=False) for site in self._ports))

    async def _for(self, site: Site, on: bool, seconds: float | None) -> None:
        await self.listen(site, on)
        if seconds is not None:
            await asyncio.sleep(seconds)
            await self.listen(site, not on)

    async def _start(self, entry: _Port) -> None:
        runner = web.ServerRunner(web.Server(entry.handler, access_log=None), shutdown_timeout=PATIENCE)
        await runner.setup()
        try:
            await web.TCPSite(runner, entry.host, entry.port, ssl_context=self._tls, backlog=BACKLOG, reuse_address=True).start()
        except OSError as error:
            await runner.cleanup()
            raise UsageError(
                f"cannot listen on {_shown(entry.host)}:{entry.port}: {error.strerror or error}",
                hint="Name another port; 0 takes any free one.",
            ) from None
        entry.port = runner.addresses[0][1]
        entry.runner = runner


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The server's side of TLS. Raises :class:`UsageError` where certificate or key cannot be read."""
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot use the certificate {certificate}: {error.strerror or error}") from None
    return context


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
