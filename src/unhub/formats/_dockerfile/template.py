"""Template expressions in a Dockerfile that is made by a generator: unknown text in the place of text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from unhub.formats._dockerfile.text import Spelled, leading_space
from unhub.image.found import Part, Span

_EXPRESSION = re.compile(rb"\$?\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|%%[\w.-]+%%|@[A-Z][A-Z0-9_]*@", re.DOTALL)
_FILLER = b"\xff"
_FILLED = re.compile("\udcff+")


def masked(line: Spelled) -> Spelled:
    """The line with each template expression as filler bytes, which split no word; blanks where one begins the line."""
    data = line.data
    if not any(mark in data for mark in (b"{{", b"{%", b"<%", b"%%", b"@")):
        return line
    start = leading_space(data)

    def fill(match: re.Match[bytes]) -> bytes:
        return (b" " if match.start() == start else _FILLER) * len(match[0])

    return Spelled(_EXPRESSION.sub(fill, data), line.places, line.end)


def is_masked(text: Spelled) -> bool:
    """Whether a template expression stands in a text."""
    return _FILLER in text.data


def unmasked(parts: Iterable[Part]) -> Iterator[Part]:
    """Parts with each run of filler as a part that is not known."""
    for part in parts:
        if not _FILLED.search(part.text):
            yield part
            continue
        place = 0
        for match in _FILLED.finditer(part.text):
            if match.start() > place:
                yield _piece(part, place, match.start())
            yield Part("", _piece(part, match.start(), match.end()).span, known=False)
            place = match.end()
        if place < len(part.text):
            yield _piece(part, place, len(part.text))


def _piece(part: Part, start: int, end: int) -> Part:
    width = [len(part.text[:place].encode("utf-8", "surrogateescape")) for place in (start, end)]
    return Part(part.text[start:end], Span(part.span.start + width[0], part.span.start + width[1]), literal=part.literal)
