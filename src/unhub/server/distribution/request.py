"""A request as the handlers read it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from unhub.image.errors import ServeError
from unhub.mirror.names import Name
from unhub.server.distribution.answers import Header, Receive
from unhub.server.distribution.routing import Route

FIELDS_MAX: Final = 200
"""Parameters of the longest query that is read."""

QUERY_LENGTH_MAX: Final = 32 * 1024
"""Bytes of the longest query: a hundred tags of a manifest fit."""


class Request:
    """Method, route, query and headers of one request; ``name`` is the repository where the route has one."""

    __slots__ = ("headers", "method", "name", "owner", "query", "receive", "route", "scope")

    def __init__(self, scope: dict[str, Any], receive: Receive, route: Route, query: dict[str, list[str]]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers: list[Header] = scope["headers"]
        self.receive = receive
        self.route = route
        self.query = query
        self.name: Name | None = None
        self.owner = ""

    def header(self, name: bytes) -> bytes | None:
        """The first header of a name (lower case), or ``None``."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, or ``None``."""
        values = self.query.get(name)
        return values[0] if values else None

    @property
    def repository(self) -> Name:
        """The repository; every route that uses this has one."""
        if self.name is None:
            raise ServeError("cannot answer without a name", status=400, registry_code="NAME_INVALID")
        return self.name

    @property
    def content_length(self) -> int | None:
        """``Content-Length``, or ``None`` where it is not said. Raises :class:`ServeError` for what is no number."""
        said = self.header(b"content-length")
        if said is None:
            return None
        if not said.isdigit() or len(said) > 19:
            raise ServeError("cannot read Content-Length", status=400, registry_code="SIZE_INVALID")
        return int(said)


def parse_query(query: bytes) -> dict[str, list[str]]:
    """The parameters of a query. Raises :class:`ServeError` where it is too long or no UTF-8."""
    if not query:
        return {}
    if len(query) > QUERY_LENGTH_MAX:
        raise ServeError("cannot read the query: it is too long", status=414, registry_code="UNSUPPORTED")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (ValueError, UnicodeError):
        raise ServeError("cannot read the query", status=400, registry_code="UNSUPPORTED") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
