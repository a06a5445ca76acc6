"""Hosts asked over the registry client's own transport: the same proxies, certificates and time-outs."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.request import proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

from unhub.doctor.log.masking import masked
from unhub.doctor.machine import Certificate, NoReply, Reply
from unhub.registry.addresses import is_loopback, parse_url
from unhub.registry.exchange import Request
from unhub.registry.settings import ClientSettings
from unhub.registry.transport import Reach, Transport, Trouble

UNRESOLVED: Final = "name cannot be resolved"
"""What the transport says where a host was not even found."""

_bypasses = cast(Callable[[str, dict[str, str]], bool], proxy_bypass_environment)


class TransportWeb:
    """:class:`unhub.doctor.machine.Web`; an asynchronous context manager for one event loop."""

    def __init__(self, settings: ClientSettings, clock: Callable[[], datetime.datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._transport = Transport(settings)
        self._asked: dict[str, asyncio.Task[Reply | NoReply]] = {}

    async def __aenter__(self) -> TransportWeb:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        await self._transport.close()

    async def get(self, url: str) -> Reply | NoReply:
        """See :class:`unhub.doctor.machine.Web`."""
        if url not in self._asked:
            self._asked[url] = asyncio.ensure_future(self._get(url))
        return await asyncio.shield(self._asked[url])

    async def _get(self, url: str) -> Reply | NoReply:
        try:
            opened = await self._transport.open(Request("GET", url), reach=Reach.ANY, tls=self._tls(parse_url(url).netloc))
        except Trouble as trouble:
            return NoReply(trouble.cause, trouble.hint, is_unresolved=UNRESOLVED in trouble.cause)
        opened.close()  # status and headers are enough
        return Reply(opened, self._clock())

    def _tls(self, netloc: str) -> ssl.SSLContext | bool:
        """The certificates to trust for a host: those set for its registry, or for all."""
        names = {self._settings.endpoint(name).netloc: name for name in {"public.ecr.aws", "docker.io", *self._settings.ca}}
        return self._settings.tls(names.get(netloc, netloc))

    def proxy(self, url: str) -> str | None:
        """See :class:`unhub.doctor.machine.Web`."""
        address = parse_url(url)
        said = self._settings.proxy_of(address.scheme) or self._settings.proxy_of("all")
        if said is None or is_loopback(address.host) or _bypasses(f"{address.host}:{address.port}", dict(self._settings.proxies)):
            return None
        return masked(said)

    async def certificate(self, host: str, port: int) -> Certificate | NoReply:
        """See :class:`unhub.doctor.machine.Web`."""
        trusted = self._tls(host if port == 443 else f"{host}:{port}")
        context = trusted if isinstance(trusted, ssl.SSLContext) else ssl.create_default_context()
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            return NoReply(f"its certificate is not trusted ({error.verify_message})")
        except (OSError, TimeoutError, ValueError) as error:
            return NoReply(getattr(error, "strerror", None) or type(error).__name__)
        shown: dict[str, Any] = writer.get_extra_info("peercert") or {}
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return _certificate(shown)


def _certificate(shown: dict[str, Any]) -> Certificate:
    names = {key: value for part in shown.get("issuer", ()) for key, value in part}
    until = datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), datetime.UTC)
    return Certificate(names.get("organizationName") or names.get("commonName") or "somebody without a name", until)


async def resolve(host: str) -> tuple[str, ...] | NoReply:
    """The addresses of a host by the system's own resolver, a few of them."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError as error:
        return NoReply(error.strerror or "it has no address")
    return tuple(dict.fromkeys(str(row[4][0]) for row in found))[:4]
