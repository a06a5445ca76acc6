"""Who may ask: whoever has the admin token; and anybody on this machine for what only tells and changes nothing."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from typing import Any, Final

Header = tuple[bytes, bytes]

_FORWARDED: Final = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})
_LOCAL_NAMES: Final = frozenset({"localhost"})


def has_token(headers: Iterable[Header], token: str) -> bool:
    """Whether ``Authorization`` is a Bearer with the admin token; how long that takes tells nothing about it."""
    said = [value for name, value in headers if name == b"authorization"]
    if len(said) != 1 or not token:
        return False
    kind, _, given = said[0].partition(b" ")
    return kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode())


def is_local(scope: dict[str, Any]) -> bool:
    """Whether a request comes from this machine itself, and not through a proxy or a page in somebody's browser.

    A page of a stranger can make a browser ask 127.0.0.1 under a name of the stranger's (DNS rebinding): the name must be local, too.
    """
    client = scope.get("client")
    if client is None or not _is_loopback(str(client[0])):
        return False
    headers: list[Header] = scope["headers"]
    if any(name in _FORWARDED for name, _ in headers):
        return False
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    return len(hosts) == 1 and (_without_port(hosts[0]).lower() in _LOCAL_NAMES or _is_loopback(_without_port(hosts[0])))


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
