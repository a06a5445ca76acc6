"""Which token services may be asked on behalf of a registry, and given its login.

A registry names its token service itself, in its challenge. A hostile or hijacked one would name its own: that is
how logins were stolen from containerd (CVE-2020-15157), oras-go (CVE-2026-48978) and distribution (CVE-2026-33540).
"""

from __future__ import annotations

from collections.abc import Collection

from unhub.data.endpoints import Endpoints, builtin_endpoints
from unhub.registry.addresses import WebAddress, is_loopback, literal, parse_url


def check_realm(realm: str, endpoint: WebAddress, listed: Collection[str] = ()) -> WebAddress:
    """The realm in parts, where it is the registry's own; ``listed`` are further hosts that are trusted.

    Trusted are: the registry's own host at any port; any loopback port for a registry on loopback; hosts listed for
    the registry; hosts with which it shares a domain that somebody owns (:func:`same_owner`). Raises
    :class:`ValueError` with the reason for everything else; then neither login nor request may be sent.
    """
    address = parse_url(realm)
    local = is_loopback(address.host) and is_loopback(endpoint.host)
    if address.scheme != "https" and not local:
        raise ValueError("it is not https")
    if local or address.host == endpoint.host:
        return address
    if is_loopback(address.host) or literal(address.host) is not None:
        raise ValueError("it is an address, and not the registry's own")
    if address.host in listed or same_owner(address.host, endpoint.host):
        return address
    raise ValueError("it is outside of the registry's own domain")


def same_owner(one: str, other: str, data: Endpoints | None = None) -> bool:
    """Whether two host names surely belong to one owner.

    There is no list of all public suffixes here, so this is careful: they must share a domain of two labels or more
    that is none below which anybody can have a name (dated data, ``endpoints.toml``). ``registry.example.com`` and
    ``auth.example.com`` are one owner's; two names below ``co.uk`` or ``amazonaws.com`` are not.
    """
    if one == other:
        return True
    data = data or builtin_endpoints()
    try:
        if literal(one) is not None or literal(other) is not None:
            return False
    except ValueError:
        return False
    common = _common(one, other)
    if len(common) < 2:
        return False
    domain = ".".join(common)
    if domain in data.shared_names("suffix"):
        return False
    if any(domain == host or domain.endswith("." + host) for host in data.shared_names("hosting")):
        return False
    return not (len(common) == 2 and len(common[1]) == 2 and common[0] in data.shared_names("second-level"))


def _common(one: str, other: str) -> list[str]:
    """The labels that two names end in alike, from left to right."""
    shared: list[str] = []
    for left, right in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if left != right:
            break
        shared.append(left)
    return shared[::-1]
