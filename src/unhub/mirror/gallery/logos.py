"""The logo of a repository: a PNG, of which no more is looked at than its size."""

from __future__ import annotations

import zlib
from typing import Final

from unhub.data.control_plane import ApiLimit

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_LENGTH: Final = 13


def wrong_logo(data: bytes, pixels: ApiLimit) -> str:
    """Why it is no logo; empty where it is one. ``pixels`` bounds width and height."""
    size = _size(data)
    if size is None:
        return "must be a PNG image"
    if not all(pixels.least <= side <= pixels.most for side in size):
        return f"must be between {pixels.least} and {pixels.most} pixels wide and high, not {size[0]} x {size[1]}"
    return ""


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height by the first chunk, which is always the header (PNG specification, 11.2.2)."""
    chunk = data[8 : 8 + 8 + _HEADER_LENGTH + 4]
    if not data.startswith(_SIGNATURE) or len(chunk) < 8 + _HEADER_LENGTH + 4 or chunk[:8] != _HEADER_LENGTH.to_bytes(4, "big") + b"IHDR":
        return None
    body, checksum = chunk[4 : 8 + _HEADER_LENGTH], chunk[-4:]
    if zlib.crc32(body).to_bytes(4, "big") != checksum:
        return None
    return int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
