"""The logos of repositories, under the URLs that the API gives for them: public, as the catalog is."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from unhub.server.control_plane.wire import Header, Message, Send
from unhub.store.protocols_identity import Registrations
from unhub.store.records import RepositoryKey

PREFIX: Final = "/logo/"

_PATH = re.compile(r"/logo/([a-z0-9._-]{1,50})/([a-z0-9._/-]{1,205})/([0-9a-f]{64})\.png")

_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"image/png"),
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'"),
)
"""The digest in the URL is the picture's: it never changes. What was uploaded is a picture and nothing else to any browser."""


def logo_path(key: RepositoryKey, logo: str) -> str:
    """Where a logo is had; ``logo`` is its SHA-256 in hexadecimal."""
    return f"{PREFIX}{key.alias}/{key.path}/{logo}.png"


async def send_logo(registrations: Registrations, scope: Message, send: Send) -> None:
    """Answer a request for a logo (ASGI)."""
    found = _PATH.fullmatch(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
    data = await registrations.logo(RepositoryKey(found[1], found[2])) if found else None
    is_there = data is not None and found is not None and hashlib.sha256(data).hexdigest() == found[3]
    body = data if is_there and data is not None else b"There is no such logo.\n"
    headers = _HEADERS if is_there else ((b"content-type", b"text/plain"),)
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200 if is_there else 404, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
