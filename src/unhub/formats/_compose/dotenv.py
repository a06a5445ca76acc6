"""A ``.env`` file as Compose reads it, with the bytes of every value (rule #55).

Source: ``dotenv/parser.go`` of compose-spec/compose-go (2026-08). ``NAME=value``, ``NAME: value`` and
``export NAME=value``; ``'…'`` is taken as it stands but for ``\\'``, ``"…"`` knows escapes, a value without
quotes ends before `` #``. Of a name given twice the last counts.
"""

from __future__ import annotations

import re

from msgspec import Struct

from unhub.formats._text import Mapped, Piece, decode
from unhub.image.source import BYTE_ORDER_MARK

_NAME = re.compile(rb"[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*([=:])?[ \t]*")
_LINE_END = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_COMMENT = re.compile(rb"[ \t]+#")
# an escaped dollar stays doubled: interpolation then makes one of it
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"'": b"'", b"\\": b"\\", b"$": b"$$"}
_IN_QUOTES = {b"'": re.compile(rb"\\(')"), b'"': re.compile(rb"\\([nrt\"\\$])")}


class Value(Struct, frozen=True):
    """What a name is set to. ``expands`` is false in single quotes, where ``$`` is a character like others."""

    text: Mapped
    expands: bool


def read_dotenv(data: bytes) -> dict[str, Value]:
    """The values of a file by their names; lines that are no assignment are passed over."""
    values: dict[str, Value] = {}
    at = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    while at < len(data):
        name = _NAME.match(data, at)
        if name is None or name[2] is None:
            at = _next_line(data, at)
            continue
        value, end = _value(data, name.end())
        values[decode(name[1])] = value
        at = _next_line(data, end)
    return values


def _next_line(data: bytes, at: int) -> int:
    match = _LINE_END.match(data, at)
    return max(match.end(), at + 1) if match else len(data)


def _value(data: bytes, start: int) -> tuple[Value, int]:
    quote = data[start : start + 1]
    if quote in (b"'", b'"') and quote:
        end = _closing(data, start + 1, quote)
        if end is not None:
            return Value(_unescaped(data, start + 1, end, _IN_QUOTES[quote]), expands=quote == b'"'), end + 1
    line = _LINE_END.match(data, start)
    raw = (line[0] if line else b"").rstrip(b"\r\n")
    comment = _COMMENT.search(raw)
    text = raw[: comment.start()] if comment else raw
    return Value(Mapped.plain(data, start, start + len(text.rstrip())), expands=True), start + len(raw)


def _closing(data: bytes, start: int, quote: bytes) -> int | None:
    at = start
    while (at := data.find(quote, at)) >= 0:
        slashes = len(data[start:at]) - len(data[start:at].rstrip(b"\\"))
        if slashes % 2 == 0:
            return at
        at += 1
    return None


def _unescaped(data: bytes, start: int, end: int, escape: re.Pattern[bytes]) -> Mapped:
    if b"\\" not in data[start:end]:
        return Mapped.plain(data, start, end)
    out, pieces, at = bytearray(), list[Piece](), start
    for match in escape.finditer(data, start, end):
        pieces.append(Piece(len(out), at, match.start() - at))
        out += data[at : match.start()]
        spelled = _ESCAPES[match[1]]
        pieces.append(Piece(len(out), match.start(), len(spelled), literal=False, width=2))
        out += spelled
        at = match.end()
    pieces.append(Piece(len(out), at, end - at))
    out += data[at:end]
    return Mapped(bytes(out), tuple(piece for piece in pieces if piece.length))
