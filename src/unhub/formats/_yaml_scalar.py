"""The value of a YAML scalar and where each byte of it stands (YAML 1.2.2, chapters 7.3 and 8.1)."""

from __future__ import annotations

import re

from unhub.formats._text import Mapped, Piece
from unhub.image.found import Span

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
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

    def done(self) -> Mapped:
        return Mapped(bytes(self.data), tuple(self.pieces))


def unfold(data: bytes, span: Span, style: str) -> Mapped:
    """The value that ``data[span]`` spells in ``style`` (``plain``, ``'``, ``"``, ``|``, ``>``)."""
    if style in "|>":
        return _block(data, span, folded=style == ">")
    start, end = (span.start, span.end) if style == "plain" else (span.start + 1, span.end - 1)
    raw = data[start:end]
    if style == "plain" or style == "'":
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


def _block(data: bytes, span: Span, *, folded: bool) -> Mapped:
    out = _Out()
    header = _LINE.match(data, span.start)
    at = header.end() if header else span.end
    hint = re.match(rb"[|>][+-]?([1-9])?", data[span.start : span.start + 3])
    lines = _block_lines(data, at, span.end)
    indent = _indent(data, lines, span.start, int(hint[1]) if hint and hint[1] else None)
    for number, (start, text_end, line_end) in enumerate(lines):
        first = min(start + indent, text_end)
        blank = not data[start:text_end].strip(b" ")
        out.copy(data, first, first if blank and text_end - start <= indent else text_end)
        if line_end == text_end:
            continue
        joins = folded and not blank and _joins(data, lines, number, indent)
        out.spell(b" " if joins else b"\n", text_end, line_end)
    return out.done()


def _block_lines(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    lines: list[tuple[int, int, int]] = []
    while at < end:
        match = _LINE.match(data, at, end)
        if match is None or match.end() == at:
            break
        text_end = match.end() - (len(match[0]) - len(match[0].rstrip(b"\r\n")))
        lines.append((at, text_end, match.end()))
        at = match.end()
    return lines


def _indent(data: bytes, lines: list[tuple[int, int, int]], header: int, hint: int | None) -> int:
    if hint is not None:
        start = max(data.rfind(b"\n", 0, header), data.rfind(b"\r", 0, header)) + 1
        line = data[start:header]
        parent = len(line) - len(line.lstrip(b" "))
        while line[parent : parent + 2] == b"- ":
            rest = line[parent + 2 :]
            if b":" not in rest:
                break
            parent += 2 + len(rest) - len(rest.lstrip(b" "))
        return parent + hint
    for start, text_end, _ in lines:
        text = data[start:text_end]
        if text.strip(b" "):
            return len(text) - len(text.lstrip(b" "))
    return 0


def _joins(data: bytes, lines: list[tuple[int, int, int]], number: int, indent: int) -> bool:
    """Whether the break behind a line of a folded scalar becomes a blank."""
    if number + 1 >= len(lines):
        return False
    (start, text_end, _), (next_start, next_end, _) = lines[number], lines[number + 1]
    here = data[start + indent : start + indent + 1]
    there = data[next_start + indent : min(next_start + indent + 1, next_end)]
    return text_end > start + indent and here not in (b" ", b"\t") and there not in (b" ", b"\t", b"")
