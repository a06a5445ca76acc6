"""One file: find its format, then what it holds. Pure work on bytes, so that workers can do it."""

from __future__ import annotations

import bisect
import re

from msgspec import Struct, field

from unhub.formats._choice import choose
from unhub.formats._format import Entry
from unhub.image.errors import UnreadableError
from unhub.image.found import Declared, Found, Skipped, Span
from unhub.image.source import Source
from unhub.migrate.pragmas import Pragmas

_LINE_END = re.compile(rb"\n")


class SkippedFile(Struct, frozen=True):
    """A file that was not looked at; ``unreadable`` where it should have been, and could not."""

    path: str
    reason: str
    format: str | None = None
    unreadable: bool = True


class LookedAt(Struct):
    """What one file holds."""

    path: str
    data: bytes
    format: str
    references: list[Found | Skipped] = field(default_factory=list)
    declared: list[Declared] = field(default_factory=list)


class Lines:
    """Line and column of byte offsets in one file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(data))]

    def line(self, offset: int) -> int:
        """The line of a byte, from 1."""
        return bisect.bisect_right(self._starts, offset)

    def column(self, offset: int) -> int:
        """The column of a byte, from 1, in code points; a byte that is not UTF-8 counts as one."""
        start = self._starts[self.line(offset) - 1]
        text = self._data[start:offset].decode("utf-8", "surrogateescape")
        return len(text.removeprefix("\ufeff")) + 1


def look(source: Source, entry: Entry | None = None) -> LookedAt | SkippedFile | None:
    """The findings of a file in the order of their places; ``None`` where no format wants it.

    A file with ``unhub: ignore-file`` is looked at all the same: its references are then
    classed ``ignored``, so that nothing is silent.
    """
    entry = entry or choose(source)
    if entry is None:
        return None
    result = LookedAt(source.path, source.data, entry.name)
    try:
        for finding in entry.find(source):
            if isinstance(finding, Declared):
                result.declared.append(finding)
            else:
                result.references.append(finding)
    except UnreadableError as error:
        return SkippedFile(source.path, error.message, entry.name)
    except RecursionError:
        return SkippedFile(source.path, "nested too deep to be read", entry.name)
    result.references.sort(key=lambda finding: finding.span)
    result.references = _distinct(result.references)
    return result


def _distinct(references: list[Found | Skipped]) -> list[Found | Skipped]:
    seen: dict[tuple[Span, bool], Found | Skipped] = {}
    for reference in references:
        seen.setdefault((reference.span, isinstance(reference, Found)), reference)
    return list(seen.values())


def pragmas(data: bytes) -> Pragmas:
    """The pragmas of a file."""
    return Pragmas(data)
