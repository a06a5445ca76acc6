"""From a stream of bytes to numbered lines, in bounded memory whatever the stream holds."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

CHUNK: Final = 65_536
"""Bytes read at a time."""

LINE_MAX: Final = 32_768
"""Bytes of a line that are looked at in one piece; a longer line comes in several pieces."""

OVERLAP: Final = 2_048
"""Bytes at the end of a piece that the next one begins with, so that no text is cut in two."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line, or a piece of a long one: its number from 1, its bytes without the line end."""

    number: int
    data: bytes


class Splitter:
    """Cuts a stream into lines; feed it in pieces of any size.

    UTF-16 with a byte-order mark, as PowerShell writes it, becomes UTF-8.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._number = 1
        self._started = False
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> Iterator[RawLine]:
        """The lines that end in, and the pieces that are filled by, some more bytes."""
        self._rest += self._recoded(data)
        if not self._started:
            return
        start = 0
        while (end := self._rest.find(b"\n", start)) >= 0:
            yield from self._pieces(bytes(self._rest[start:end]))
            self._number += 1
            start = end + 1
        del self._rest[:start]
        while len(self._rest) > LINE_MAX:
            yield RawLine(self._number, bytes(self._rest[:LINE_MAX]))
            del self._rest[: LINE_MAX - OVERLAP]

    def end(self) -> Iterator[RawLine]:
        """What is left when the stream has ended."""
        if not self._started:
            self._started = True
            yield from self.feed(b"")
        if self._rest:
            yield from self._pieces(bytes(self._rest))
            self._rest.clear()

    def _pieces(self, line: bytes) -> Iterator[RawLine]:
        for start in range(0, max(len(line) - OVERLAP, 1), LINE_MAX - OVERLAP):
            yield RawLine(self._number, line[start : start + LINE_MAX])

    def _recoded(self, data: bytes) -> bytes:
        if not self._started:
            head = bytes(self._rest) + data
            if len(head) < 2:
                return data
            self._started = True
            if head.startswith(_UTF_16):
                self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
                self._rest.clear()
                data = head
            elif head.startswith(codecs.BOM_UTF8):
                self._rest.clear()
                data = head[len(codecs.BOM_UTF8) :]
        return self._decoder.decode(data).encode("utf-8", "replace") if self._decoder else data


def lines(stream: BinaryIO) -> Iterator[RawLine]:
    """Every line of a stream, to its end."""
    splitter = Splitter()
    while data := stream.read(CHUNK):
        yield from splitter.feed(data)
    yield from splitter.end()
