"""The ``Link`` header: where the next page of a list is (RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from unhub.registry.addresses import WebAddress, join_url

_LINK = re.compile(r"<([^<>]*)>((?:[ \t]*;[ \t]*[^\s=;,\"]+(?:[ \t]*=[ \t]*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)")
_REL = re.compile(r";[ \t]*rel[ \t]*=[ \t]*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def next_page(lines: Iterable[str], current: WebAddress) -> WebAddress | None:
    """The link with ``rel="next"``, absolute or relative to the page; ``None`` on the last page.

    Raises :class:`ValueError` where it leads to another scheme, host or port than the page's own.
    """
    for line in lines:
        for match in _LINK.finditer(line[:16384]):
            relation = _REL.search(match[2])
            if relation is None or "next" not in (relation[1] or relation[2] or "").lower().split():
                continue
            address = join_url(current, match[1])
            if address.origin != current.origin:
                raise ValueError("its next page is at another host")
            return address
    return None
