"""The request log: one JSON line an answer, encoded at once and written by a thread, so that no reader slows the mirror."""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import Final

import msgspec

from unhub.server.note import Note

EVERY: Final = 0.1
"""Seconds between two writes."""

BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes that wait at most for whoever reads the log; beyond that lines are dropped, and counted."""

PIPE_MAX: Final = 4096
"""Bytes that a pipe takes whole, so that lines of two workers do not mix (PIPE_BUF, pipe(7))."""

TEXT_MAX: Final = 300


class _Line(msgspec.Struct, omit_defaults=True):
    time: str
    method: str
    status: int
    bytes: int
    ms: float
    caller: str
    door: str = ""
    name: str = ""
    reference: str = ""
    cache: str = ""
    path: str = ""
    dropped: int = 0


class RequestLog:
    """Writes to a file descriptor until it is closed. ``bytes`` in a line are those answered."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._waiting = 0
        self._dropped = 0
        self._second = 0
        self._prefix = ""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)
        self._piece_max = PIPE_MAX if _is_pipe(descriptor) else BYTES_MAX
        self._thread.start()

    def answered(self, method: str, path: str, note: Note, seconds: float) -> None:
        """Write a line. ``path`` is told where no repository was understood; queries never are, they may hold secrets."""
        if self._waiting > BYTES_MAX:
            self._dropped += 1
            return
        line = self._encode(
            _Line(
                self._time(),
                method[:TEXT_MAX],
                note.status,
                note.bytes,
                round(seconds * 1000, 3),
                note.caller,
                note.door,
                note.name[:TEXT_MAX],
                note.reference[:TEXT_MAX],
                note.cache,
                "" if note.name else path[:TEXT_MAX],
                self._dropped,
            )
        )
        self._dropped = 0
        self._waiting += len(line) + 1
        self._lines.append(line)

    def close(self) -> None:
        """Write what waits, for a moment at most, and end."""
        self._ending.set()
        self._thread.join(2.0)

    def _time(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((now - second) * 1000):03d}Z"

    def _run(self) -> None:
        while not self._ending.wait(EVERY):
            if not self._write():
                return
        self._write()

    def _write(self) -> bool:
        """Write what waits; whether anybody still reads."""
        lines, self._lines = self._lines, []
        if not lines:
            return True
        try:
            for piece in _pieces(lines, self._piece_max):
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except OSError:
            return False
        self._waiting -= sum(len(line) + 1 for line in lines)
        return True


def _pieces(lines: list[bytes], limit: int) -> list[bytes]:
    """The lines joined, in pieces of whole lines that are no longer than ``limit`` where that can be."""
    if limit >= BYTES_MAX:
        return [b"\n".join(lines) + b"\n"]
    pieces: list[bytes] = []
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) + 1 > limit:
            pieces.append(b"\n".join(piece) + b"\n")
            piece, size = [], 0
        piece.append(line)
        size += len(line) + 1
    pieces.append(b"\n".join(piece) + b"\n")
    return pieces


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False
