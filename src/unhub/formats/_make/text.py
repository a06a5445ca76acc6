"""Text in a makefile: what make replaces before a shell sees it (GNU make manual, 6.1 "Basics of Variable References")."""

from __future__ import annotations

import re
from typing import Final

from unhub.formats._shell.tree import Expansion, Text, Word
from unhub.formats._shell.word import FILLED_IN
from unhub.formats._text import Mapped, Piece, decode
from unhub.image.found import Span

_SHELL = re.compile(rb"[({]shell[ \t]+")
_CONTINUATION = re.compile(rb"[ \t]*\\\r?\n[ \t]*")
_UNNAMED: Final = re.compile(rb"[\x01\x02\r\n]")
_CLOSERS = {b"(": b")", b"{": b"}"}
_DEPTH_MAX = 40


def variable(name: str) -> str:
    """What a make variable is called among the variables of a shell."""
    return FILLED_IN + name


class _Pieces:
    """Collects the text that the shell gets, and where each byte of it stands."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.out = bytearray()
        self.pieces: list[Piece] = []

    def copy(self, start: int, end: int) -> None:
        if end > start:
            self.pieces.append(Piece(len(self.out), start, end - start))
            self.out += self.data[start:end]

    def spell(self, text: bytes, span: Span) -> None:
        if text:
            self.pieces.append(Piece(len(self.out), span.start, len(text), literal=False, width=span.end - span.start))
            self.out += text


def as_shell_text(data: bytes, start: int, end: int) -> Mapped:
    """The bytes of a recipe line or value as the shell gets them, make's variables as placeholders."""
    pieces = _Pieces(data)
    _fill(pieces, start, end, 0)
    return Mapped(bytes(pieces.out), tuple(pieces.pieces))


def as_word(data: bytes, start: int, end: int) -> Word:
    """The value of a variable as one word whose expansions are make's."""
    pieces = _Pieces(data)
    at = start
    for continuation in _CONTINUATION.finditer(data, start, end):
        _fill(pieces, at, continuation.start(), _DEPTH_MAX)
        pieces.spell(b" ", Span(*continuation.span()))
        at = continuation.end()
    _fill(pieces, at, end, _DEPTH_MAX)
    return Word(Span(start, end), tuple(_part(piece, bytes(pieces.out)) for piece in pieces.pieces))


def _part(piece: Piece, text: bytes) -> Text | Expansion:
    raw = text[piece.inner : piece.inner + piece.length]
    span = Span(piece.outer, piece.outer_end)
    if raw.startswith(b"\x01") and not piece.literal:
        return Expansion(span, FILLED_IN + decode(raw[1:-1]))
    return Text(decode(raw), span, literal=piece.literal)


def _fill(pieces: _Pieces, start: int, end: int, depth: int) -> None:
    """Copy a text with its references replaced; commands of ``$(shell …)`` only below the greatest depth."""
    at = start
    while (dollar := pieces.data.find(b"$", at, end)) >= 0:
        pieces.copy(at, dollar)
        at = _reference(pieces, dollar, end, depth)
    pieces.copy(at, end)


def _reference(pieces: _Pieces, dollar: int, end: int, depth: int) -> int:
    """Put one ``$…`` in; returns the place behind it."""
    data = pieces.data
    following = data[dollar + 1 : min(dollar + 2, end)]
    if following == b"$":
        pieces.spell(b"$", Span(dollar, dollar + 2))
        return dollar + 2
    if following not in _CLOSERS:
        stop = min(dollar + 2, end)
        pieces.spell(_placeholder(following), Span(dollar, stop))
        return stop
    close = _closing(data, dollar + 1, end)
    shell = _SHELL.match(data, dollar + 1, end)
    if shell and depth < _DEPTH_MAX:
        pieces.spell(b"$(", Span(dollar, shell.end()))
        _fill(pieces, shell.end(), close - 1, depth + 1)
        pieces.spell(b")", Span(close - 1, close))
    else:
        pieces.spell(_placeholder(data[dollar + 2 : close - 1]), Span(dollar, close))
    return close


def _placeholder(name: bytes) -> bytes:
    return b"\x01" + _UNNAMED.sub(b" ", name) + b"\x02"


def _closing(data: bytes, opening: int, end: int) -> int:
    """The place behind the bracket that closes the one at ``opening``."""
    bracket = data[opening : opening + 1]
    closer = _CLOSERS[bracket]
    level = 0
    for match in re.compile(re.escape(bracket) + b"|" + re.escape(closer)).finditer(data, opening, end):
        level += 1 if match[0] == bracket else -1
        if level == 0:
            return match.end()
    return end
