"""Network addresses: URLs read strictly, and which hosts are this machine, a private network, or neither."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urljoin

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<userinfo>[^/?#]*)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*))(?::(?P<port>\d{1,5}))?"
    r"(?P<target>(?:[/?][^#]*)?)(?:#.*)?",
    re.IGNORECASE,
)
_NUMERIC_LABEL = re.compile(r"\d+|0[xX][0-9a-fA-F]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL in parts: ``host`` in lower case without brackets, ``target`` is path and query as they were written."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for a login to be sent along."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """Host and port, the port left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"


def parse_url(text: str) -> WebAddress:
    """Read an absolute http or https URL.

    Raises :class:`ValueError` with the reason for anything that two programs may read differently: spaces, controls,
    backslashes, other characters than ASCII, a user name in it, another scheme.
    """
    if not text.isascii() or any(char <= " " or char in "\\\x7f" for char in text):
        raise ValueError("it has characters that no URL has")
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("it is no http or https URL")
    if match["userinfo"] is not None:
        raise ValueError("it has a user name in it")
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else (443 if scheme == "https" else 80)
    if not 0 < port < 65536:
        raise ValueError("it has an impossible port")
    host = match["host"].lower().strip("[]").removesuffix(".")
    return WebAddress(scheme, host, port, match["target"] or "")


def join_url(base: WebAddress, location: str) -> WebAddress:
    """The absolute form of a ``Location`` or ``Link``. Raises :class:`ValueError` as :func:`parse_url` does."""
    if not location.isascii() or any(char <= " " or char in "\\\x7f" for char in location):
        raise ValueError("it has characters that no URL has")
    return parse_url(urljoin(str(base), location))


def literal(host: str) -> Address | None:
    """The address that ``host`` spells, ``None`` for a name. Raises :class:`ValueError` for odd spellings.

    Resolvers also read ``2130706433``, ``0x7f.1`` and ``127.1`` as addresses; no honest host is written so.
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if ":" in host or _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        raise ValueError("its host is a number that is no plain address")
    return None


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, without port) is this machine by its very name."""
    if host.lower() == "localhost":
        return True
    try:
        address = literal(host.strip("[]"))
    except ValueError:
        return False
    return address is not None and _plain(address).is_loopback


def is_public(address: Address) -> bool:
    """Whether an address is reachable from everywhere: neither private, loopback, link-local, shared nor reserved."""
    plain = _plain(address)
    return plain.is_global and not plain.is_multicast


def is_link_local(address: Address) -> bool:
    """Whether an address is link-local, as the metadata services of clouds are, or no host's at all."""
    plain = _plain(address)
    return plain.is_link_local or plain.is_unspecified or plain.is_multicast or str(plain) == "fd00:ec2::254"


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
