"""The planned change as a unified diff that ``git apply`` takes, made from the edits themselves, byte for byte.

The header form is git's (``git-diff(1)``, "generating patch text"), its quoting that of
``core.quotePath=false`` with control characters, quotes and backslashes spelled out.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from unhub.migrate.edits import Edit, apply
from unhub.migrate.plan import Plan

CONTEXT = 3
"""Unchanged lines around a change."""

_ESCAPES = {7: b"\\a", 8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}


def render(plan: Plan, name: Callable[[str], bytes]) -> Iterator[bytes]:
    """The diff of every file that changes, in pieces. ``name`` gives a path as the diff shall show it."""
    for path in sorted(plan.after):
        if plan.after[path] != plan.before[path]:
            yield from file_diff(plan.before[path], plan.edits[path], name(path))


@dataclass(slots=True)
class _Change:
    """Lines ``first`` up to ``end`` of the old file, and the bytes that take their place."""

    first: int
    end: int
    new: bytes


def file_diff(data: bytes, edits: Sequence[Edit], name: bytes) -> Iterator[bytes]:
    """The diff of one file. ``edits`` are ordered and apart."""
    starts = _line_starts(data)
    old, new = quoted(b"a/" + name), quoted(b"b/" + name)
    yield b"diff --git %b %b\n" % (old, new)
    # git ends a name that has a space with a tab, so that other tools see no time stamp in it
    yield b"--- %b\n+++ %b\n" % (_ended(old), _ended(new))
    shift = 0
    for hunk in _hunks(_changes(data, edits, starts)):
        head, body, grown = _hunk(data, starts, hunk, shift)
        shift += grown
        yield head + body


def quoted(name: bytes) -> bytes:
    """A name as git writes it: in quotes with C escapes where it holds a control character, quote or backslash."""
    if not any(byte < 32 or byte in (34, 92, 127) for byte in name):
        return name
    pieces = (_ESCAPES.get(byte) or (b"\\%03o" % byte if byte < 32 or byte == 127 else bytes([byte])) for byte in name)
    return b'"' + b"".join(pieces) + b'"'


def _ended(name: bytes) -> bytes:
    return name + b"\t" if b" " in name and not name.startswith(b'"') else name


def _line_starts(data: bytes) -> list[int]:
    starts = [0]
    place = data.find(b"\n")
    while place >= 0:
        starts.append(place + 1)
        place = data.find(b"\n", place + 1)
    if starts[-1] != len(data):
        starts.append(len(data))
    return starts


def _changes(data: bytes, edits: Sequence[Edit], starts: list[int]) -> list[_Change]:
    """The edits line by line; those that touch one line, or lines side by side, are one change."""
    grouped: list[tuple[int, int, list[Edit]]] = []
    last = len(starts) - 1
    for edit in edits:
        first = min(bisect.bisect_right(starts, edit.span.start) - 1, max(last - 1, 0))
        end = min(max(bisect.bisect_left(starts, edit.span.end), first + 1), last)
        if grouped and first < grouped[-1][1]:
            before = grouped[-1]
            grouped[-1] = (before[0], max(before[1], end), [*before[2], edit])
        else:
            grouped.append((first, end, [edit]))
    joined: list[_Change] = []
    for first, end, edits_here in grouped:
        change = _trimmed(_Change(first, end, _new_lines(data, edits_here, starts[first], starts[end])), data, starts)
        if joined and joined[-1].end == change.first:
            joined[-1] = _Change(joined[-1].first, change.end, joined[-1].new + change.new)
        else:
            joined.append(change)
    return joined


def _trimmed(change: _Change, data: bytes, starts: list[int]) -> _Change:
    """The change without lines at its start and end that stay as they are: an insertion touches the line behind it."""
    old, new = _lines(data, starts, change.first, change.end), _split(change.new)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return _Change(change.first + head, change.end - tail, b"".join(new[head : len(new) - tail]))


def _new_lines(data: bytes, edits: Sequence[Edit], start: int, end: int) -> bytes:
    moved = [Edit(edit.path, type(edit.span)(edit.span.start - start, edit.span.end - start), edit.replacement) for edit in edits]
    return apply(data[start:end], moved)


def _hunks(changes: Sequence[_Change]) -> Iterator[list[_Change]]:
    hunk: list[_Change] = []
    for change in changes:
        if hunk and change.first - hunk[-1].end > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _hunk(data: bytes, starts: list[int], hunk: list[_Change], shift: int) -> tuple[bytes, bytes, int]:
    """Head and body of a hunk, and by how many lines it makes the file longer."""
    first = max(hunk[0].first - CONTEXT, 0)
    end = min(hunk[-1].end + CONTEXT, len(starts) - 1)
    body: list[bytes] = []
    place, grown = first, 0
    for change in hunk:
        body.extend(_marked(b" ", _lines(data, starts, place, change.first)))
        body.extend(_marked(b"-", _lines(data, starts, change.first, change.end)))
        new = _split(change.new)
        body.extend(_marked(b"+", new))
        grown += len(new) - (change.end - change.first)
        place = change.end
    body.extend(_marked(b" ", _lines(data, starts, place, end)))
    count = end - first
    head = b"@@ -%b +%b @@\n" % (_range(first, count), _range(first + shift, count + grown))
    return head, b"".join(body), grown


def _range(first: int, count: int) -> bytes:
    start = first + 1 if count else first
    return b"%d" % start if count == 1 else b"%d,%d" % (start, count)


def _lines(data: bytes, starts: list[int], first: int, end: int) -> list[bytes]:
    return [data[starts[line] : starts[line + 1]] for line in range(first, end)]


def _split(data: bytes) -> list[bytes]:
    pieces = data.split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines


def _marked(mark: bytes, lines: Sequence[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line
        if not line.endswith(b"\n"):
            yield b"\n\\ No newline at end of file\n"
