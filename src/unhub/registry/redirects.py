"""Redirects: where a registry may send us, and what it may not make us ask."""

from __future__ import annotations

from typing import Final

from unhub.registry.addresses import WebAddress, is_link_local, is_loopback, is_public, join_url, literal

STATUSES: Final = frozenset({301, 302, 303, 307, 308})
HOPS_MAX: Final = 5


def next_address(current: WebAddress, location: str, *, registry_is_private: bool) -> WebAddress:
    """Where a ``Location`` leads. Raises :class:`ValueError` with the reason where nobody should go.

    https only, but for plain http from this machine to itself. A registry on the internet may not send us to
    private or link-local addresses, one in a private network not to link-local ones; what a *name* leads to is
    checked when it is resolved (:class:`unhub.registry.transport.Reach`).
    """
    address = join_url(current, location)
    local = is_loopback(address.host) and is_loopback(current.host)
    if address.scheme != "https" and not local:
        raise ValueError("it is not https")
    if local or address.host == current.host:
        return address
    number = literal(address.host)
    if is_loopback(address.host) or (number is not None and is_link_local(number)):
        raise ValueError("it is an address that only this machine can reach")
    if number is not None and not is_public(number) and not registry_is_private:
        raise ValueError("it is a private address, and the registry is on the internet")
    return address
