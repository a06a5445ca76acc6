"""A part of a file, read without holding up the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

PIECE: Final = 256 * 1024
"""Bytes that are read and sent at once."""

SMALL_PIECE: Final = 8 * 1024
"""The same where there are many clients: the server takes in about ten of them before a client does."""

_AT_ONCE: Final = getattr(os, "RWF_NOWAIT", 0)


async def read_file(path: Path, start: int, end: int, piece_max: int = PIECE) -> AsyncGenerator[bytes]:
    """The bytes from ``start`` up to, not including, ``end``; fewer where the file is shorter. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while start < end:
            wanted = min(piece_max, end - start)
            piece = _from_memory(descriptor, wanted, start) or await asyncio.to_thread(os.pread, descriptor, wanted, start)
            if not piece:
                return
            start += len(piece)
            yield piece
    finally:
        os.close(descriptor)


def _from_memory(descriptor: int, wanted: int, start: int) -> bytes:
    """What the page cache has; nothing where the disk would have to be waited for."""
    if not _AT_ONCE:
        return b""
    buffer = bytearray(wanted)
    try:
        count = os.preadv(descriptor, [buffer], start, _AT_ONCE)
    except OSError:
        return b""
    return bytes(memoryview(buffer)[:count])
