"""HTTP requests and answers as plain values, so that what decides about them needs no network.

Neither shows its secrets: headers, bodies and the query of a URL (signed links) stay out of ``repr()``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: ``url`` is absolute and already encoded; ``body`` is sent as it is."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The URL without its query, for people and logs."""
        return self.url.partition("?")[0]

    def with_headers(self, more: Mapping[str, str]) -> Request:
        """The same request with headers added."""
        return replace(self, headers={**self.headers, **more})

    def __repr__(self) -> str:
        return f"Request({self.method} {self.shown})"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. ``headers`` keeps every line, ``body`` is as far as it was read, ``host`` and port who gave it."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    host: str = ""

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every line of a header, in any case of letters."""
        return tuple(value for key, value in self.headers if key.lower() == name.lower())

    def header(self, name: str) -> str | None:
        """The first line of a header, ``None`` where there is none."""
        return next(iter(self.all(name)), None)

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case; empty where none was said."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @property
    def is_web_page(self) -> bool:
        """Whether this is HTML, which no registry speaks: a portal, a firewall or a proxy answered."""
        return self.media_type in ("text/html", "application/xhtml+xml") or self.body[:64].lstrip().lower().startswith(
            (b"<!doctype", b"<html")
        )
