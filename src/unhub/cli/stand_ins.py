"""Registries on this machine that stand in for real ones, in tests and demonstrations."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Whether a host name or address, with or without a port, is this machine's own."""
    from ipaddress import ip_address

    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
