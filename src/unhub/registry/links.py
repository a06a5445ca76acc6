"""The ``Link`` header: where the next page of a list is (RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from unhub.registry.addresses import WebAddress, join_url

_LINK = re.compile(r"<([^<>]*)>((?:[ \t]*;[ \t]*[^\s=;,\"]+(?:[ \t]*=[ \t]*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)")
_PARAMETER = re.compile(r";[ \t]*([^\s=;,\"]+)(?:[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*)))?")


def next_page(lines: Iterable[str], current: WebAddress) -> WebAddress | None:
    """The link with ``rel="next"``, absolute or relative to the page; ``None`` on the last page.

    Raises :class:`ValueError` where it leads to another scheme, host or port than the page's own.
    """
    for line in lines:
        for match in _LINK.finditer(line[:16384]):
            if "next" not in _relations(match[2]):
                continue
            address = join_url(current, match[1])
            if address.origin != current.origin:
                raise ValueError("its next page is at another host")
            return address
    return None


def _relations(parameters: str) -> list[str]:
    """The words of ``rel``, in lower case; of several only the first counts."""
    for name, quoted, bare in _PARAMETER.findall(parameters):
        if name.lower() == "rel":
            return (quoted or bare).lower().split()
    return []
