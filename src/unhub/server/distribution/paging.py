"""Lists in pages: ``?n=``, ``?last=`` and the ``Link`` to the next one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from unhub.image.errors import ServeError
from unhub.server.distribution.answers import Header
from unhub.server.distribution.request import Request

PAGE_MAX: Final = 10_000
"""Entries of the longest page; whoever asks for more, or for no number, gets these and a link."""


def page_size(request: Request, most: int = PAGE_MAX) -> int:
    """``n``, at most ``most``. Raises :class:`ServeError` for what is no number from 0."""
    said = request.parameter("n")
    if said is None:
        return most
    if not (said.isascii() and said.isdigit()):
        raise ServeError("cannot use n: it is not a number from 0", status=400, registry_code="PAGINATION_NUMBER_INVALID")
    return most if len(said) > 9 else min(int(said), most)


def page(entries: Sequence[str], request: Request, most: int = PAGE_MAX) -> tuple[Sequence[str], bool]:
    """The entries of the page that is asked for, out of sorted ones, and whether more follow."""
    size = page_size(request, most)
    start = bisect_right(entries, request.parameter("last") or "")
    return entries[start : start + size], size > 0 and start + size < len(entries)


def next_link(request: Request, last: str, size: int, *kept: str) -> Header:
    """``Link`` to the page after ``last``; the parameters ``kept`` are repeated in it."""
    repeated = [(name, value) for name in kept if (value := request.parameter(name)) is not None]
    path = request.scope["raw_path"].decode("ascii")
    return (b"link", f'<{path}?{urlencode([*repeated, ("n", size), ("last", last)])}>; rel="next"'.encode("ascii"))
