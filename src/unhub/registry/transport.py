"""The way to a server and back: connections, proxies, certificates, time-outs, and bodies no longer than allowed.

Nothing here follows a redirect, unpacks a body, keeps a cookie or reads the environment.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, cast
from urllib.parse import unquote
from urllib.request import proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from unhub.registry.addresses import WebAddress, is_link_local, is_loopback, is_public, parse_url
from unhub.registry.exchange import Answer, Request
from unhub.registry.settings import ClientSettings

CONNECTIONS_MAX: Final = 48
"""Requests under way to one host; enough to hide a slow line, few enough to be polite."""

ERROR_BODY_MAX: Final = 64 * 1024
CHUNK: Final = 256 * 1024
_HEADER_MAX: Final = 32 * 1024

_bypasses = cast(Callable[[str, dict[str, str]], bool], proxy_bypass_environment)


class Trouble(Exception):
    """A request brought no answer, or one that cannot be used (``is_protocol``); ``cause`` is for people.

    ``is_transient`` says that another attempt may help, ``is_dead`` that not even a connection came about, so that
    other requests to the same host need not wait for that, too.
    """

    def __init__(
        self, cause: str, *, hint: str | None = None, is_transient: bool = False, is_protocol: bool = False, is_dead: bool = False
    ) -> None:
        super().__init__(cause)
        self.is_dead = is_dead
        self.cause = cause
        self.hint = hint
        self.is_transient = is_transient
        self.is_protocol = is_protocol


class Reach(Enum):
    """Which addresses a name may lead to, so that nobody outside can point us at what only we can reach."""

    ANY = "any"
    """The registry itself: the user named it."""
    PRIVATE = "private"
    """Where a registry in a private network sends us: anywhere but to link-local addresses."""
    PUBLIC = "public"
    """Where a registry on the internet sends us: to the internet."""


@dataclass(frozen=True, slots=True)
class Opened(Answer):
    """An answer whose body is still to come. Whoever has it calls :meth:`close`."""

    response: aiohttp.ClientResponse | None = field(default=None, repr=False)

    @property
    def length(self) -> int | None:
        """``Content-Length`` in bytes, ``None`` where it was not said."""
        return _length(self)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces; raises :class:`Trouble` where it breaks off or stalls."""
        if self.response is None:
            return
        try:
            async for chunk in self.response.content.iter_chunked(CHUNK):
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _trouble(error, None) from None

    def close(self) -> None:
        """Give the connection back, or drop it where something of the body is left."""
        if self.response is not None:
            self.response.release() if self.response.content.at_eof() else self.response.close()


