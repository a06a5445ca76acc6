"""Listening: addresses as people write them, and sockets that every worker shares.

The sockets are opened by the supervisor and inherited, so that a connection that waits to be accepted is lost with no worker.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from unhub.image.errors import UnhubError, UsageError
from unhub.registry.addresses import is_loopback

DEFAULT_PORT: Final = 5000
BACKLOG: Final = 4096
TRIES: Final = 20
"""How often a free port is looked for that both families have."""

_BOTH: Final = {"localhost": ("127.0.0.1", "::1"), "*": ("0.0.0.0", "::"), "": ("0.0.0.0", "::")}  # noqa: S104 - refused without TLS or a flag
_EXAMPLE: Final = "Write it like 127.0.0.1:5000, localhost:5000 or [::]:5000; port 0 is any free port"


@dataclass(frozen=True, slots=True)
class Listen:
    """A place to listen at. ``host`` is an address or name without brackets; ``localhost`` means both families."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read ``HOST:PORT``, ``[ADDRESS]:PORT``, ``:PORT`` or ``HOST``. Raises :class:`UsageError`."""
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]"):
            host, port = text, str(DEFAULT_PORT)
        bracketed = host.startswith("[") and host.endswith("]")
        if (
            not (port.isascii() and port.isdigit() and int(port) <= 65535)
            or (":" in host and not bracketed)
            or any(c in host for c in " /@")
        ):
            raise UsageError(f"cannot listen on {text!r}: it is not HOST:PORT", hint=_EXAMPLE)
        return cls(host.strip("[]").lower(), int(port))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses or names to bind."""
        return _BOTH.get(self.host, (self.host,))

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it. A name counts only where it is ``localhost``."""
        return all(is_loopback(host) for host in self.hosts)

    def __str__(self) -> str:
        return place(self.host, self.port)


LOCAL: Final = Listen("localhost", DEFAULT_PORT)
"""Where a mirror listens unless it is told otherwise."""


def place(host: str, port: int) -> str:
    """Host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_sockets(wanted: Iterable[Listen]) -> list[socket.socket]:
    """Sockets that listen at every place; all or none. Raises :class:`UnhubError` (status 5) where one cannot be had."""
    sockets: list[socket.socket] = []
    try:
        for listen in wanted:
            sockets += _open(listen)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets


def _open(listen: Listen) -> list[socket.socket]:
    """One socket for each address. A family that the machine does not have is left out where two were meant."""
    for attempt in range(TRIES):
        opened: list[socket.socket] = []
        port = listen.port
        try:
            for host in listen.hosts:
                one = _bound(host, port, optional=len(listen.hosts) > 1 and bool(opened))
                if one is not None:
                    opened.append(one)
                    port = one.getsockname()[1]
        except OSError as error:
            for one in opened:
                one.close()
            if listen.port == 0 and opened and error.errno == errno.EADDRINUSE and attempt < TRIES - 1:
                continue
            raise _cannot(listen, error) from None
        return opened
    raise UnhubError(f"cannot listen on {listen}: no port is free for both families")


def _bound(host: str, port: int, *, optional: bool) -> socket.socket | None:
    """A socket that listens. What it accepts inherits TCP_NODELAY (tcp(7)).

    Without, a small file waited for the client's delayed acknowledgement of the headers before it: 40 ms for the configuration
    of every image.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        one = socket.socket(family, kind, protocol)
    except OSError:
        if optional:
            return None
        raise
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(BACKLOG)
        one.setblocking(False)
    except OSError as error:
        one.close()
        if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        raise
    return one


def addresses(sockets: Sequence[socket.socket]) -> list[tuple[str, int]]:
    """The hosts and ports of open sockets."""
    found: list[tuple[str, int]] = []
    for one in sockets:
        with suppress(OSError):
            name = one.getsockname()
            found.append((str(name[0]), int(name[1])))
    return found


def _cannot(listen: Listen, error: OSError) -> UnhubError:
    if error.errno == errno.EADDRINUSE:
        return UnhubError(
            f"cannot listen on {listen}: the port is taken by another program",
            hint=f"Stop that program, or use another port: --listen {place(listen.host or '*', 5050)}",
        )
    if error.errno == errno.EACCES:
        return UnhubError(f"cannot listen on {listen}: ports below 1024 need a right that this user lacks", hint="Use a higher port")
    return UnhubError(f"cannot listen on {listen}: {error.strerror or error}")
