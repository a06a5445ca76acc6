"""A request and its answer as values, so that everything a stand-in decides is decided without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

API_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
"""dockerd looks for this header before it believes that it speaks to a registry."""


class Site(StrEnum):
    """The hosts that a stand-in plays."""

    REGISTRY = "registry"
    TOKEN = "token"  # noqa: S105 - the name of a host, no secret
    CDN = "cdn"
    API = "api"


class Kind(StrEnum):
    """What a request is about."""

    VERSION = "version"
    MANIFEST = "manifest"
    BLOB = "blob"
    TAGS = "tags"
    REFERRERS = "referrers"
    TOKEN = "token"  # noqa: S105 - the name of a kind of request
    CONTENT = "content"
    API = "api"
    CONTROL = "control"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``address`` is the caller's IP address; header names are looked up whatever their case."""

    site: Site
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)
    address: str = "127.0.0.1"
    scopes: tuple[str, ...] = ()
    """Every ``scope`` of the query, which may be there more than once."""
    accept: str = ""
    """What the client accepts: all of its ``Accept`` lines (skopeo sends one a media type), joined by commas."""

    @property
    def authorization(self) -> tuple[str, str]:
        """The scheme in lower case and what follows it; empty texts without the header."""
        scheme, _, rest = self.headers.get("Authorization", "").partition(" ")
        return scheme.lower(), rest.strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. The body may be a view of a large blob; ``size`` is what ``Content-Length`` says if that is not its length."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes | memoryview = field(default=b"", repr=False)
    caller: str = ""
    size: int | None = None


class Service(Protocol):
    """One host: it decides, and sends nothing."""

    def answer(self, asked: Asked) -> Answer:
        """What to say."""
        ...


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None, *, caller: str = "") -> Answer:
    """An answer in JSON that ends with a newline, as both services write it."""
    body = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    return Answer(status, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}, body, caller)


def error(status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, caller: str = "", **detail: object) -> Answer:
    """An error by the distribution specification: ``{"errors": [{"code", "message", "detail"}]}``."""
    row = {"code": code, "message": message, **detail}
    return json_answer(status, {"errors": [row]}, {**API_VERSION, **(headers or {})}, caller=caller)


def text_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in plain text."""
    return Answer(status, {"Content-Type": "text/plain", **(headers or {})}, text.encode())
