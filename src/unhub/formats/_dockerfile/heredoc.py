"""Heredocs of RUN, COPY and ADD: which a line opens, and where their bodies end (rules #34, #35).

Source: ``heredocsFromLine`` in ``frontend/dockerfile/parser/parser.go`` of moby/buildkit. Since BuildKit 0.22
(moby/buildkit#5817) white space may stand behind ``<<``; before, such a line opened nothing.
Both readings are offered here.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from unhub.formats._dockerfile.text import leading_space
from unhub.formats._dockerfile.word import BrokenWord, Escape, Item, Quoted, Text, Variable, take_apart

_TIGHT = re.compile(rb"\d*<<(-?)([^<]*)\Z", re.DOTALL)
_SPACED = re.compile(rb"\d*<<(-?)[\t\n\f\r ]*([^<]*)\Z", re.DOTALL)


class Heredoc(Struct, frozen=True):
    """A heredoc by the line that ends it; ``chomp`` drops tabs before that line."""

    name: bytes
    chomp: bool


def opened(line: bytes, *, spaced: bool) -> tuple[Heredoc, ...]:
    """The heredocs a line opens, in their order; ``spaced`` allows white space behind ``<<``.

    A line that BuildKit's lexer refuses (a quote that is not closed) opens none.
    """
    pattern = _SPACED if spaced else _TIGHT
    try:
        matches = [pattern.match(word) for word in _words(line, spaced)]
        named = [(match, _name(match[2])) for match in matches if match]
    except BrokenWord:
        return ()
    return tuple(Heredoc(name, match[1] == b"-") for match, name in named if name)


class Bodies:
    """Finds where the bodies of heredocs end; looks at each line of the file once."""

    def __init__(self, data: bytes, bounds: Sequence[int]) -> None:
        """``bounds`` holds the start of each line and the end of the last."""
        self._data, self._bounds = data, bounds
        self._lines: dict[tuple[bytes, bool], list[int]] | None = None

    def end(self, heredocs: Sequence[Heredoc], index: int) -> int | None:
        """The index of the line behind the last body, ``None`` where one is not closed."""
        for heredoc in heredocs:
            lines = self._closing().get((heredoc.name, heredoc.chomp), [])
            place = bisect.bisect_left(lines, index)
            if place == len(lines):
                return None
            index = lines[place] + 1
        return index

    def _closing(self) -> dict[tuple[bytes, bool], list[int]]:
        if self._lines is None:
            self._lines = {}
            for number in range(len(self._bounds) - 1):
                line = self._data[self._bounds[number] : self._bounds[number + 1]].rstrip(b"\r\n")
                self._lines.setdefault((line, False), []).append(number)
                self._lines.setdefault((line.lstrip(b"\t"), True), []).append(number)
        return self._lines


def _words(line: bytes, spaced: bool) -> Iterator[bytes]:
    """The words of a line as written: quotes and escapes kept, split at white space outside quotes."""
    start = 0
    for blank, end in _blanks(line, take_apart(line), spaced):
        if blank > start:
            yield line[start:blank]
        start = end
    if len(line) > start:
        yield line[start:]


def _blanks(line: bytes, items: Sequence[Item], spaced: bool) -> Iterator[tuple[int, int]]:
    for item in items:
        if isinstance(item, Text | Variable):
            # the value of an expansion is split too, and an unset one keeps its text
            yield from _blanks_between(line, item.start, item.end, spaced and isinstance(item, Text))


def _blanks_between(line: bytes, place: int, end: int, spaced: bool) -> Iterator[tuple[int, int]]:
    while place < end:
        after = min(leading_space(line, place), end)
        if after > place:
            yield place, after
            place = after
        elif spaced and line.startswith(b"<<", place):
            place = leading_space(line, place + 2)
        else:
            place += 1


def _name(word: bytes) -> bytes | None:
    """The name of a heredoc without quotes and escapes; ``None`` where it is not one word."""
    items = take_apart(word)
    if any(True for _ in _blanks(word, items, spaced=False)):
        return None
    return b"".join(_kept(word, items)) or None


def _kept(word: bytes, items: Sequence[Item]) -> Iterator[bytes]:
    for item in items:
        if isinstance(item, Quoted):
            yield from _kept(word, item.items)
        elif isinstance(item, Escape):
            yield word[item.start + 1 : item.end]
        else:
            yield word[item.start : item.end]
