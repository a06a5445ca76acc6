"""Who asks: the address that a connection comes from, or the one that a trusted proxy tells of.

A proxy adds the address that it was asked from at the right end of a header; whatever stands further left may have been
written by anybody. So it is read from the right, and only as far as those that wrote it are trusted (RFC 7239, section 8.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from unhub.mirror.networks import Networks, parse_address
from unhub.server.note import Note, caller_of

KEPT_MAX: Final = 4096
"""Addresses of which it is remembered who they are."""

HOPS_MAX: Final = 32
"""Proxies that may stand before the mirror, at most; what is said of more is not believed."""

LENGTH_MAX: Final = 4096
"""Bytes of the header that are read, from its end."""

FORWARDED: Final = b"forwarded"
PROTO: Final = b"x-forwarded-proto"

Header = tuple[bytes, bytes]


class Caller(NamedTuple):
    """What is counted as one caller, its address, whether that is inside AWS, and whether what it gets counts toward no limit.

    In the order of what makes a :class:`Note`.
    """

    counted: str
    address: str
    in_region: bool
    exempt: bool


class Callers:
    """Lives in one event loop. ``header`` is the one that all trusted proxies write: ``x-forwarded-for`` or ``forwarded``.

    ``exempts`` says whether what is answered to those ``in_region`` (inside AWS) counts toward no limit.
    Only one is read: a proxy that writes the one passes on what a client said in the other.
    """

    def __init__(
        self,
        proxies: Networks | None = None,
        header: str = "x-forwarded-for",
        in_region: Networks | None = None,
        *,
        exempts: bool = True,
    ) -> None:
        self._proxies = proxies or Networks()
        self._has_proxies = bool(self._proxies)
        self._header = header.encode("ascii")
        self._in_region = in_region or Networks()
        self._exempts = exempts
        self._known: dict[str, Caller] = {}
        self._behind: dict[tuple[str, bytes], Caller] = {}

    def note(self, scope: dict[str, Any]) -> Note:
        """A note about a request, with who sent it; its scheme becomes what a trusted proxy says that it was asked by."""
        client = scope.get("client")
        host = client[0] if client else ""
        caller = self._known.get(host) or self._of(host)
        if self._has_proxies and self._is_proxy(caller.address):
            scope["scheme"] = self._scheme(scope["headers"]) or scope.get("scheme", "http")
            caller = self._behind_proxy(caller.address, scope["headers"])
        return Note(*caller)

    def _scheme(self, headers: Sequence[Header]) -> str:
        """``http`` or ``https`` as the nearest proxy was asked; empty where it does not say. Of several it is the last, which it added."""
        name = FORWARDED if self._header == FORWARDED else PROTO
        said = [text for key, text in headers if key == name]
        last = said[-1][-LENGTH_MAX:].decode("latin-1").rpartition(",")[2].strip() if said else ""
        scheme = (_pair(last, "proto") if name == FORWARDED else last).lower()
        return scheme if scheme in ("http", "https") else ""

    def _of(self, host: str) -> Caller:
        found = self._known.get(host)
        if found is None:
            if len(self._known) >= KEPT_MAX:
                self._known.clear()
            address = parse_address(host)
            shown = host[:64] if address is None else str(address)
            inside = address is not None and address in self._in_region
            found = self._known[host] = Caller(caller_of(host), shown, inside, inside and self._exempts)
        return found

    def _is_proxy(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and address in self._proxies

    def _behind_proxy(self, peer: str, headers: Sequence[Header]) -> Caller:
        said = b",".join(text for name, text in headers if name == self._header)
        found = self._behind.get((peer, said))
        if found is None:
            found = self._of(self._told(peer, said))
            if len(said) <= LENGTH_MAX:
                if len(self._behind) >= KEPT_MAX:
                    self._behind.clear()
                self._behind[peer, said] = found
        return found

    def _told(self, peer: str, said: bytes) -> str:
        """The first address, from the right, that is no trusted proxy; where something else stands there, the last proxy before it."""
        parts = said[-LENGTH_MAX:].decode("latin-1").split(",")
        last = peer
        for part in reversed(parts[1 if len(said) > LENGTH_MAX else 0 :][-HOPS_MAX:]):
            address = parse_address(_host(_pair(part, "for") if self._header == FORWARDED else part.strip()))
            if address is None:
                break
            last = str(address)
            if address not in self._proxies:
                break
        return last


def _pair(element: str, wanted: str) -> str:
    """One value of an element of ``Forwarded``: ``for=192.0.2.60;proto=http``, ``For="[2001:db8::1]:4711"``."""
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == wanted:
            return value.strip().strip('"')
    return ""


def _host(text: str) -> str:
    """Without brackets and port: some proxies write the port, too."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, port = text.rpartition(":")
    return host if colon and ":" not in host and port.isdigit() else text
