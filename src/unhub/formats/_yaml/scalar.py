"""The value of a YAML scalar and where each byte of it stands (YAML 1.2.2, chapters 7.3 and 8.1)."""

from __future__ import annotations

import re
from itertools import takewhile

from msgspec import Struct

from unhub.formats._text import Mapped, Piece
from unhub.image.found import Span

_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_HEADER = re.compile(rb"[|>]([+-]?)([1-9]?)([+-]?)[^\r\n]*(?:\r\n|\r|\n|\Z)")
_ESCAPES = {
    b"0": "\0", b"a": "\a", b"b": "\b", b"t": "\t", b"\t": "\t", b"n": "\n", b"v": "\v", b"f": "\f",
    b"r": "\r", b"e": "\x1b", b" ": " ", b'"': '"', b"/": "/", b"\\": "\\", b"N": "\x85", b"_": "\xa0",
    b"L": "\u2028", b"P": "\u2029",
}  # fmt: skip
_HEX = {b"x": 2, b"u": 4, b"U": 8}


class _Out:
    """Collects a value byte run by byte run."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.pieces: list[Piece] = []

    def copy(self, source: bytes, start: int, end: int) -> None:
        if end > start:
            self.pieces.append(Piece(len(self.data), start, end - start))
            self.data += source[start:end]

    def spell(self, value: bytes, start: int, end: int) -> None:
        if value:
            self.pieces.append(Piece(len(self.data), start, len(value), literal=False, width=end - start))
            self.data += value

    def line_break(self, source: bytes, start: int, end: int) -> None:
        if source[start:end] == b"\n":
            self.copy(source, start, end)
        elif end > start:
            self.spell(b"\n", start, end)

    def done(self) -> Mapped:
        return Mapped(bytes(self.data), tuple(self.pieces))


class _Line(Struct, frozen=True):
    """A line of a block: its text lies from ``start`` to ``text_end``, its break up to ``end``."""

    start: int
    text_end: int
    end: int

    def holds(self, data: bytes, indent: int) -> bool:
        """Whether there is text in it, blanks beyond the indentation included."""
        return self.text_end - self.start > indent or bool(data[self.start : self.text_end].strip(b" "))

    def is_outside(self, data: bytes, indent: int) -> bool:
        """Whether text stands left of the indentation: a comment behind the block."""
        return bool(data[self.start : min(self.start + indent, self.text_end)].strip(b" "))


def unfold(data: bytes, span: Span, style: str, parent_indent: int = -1) -> Mapped:
    """The value that ``data[span]`` spells in ``style`` (``plain``, ``'``, ``"``, ``|``, ``>``).

    ``parent_indent`` is the column of the collection that a block stands in, -1 at the top.
    """
    if style in "|>":
        return _block(data, span, parent_indent, folded=style == ">")
    start, end = (span.start, span.end) if style == "plain" else (span.start + 1, span.end - 1)
    raw = data[start:end]
    if style in ("plain", "'"):
        if b"\n" not in raw and b"\r" not in raw and (style == "plain" or b"''" not in raw):
            return Mapped.plain(data, start, end)
    elif b"\\" not in raw and b"\n" not in raw and b"\r" not in raw:
        return Mapped.plain(data, start, end)
    return _flow(data, start, end, style)


def _flow(data: bytes, start: int, end: int, style: str) -> Mapped:
    out = _Out()
    at = start
    while at < end:
        char = data[at : at + 1]
        if char in b"\r\n":
            at = _fold_flow(data, at, end, out)
        elif style == "'" and data.startswith(b"''", at):
            out.spell(b"'", at, at + 2)
            at += 2
        elif style == '"' and char == b"\\":
            at = _escape(data, at, end, out)
        else:
            stop = at + 1
            while stop < end and data[stop : stop + 1] not in (b"\r", b"\n", b"'", b"\\"):
                stop += 1
            copied = stop
            if stop < end and data[stop : stop + 1] in b"\r\n":
                while copied > at and data[copied - 1 : copied] in b" \t":
                    copied -= 1
            out.copy(data, at, copied)
            at = stop
    return out.done()


def _fold_flow(data: bytes, at: int, end: int, out: _Out) -> int:
    start, breaks = at, 0
    while at < end and data[at : at + 1] in (b"\r", b"\n", b" ", b"\t"):
        if data.startswith(b"\r\n", at):
            at += 1
        breaks += data[at : at + 1] in (b"\r", b"\n")
        at += 1
    out.spell(b" " if breaks == 1 else b"\n" * (breaks - 1), start, at)
    return at


def _escape(data: bytes, at: int, end: int, out: _Out) -> int:
    code = data[at + 1 : at + 2]
    if code in (b"\n", b"\r"):
        stop = at + (3 if data.startswith(b"\r\n", at + 1) else 2)
        while stop < end and data[stop : stop + 1] in (b" ", b"\t"):
            stop += 1
        return stop
    if code in _HEX:
        stop = at + 2 + _HEX[code]
        try:
            value = chr(int(data[at + 2 : stop], 16)).encode("utf-8", "surrogatepass")
        except (ValueError, OverflowError):
            value = b"?"
    else:
        stop = at + 2
        value = _ESCAPES.get(code, code.decode("latin-1")).encode("utf-8")
    out.spell(value, at, stop)
    return stop


def _block(data: bytes, span: Span, parent_indent: int, *, folded: bool) -> Mapped:
    out = _Out()
    header = _HEADER.match(data, span.start)
    if header is None:
        return out.done()
    lines = _block_lines(data, header.end(), span.end)
    indent = _indent(data, lines, parent_indent, header)
    lines = list(takewhile(lambda line: not line.is_outside(data, indent), lines))
    last = max((number for number, line in enumerate(lines) if line.holds(data, indent)), default=-1)
    for number, line in enumerate(lines[: last + 1]):
        start = min(line.start + indent, line.text_end)
        if not line.holds(data, indent):
            out.line_break(data, line.text_end, line.end)
            continue
        out.copy(data, start, line.text_end)
        if number == last:
            break
        following = lines[number + 1]
        if not folded or _is_spaced(data, line, indent) or _is_spaced(data, _next_holding(data, lines, number + 1, indent), indent):
            out.line_break(data, line.text_end, line.end)
        elif following.holds(data, indent):
            out.spell(b" ", line.text_end, line.end)
    _chomp(data, out, lines[max(last, 0) :] if last >= 0 else lines, header, has_text=last >= 0)
    return out.done()


def _chomp(data: bytes, out: _Out, lines: list[_Line], header: re.Match[bytes], *, has_text: bool) -> None:
    """The line breaks behind the text: none for ``-``, all for ``+``, else the one of the last line."""
    chomping = header[1] + header[3]
    kept = lines if b"+" in chomping else [] if b"-" in chomping or not has_text else lines[:1]
    for line in kept:
        out.line_break(data, line.text_end, line.end)


def _block_lines(data: bytes, at: int, end: int) -> list[_Line]:
    """The lines of a block: those the grammar gave it, and the blank ones behind them."""
    lines: list[_Line] = []
    while at < len(data):
        match = _LINE.match(data, at)
        if match is None or match.end() == at:
            break
        if at >= end and match[1].strip(b" "):
            break
        lines.append(_Line(at, match.end(1), match.end()))
        at = match.end()
    return lines


def _indent(data: bytes, lines: list[_Line], parent: int, header: re.Match[bytes]) -> int:
    """Columns that every line of the block is indented by (YAML 1.2.2, 8.1.1.1)."""
    if header[2]:
        return max(parent, 0) + int(header[2])
    for line in lines:
        text = data[line.start : line.text_end]
        if text.strip(b" "):
            return len(text) - len(text.lstrip(b" "))
    return max((line.text_end - line.start for line in lines), default=0)


def _next_holding(data: bytes, lines: list[_Line], number: int, indent: int) -> _Line:
    return next(line for line in lines[number:] if line.holds(data, indent))


def _is_spaced(data: bytes, line: _Line, indent: int) -> bool:
    """Whether a line is indented more than its block, so that it is not folded (YAML 1.2.2, 8.1.3)."""
    return data[line.start + indent : line.start + indent + 1] in (b" ", b"\t")
