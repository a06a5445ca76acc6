"""The names of AWS's hosts that are answered here, and those that only look like it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from unhub.data.control_plane import REGION, ApiHost, Service

_REGION: Final = "[a-z]{2}(?:-[a-z]+)+-[0-9]"
_CREDENTIAL = re.compile(rf"Credential=[^/,&]{{0,256}}/[^/,&]{{0,256}}/({_REGION})/([a-z0-9-]+)/aws4_request")
KNOWN_MAX: Final = 512
"""Names whose meaning is remembered."""

NAME_MAX: Final = 300
"""Bytes of the longest name that may be one, with its port."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a request came in. No ``service`` and no ``region``: a signature says for which it was made.

    ``served`` is false for the name of a region that does not have the service: at AWS there is no such host.
    """

    service: Service | None = None
    region: str | None = None
    served: bool = True


ANY: Final = Endpoint()
"""A socket of the API's own, under whatever name."""


def signed_for(scope: dict[str, Any]) -> tuple[str, str] | None:
    """The service and region that a request (ASGI) says it is signed for; nothing of that is verified."""
    said = next((value for name, value in scope["headers"] if name == b"authorization"), scope["query_string"])
    found = _CREDENTIAL.search(unquote(said[:8192].decode("latin-1")))
    return (found[2], found[1]) if found else None


class Hosts:
    """Reads ``Host``."""

    def __init__(self, rows: Sequence[ApiHost]) -> None:
        self._rows = [(re.compile(_pattern(row.id)), row) for row in rows]
        self._known: dict[bytes, Endpoint | None] = {}

    def of(self, scope: dict[str, Any]) -> Endpoint | None:
        """The endpoint that a request (ASGI) asks for; ``None`` where its host is none of AWS's API."""
        for name, value in scope["headers"]:
            if name in (b"host", b":authority"):
                return self._remembered(value)
        return None

    def find(self, host: str) -> Endpoint | None:
        """The endpoint of a host's name, with or without a port."""
        name = host.partition(":")[0].lower().removesuffix(".")
        elsewhere: Endpoint | None = None
        for pattern, row in self._rows:
            found = pattern.fullmatch(name)
            if found is None:
                continue
            region = found["region"] if REGION in row.id else row.regions[0]
            if not row.regions or region in row.regions:
                return Endpoint(row.service, region)
            elsewhere = Endpoint(row.service, region, served=False)
        return elsewhere

    def _remembered(self, raw: bytes) -> Endpoint | None:
        if len(raw) > NAME_MAX:
            return None
        if raw not in self._known:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[raw] = self.find(raw.decode("latin-1"))
        return self._known[raw]


def _pattern(template: str) -> str:
    return re.escape(template).replace(re.escape(REGION), f"(?P<region>{_REGION})")
