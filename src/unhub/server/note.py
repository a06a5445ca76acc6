"""What is known of one request by the time it is answered: for the log and the counters."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


class Note:
    """Filled on the way. ``bytes`` are those *answered*: how many were sent nobody tells who sends whole files.

    ``cache`` is ``hit``, ``stale``, ``miss`` or ``flight``, and empty where nothing was looked for. ``address`` is the
    client's, ``caller`` what is counted as one of it (:func:`caller_of`); ``account`` is the one that it has proved to
    belong to (12 digits), empty for anybody else. ``in_region`` ones ask from inside AWS; what is answered to an ``exempt`` one
    counts toward no limit.
    """

    __slots__ = ("account", "address", "bytes", "cache", "caller", "door", "exempt", "in_region", "name", "reference", "status")

    def __init__(self, caller: str, address: str = "", in_region: bool = False, exempt: bool = False) -> None:
        self.status = 0
        self.bytes = 0
        self.door = ""
        self.name = ""
        self.reference = ""
        self.cache = ""
        self.caller = caller
        self.address = address
        self.account = ""
        self.in_region = in_region
        self.exempt = exempt


@lru_cache(maxsize=4096)
def caller_of(host: str) -> str:
    """Who is counted as one caller: an IPv4 address, or an IPv6 network of 64 bits, since each client has all of that."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_loopback:
        return str(address)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
