"""The ``syntax`` directive of a Dockerfile, in all four spellings: the frontend image that reads the file.

Source: ``DetectSyntax`` in ``frontend/dockerfile/parser/directives.go`` of moby/buildkit (rules #29 to #32). It
looks for ``# syntax=``, else ``// syntax=``, else ``{"syntax": …}``, behind a byte-order mark and a ``#!`` line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._dockerfile.lines import DIRECTIVE, DIRECTIVES
from unhub.formats._dockerfile.text import leading_space
from unhub.formats._text import decode, encode
from unhub.image.found import Span


class Syntax(Struct, frozen=True):
    """Where the frontend's reference stands; ``again`` if an earlier directive said it already."""

    span: Span
    again: bool = False


def syntax(data: bytes, start: int) -> Iterator[Syntax]:
    """The directives that name a frontend; ``start`` is behind the byte-order mark."""
    if data.startswith(b"#!", start):
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    found = list(_directives(data, start, b"#")) or list(_directives(data, start, b"//"))
    if found:
        yield from found
        return
    span = _json_value(data, start)
    if span is not None:
        yield Syntax(span)


def _directives(data: bytes, start: int, mark: bytes) -> Iterator[Syntax]:
    seen: set[bytes] = set()
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line = data[start:end]
        match = DIRECTIVE.match(line, leading_space(line, len(mark))) if line.startswith(mark) else None
        name = match[1].lower() if match else b""
        if match is None or name not in DIRECTIVES:
            return
        if name == b"syntax":
            value = match[2].partition(b" ")[0]
            place = start + match.start(2)
            yield Syntax(Span(place, place + len(value)), again=name in seen)
        if name in seen:
            return
        seen.add(name)
        start = end + 1


def _json_value(data: bytes, start: int) -> Span | None:
    """The text of the member ``syntax`` if all of the file is one JSON object."""
    if not data[leading_space(data, start) :].startswith(b"{"):
        return None
    text = decode(data[start:])
    try:
        json.loads(text)
        first, last = _member(text)
    except (ValueError, RecursionError):
        return None
    if not last:
        return None
    return Span(start + len(encode(text[:first])), start + len(encode(text[:last])))


def _member(text: str) -> tuple[int, int]:
    """Where the text of the last member ``syntax`` stands in an object that is known to be valid."""
    decoder = json.JSONDecoder()
    blanks = " \t\n\r"
    found = (0, 0)
    place = text.index("{") + 1
    while True:
        while text[place] in blanks + ",":
            place += 1
        if text[place] == "}":
            return found
        key, place = decoder.raw_decode(text, place)
        while text[place] in blanks + ":":
            place += 1
        value_start = place
        value, place = decoder.raw_decode(text, place)
        if key == "syntax":
            found = (value_start + 1, place - 1) if isinstance(value, str) else (0, 0)