class Transport:
    """Connections to any number of hosts, for one event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._sessions: dict[Reach, aiohttp.ClientSession] = {}
        self._closed = False
        self._turns: dict[str, asyncio.Semaphore] = {}
        self.seen: dict[str, tuple[str, ...]] = {}
        """The addresses that host names ever led to."""

    async def read(self, request: Request, *, reach: Reach, tls: ssl.SSLContext | bool, size_max: int) -> Answer:
        """Send a request and read all of the answer; the body of an error only as far as it helps.

        Raises :class:`Trouble`, also where the body has more than ``size_max`` bytes.
        """
        address = parse_url(request.url)
        async with self._turns.setdefault(address.netloc, asyncio.Semaphore(CONNECTIONS_MAX)), self._in_time("complete answer"):
            opened = await self.open(request, reach=reach, tls=tls)
            try:
                return Answer(opened.status, opened.headers, await read_body(opened, size_max), opened.host)
            finally:
                opened.close()

    async def open(self, request: Request, *, reach: Reach, tls: ssl.SSLContext | bool) -> Opened:
        """Send a request and return the answer once its headers are here. Raises :class:`Trouble`."""
        if self._settings.offline:
            raise Trouble("unhub is offline (--offline)")
        if self._closed:
            raise Trouble("the client was closed")
        address = parse_url(request.url)
        proxy = self._proxy(address)
        session = self._session(Reach.ANY if proxy is not None else reach)
        try:
            async with self._in_time("answer"):
                response = await session.request(
                    request.method,
                    URL(str(address), encoded=True),  # as it was checked, so that nobody reads it in another way
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    ssl=tls,
                    proxy=None if proxy is None else proxy[0],
                    proxy_headers=None if proxy is None else proxy[1],
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, _Failed) as error:
            raise _trouble(error.error if isinstance(error, _Failed) else error, self._settings) from None
        headers = tuple((str(name), str(value)) for name, value in response.headers.items())
        opened = Opened(response.status, headers, b"", address.netloc, response)
        if opened.status in (200, 206) and (opened.header("content-encoding") or "identity").lower() != "identity":
            opened.close()
            raise Trouble("it packed its answer although it was asked not to (Content-Encoding)", is_protocol=True)
        return opened

    @contextlib.asynccontextmanager
    async def _in_time(self, what: str) -> AsyncGenerator[None]:
        """Bound what the time-outs of connecting and reading do not: a proxy that is silent, an answer that drips."""
        seconds = self._settings.connect_seconds + 2 * self._settings.read_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            if isinstance(error, aiohttp.ClientError):
                raise
            raise Trouble(f"it gave no {what} within {seconds:g} s", is_transient=True) from None

    async def close(self) -> None:
        """Close every connection; whoever still asks gets :class:`Trouble`."""
        self._closed = True
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, reach: Reach) -> aiohttp.ClientSession:
        if reach not in self._sessions:
            settings = self._settings
            family = socket.AF_INET if settings.ipv4_only else socket.AF_UNSPEC
            self._sessions[reach] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=_Resolver(reach, self.seen), ttl_dns_cache=60, family=family),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": settings.user_agent, "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_seconds, sock_read=settings.read_seconds),
                auto_decompress=False,
                trust_env=False,
                middlewares=(_once,),
                max_line_size=_HEADER_MAX,
                max_field_size=_HEADER_MAX,
            )
        return self._sessions[reach]

    def _proxy(self, address: WebAddress) -> tuple[URL, dict[str, str]] | None:
        """The proxy for an address and its login as a header; this machine is never asked through one (as in Go's clients)."""
        if is_loopback(address.host):
            return None
        said = self._settings.proxy_of(address.scheme) or self._settings.proxy_of("all")
        if said is None or _bypasses(f"{address.host}:{address.port}", dict(self._settings.proxies)):
            return None
        url = URL(said)
        if url.raw_user is None:
            return url, {}
        pair = f"{unquote(url.raw_user)}:{unquote(url.raw_password or '')}"
        return url.with_user(None), {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


class _Failed(Exception):
    """A request that failed; wraps the library's error, which would make it send the request again."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: the library's silent second attempt would be counted by no rate."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Failed(error) from None


class _AddressRefused(OSError):
    """A name leads to an address that it may not lead to."""


class _Resolver(AbstractResolver):
    """The system's resolver, which refuses a name as a whole if any of its addresses is out of reach."""

    def __init__(self, reach: Reach, seen: dict[str, tuple[str, ...]]) -> None:
        self._resolver = aiohttp.ThreadedResolver()
        self._reach = reach
        self._seen = seen

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The addresses of a name."""
        found = await self._resolver.resolve(host, port, family)
        addresses = tuple(row["host"] for row in found)
        if not all(self._may(address) for address in addresses):
            raise _AddressRefused(f"{host} leads into a private network")
        self._seen[host] = tuple(dict.fromkeys((*self._seen.get(host, ()), *addresses)))
        return found

    async def close(self) -> None:
        """Nothing to give back."""
        await self._resolver.close()

    def _may(self, text: str) -> bool:
        address = ipaddress.ip_address(text)
        if self._reach is Reach.PUBLIC:
            return is_public(address)
        return self._reach is Reach.ANY or not is_link_local(address)


def _length(answer: Answer) -> int | None:
    value = answer.header("content-length") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


async def read_body(opened: Opened, size_max: int) -> bytes:
    """The body of an answer: of content all, at most ``size_max`` bytes, of anything else the beginning. Raises :class:`Trouble`."""
    is_content = opened.status in (200, 206)
    most = size_max if is_content else ERROR_BODY_MAX
    if is_content and opened.response is not None and opened.response.method != "HEAD" and (opened.length or 0) > most:
        raise Trouble(f"its answer has more than {most} bytes", is_protocol=True)
    body = bytearray()
    async for chunk in opened.chunks():
        body += chunk
        if len(body) > most:
            if is_content:
                raise Trouble(f"its answer has more than {most} bytes", is_protocol=True)
            return bytes(body[:most])
    return bytes(body)


def _trouble(error: Exception, settings: ClientSettings | None) -> Trouble:
    """What went wrong, in words; never the library's own text, which may hold URLs with secrets."""
    match error:
        case aiohttp.ClientProxyConnectionError():
            return Trouble("the proxy cannot be reached", hint="See HTTPS_PROXY and NO_PROXY", is_dead=True)
        case aiohttp.ClientHttpProxyError(status=status):
            return Trouble(f"the proxy answered {status}", hint="See HTTPS_PROXY and NO_PROXY", is_transient=status >= 500)
        case aiohttp.ClientConnectorDNSError(os_error=_AddressRefused()):
            return Trouble("it leads into a private network, where a registry on the internet may send nobody", is_protocol=True)
        case aiohttp.ClientConnectorDNSError(os_error=os_error):
            temporary = getattr(os_error, "errno", None) == socket.EAI_AGAIN
            return Trouble("its name cannot be resolved", hint="See the spelling, DNS and proxies", is_transient=temporary, is_dead=True)
        case aiohttp.ClientConnectorCertificateError(certificate_error=reason):
            said = getattr(reason, "verify_message", None) or "it does not fit"
            return Trouble(
                f"its certificate is not trusted ({said})", hint="If it has a certificate authority of its own: --ca FILE", is_dead=True
            )
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Trouble("the TLS handshake failed", hint="If it speaks plain http on this machine: --insecure HOST")
        case aiohttp.ConnectionTimeoutError():
            within = f" within {settings.connect_seconds:g} s" if settings else ""
            return Trouble(f"no connection came about{within}", hint="A firewall, or a proxy that is not set?", is_dead=True)
        case aiohttp.ServerTimeoutError() | TimeoutError():
            within = f" for {settings.read_seconds:g} s" if settings else ""
            return Trouble(f"it sent nothing{within}", is_transient=True)
        case aiohttp.ClientConnectorError(os_error=os_error):
            return Trouble(_spoken(os_error), is_transient=True, is_dead=True)
        case aiohttp.ClientPayloadError():
            return Trouble("its answer broke off", is_transient=True)
        case aiohttp.ClientResponseError():
            return Trouble("it does not speak HTTP as it should", is_protocol=True)
        case aiohttp.ClientConnectionError() | OSError():
            return Trouble("the connection broke", is_transient=True)
        case _:
            return Trouble("the request cannot be sent", is_protocol=True)


def _spoken(error: OSError) -> str:
    return "the connection was refused" if isinstance(error, ConnectionRefusedError) else f"no connection ({error.strerror or 'failed'})"
