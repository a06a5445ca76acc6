"""One range of bytes (RFC 9110, 14): several at once are answered whole, which is allowed and which all clients take."""

from __future__ import annotations

import re
from typing import Final

from unhub.image.errors import ServeError

_ONE: Final = re.compile(rb"bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*")


class Unsatisfiable(ServeError):
    """416: the range lies outside of the ``size`` bytes that there are."""

    def __init__(self, size: int) -> None:
        super().__init__(f"cannot send this range: there are {size} bytes", status=416, registry_code="SIZE_INVALID")
        self.size = size


def parse_range(header: bytes | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last, or ``None`` where everything is to be sent.

    An end beyond the end is clipped. Raises :class:`Unsatisfiable` where nothing would be left (registry-protocol.md, rule 11).
    """
    if header is None:
        return None
    match = _ONE.fullmatch(header)
    if match is None or match.groups() == (b"", b""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= end:
        raise Unsatisfiable(size)
    return start, end
