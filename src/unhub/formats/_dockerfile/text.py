"""Bytes of a Dockerfile with the place of each in the file: what joining and unquoting leave over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from unhub.formats._text import decode
from unhub.image.found import Part, Span

_SPACE = rb"(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)"
_LEADING = re.compile(_SPACE + rb"*")
_TRAILING = re.compile(_SPACE + rb"+\Z")
_SPACE_LENGTH_MAX = 3


def leading_space(text: bytes, start: int = 0) -> int:
    """Where the first byte that is not white space stands; Go's ``unicode.IsSpace`` decides."""
    match = _LEADING.match(text, start)
    return match.end() if match else start


def _trailing_space(text: bytes) -> int:
    """Length of ``text`` without the white space at its end, in time linear in that white space."""
    end = len(text)
    while end:
        window = max(0, end - _SPACE_LENGTH_MAX)
        match = _TRAILING.search(text, window, end)
        if match is None:
            return end
        end = match.start()
    return 0


class Spelled(Struct, frozen=True):
    """``data``, where each of its bytes stands in the file, and where the byte behind it would.

    Joining lines and removing quotes only drops bytes, so every byte left has one place.
    """

    data: bytes
    places: Sequence[int]
    end: int

    @classmethod
    def at(cls, data: bytes, start: int, end: int) -> Spelled:
        """The bytes ``start`` to ``end`` of a file."""
        return cls(data[start:end], range(start, end), end)

    def __len__(self) -> int:
        return len(self.data)

    def place(self, index: int) -> int:
        """The place of the byte ``index``, or of the end."""
        return self.places[index] if index < len(self.places) else self.end

    def cut(self, start: int, end: int) -> Spelled:
        """The bytes ``start`` to ``end``."""
        last = self.places[end - 1] + 1 if end > start else self.place(start)
        return Spelled(self.data[start:end], self.places[start:end], last)

    def pick(self, indices: Sequence[int], end: int) -> Spelled:
        """The bytes at ``indices``; ``end`` is the index where an empty text stands."""
        if not indices:
            return self.cut(end, end)
        places = [self.places[index] for index in indices]
        return Spelled(bytes(self.data[index] for index in indices), places, places[-1] + 1)

    def trimmed(self) -> Spelled:
        """Without white space at both ends."""
        end = _trailing_space(self.data)
        return self.cut(min(leading_space(self.data), end), end)

    @property
    def span(self) -> Span:
        """From the first to the last byte in the file; an empty text stands at its end."""
        return Span(self.places[0], self.places[-1] + 1) if self.data else Span(self.end, self.end)

    @property
    def text(self) -> str:
        """The bytes as text."""
        return decode(self.data)

    def parts(self) -> Iterator[Part]:
        """One part for each run of bytes that stand together in the file."""
        if self.data and isinstance(self.places, range):
            yield Part(self.text, self.span)
            return
        start = 0
        for index in range(1, len(self.data) + 1):
            if index == len(self.data) or self.places[index] != self.places[index - 1] + 1:
                yield Part(decode(self.data[start:index]), Span(self.places[start], self.places[index - 1] + 1))
                start = index


def joined(pieces: Sequence[Spelled]) -> Spelled:
    """Texts one behind the other, as one."""
    if len(pieces) == 1:
        return pieces[0]
    places: list[int] = []
    for piece in pieces:
        places.extend(piece.places)
    return Spelled(b"".join(piece.data for piece in pieces), places, pieces[-1].end)
