"""From the bytes of a Dockerfile to its instructions, as BuildKit's parser joins lines.

Source: ``frontend/dockerfile/parser/parser.go`` and ``directives.go`` of moby/buildkit (2026-08).
A line ends in a continuation when its last byte but blanks is the escape character, and the
byte before is not. Comments and blank lines inside a continuation are dropped (rule #27).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from msgspec import Struct

from unhub.formats._dockerfile.heredoc import Bodies, opened
from unhub.formats._dockerfile.split import can_hold_heredoc
from unhub.formats._dockerfile.text import Spelled, joined, leading_space
from unhub.image.errors import UnreadableError

DIRECTIVE = re.compile(rb"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*\Z", re.DOTALL)
"""What may stand behind the comment mark of a parser directive (rule #29)."""
_SPACED = re.compile(rb"<<[\t\n\v\f\r ]")
DIRECTIVES = frozenset({b"syntax", b"escape", b"check"})


class Line(Struct, frozen=True):
    """One instruction with its continuations joined, or one comment.

    ``first`` and ``last`` are line numbers from 1, a heredoc's body included. A ``doubtful``
    line stands in a heredoc that not every BuildKit sees (rule #35).
    """

    text: Spelled
    first: int
    last: int
    comment: bool = False
    doubtful: bool = False


class _Directives(Struct):
    """Which escape character holds, found while the directives at the top are read (rules #28, #29)."""

    escape: int = ord("\\")
    done: bool = False

    def read(self, line: bytes, number: int) -> None:
        if self.done:
            return
        match = DIRECTIVE.match(line, leading_space(line, 1)) if line.startswith(b"#") else None
        if match is None or match[1].lower() not in DIRECTIVES:
            self.done = True
        elif match[1].lower() == b"escape":
            if match[2] not in (b"\\", b"`"):
                raise UnreadableError(f"the escape directive allows \\ and ` only, near line {number}, column 1")
            self.escape = match[2][0]


class Dockerfile:
    """The instructions of a Dockerfile, one after the other."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        """``start`` is where the text begins, behind a byte-order mark (rule #43)."""
        self._data = data
        self._directives = _Directives()
        self._ends = _line_ends(data, start)
        self._bodies = Bodies(data, self._ends)

    @property
    def escape(self) -> int:
        """The escape character that holds for the lines read so far."""
        return self._directives.escape

    def lines(self) -> Iterator[Line]:
        """Every instruction and comment, in order."""
        yield from self._read(0, len(self._ends) - 1, doubtful=False)

    def _bounds(self, index: int) -> tuple[int, int]:
        start, end = self._ends[index], self._ends[index + 1]
        while end > start and self._data[end - 1] in b"\r\n":
            end -= 1
        return start, end

    def _read(self, index: int, stop: int, *, doubtful: bool) -> Iterator[Line]:
        while index < stop:
            start, end = self._bounds(index)
            start = min(leading_space(self._data, start), end)
            self._directives.read(self._data[start:end], index + 1)
            if self._data.startswith(b"#", start, end):
                index += 1
                yield Line(Spelled.at(self._data, start, end), index, index, comment=True, doubtful=doubtful)
                continue
            text, after = self._joined(index, stop, start, end)
            if text is None or doubtful:
                if text is not None:
                    yield Line(text, index + 1, after, doubtful=True)
                index = after
            else:
                index = yield from self._instruction(text, index, after)

    def _joined(self, index: int, stop: int, start: int, end: int) -> tuple[Spelled | None, int]:
        """The line that starts at ``index`` with its continuations, and the index behind them."""
        cut = self._continued(start, end)
        if cut is None:
            return (Spelled.at(self._data, start, end) if end > start else None), index + 1
        pieces = [Spelled.at(self._data, start, cut)]
        index += 1
        while cut is not None and index < stop:
            start, end = self._bounds(index)
            index += 1
            first = min(leading_space(self._data, start), end)
            if first == end or self._data[first] == ord("#"):
                continue
            cut = self._continued(start, end)
            pieces.append(Spelled.at(self._data, start, end if cut is None else cut))
        return joined(pieces), index

    def _continued(self, start: int, end: int) -> int | None:
        """Where the escape character stands that continues a line, or ``None``."""
        while end > start and self._data[end - 1] in b" \t":
            end -= 1
        escape = self._directives.escape
        if end == start or self._data[end - 1] != escape:
            return None
        return None if end - 1 > start and self._data[end - 2] == escape else end - 1

    def _instruction(self, text: Spelled, index: int, after: int) -> Generator[Line, None, int]:
        """The instruction, then what stands in a doubtful heredoc; gives the index behind both.

        A heredoc that is not closed is taken for none: what stands below it is read as
        instructions, as every builder without heredocs reads it.
        """
        if b"<<" not in text.data or not can_hold_heredoc(text):
            yield Line(text, index + 1, after)
            return after
        tight = self._bodies.end(opened(text.data, spaced=False), after)
        spaced = self._bodies.end(opened(text.data, spaced=True), after) if _SPACED.search(text.data) else tight
        sure = after if tight is None else tight
        yield Line(text, index + 1, sure)
        if spaced is None or spaced <= sure:
            return sure
        yield from self._read(sure, spaced, doubtful=True)
        return spaced


def _line_ends(data: bytes, start: int) -> list[int]:
    """The start of each line and, last, the end of the file."""
    bounds = [start]
    place = data.find(b"\n", start)
    while place >= 0:
        bounds.append(place + 1)
        place = data.find(b"\n", place + 1)
    if bounds[-1] != len(data):
        bounds.append(len(data))
    return bounds
