"""One instruction taken apart: keyword, flags, the rest; and the rest into words.

Source: ``split_command.go`` and ``line_parsers.go`` in ``frontend/dockerfile/parser`` of moby/buildkit. White space
between words is ASCII there, and flags are read byte by byte, always with ``\\`` as their escape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._dockerfile.text import Spelled, leading_space

_BLANKS = re.compile(rb"[\t\v\f\r ]+")
_FLAG_SPACE = frozenset(b"\t\n\v\f\r \x85\xa0")
_BACKSLASH = ord("\\")
_QUOTES = frozenset(b"'\"")
_HOLD_HEREDOCS = frozenset({"run", "copy", "add"})


class Command(Struct, frozen=True):
    """``keyword`` in lower case with its place, the flags without quotes and escapes, and the rest."""

    keyword: str
    spelled: Spelled
    flags: tuple[Spelled, ...]
    rest: Spelled


def split_command(line: Spelled) -> Command:
    """Take an instruction apart."""
    line = line.trimmed()
    blank = _BLANKS.search(line.data)
    if blank is None:
        return Command(_keyword(line), line, (), line.cut(len(line), len(line)))
    word = line.cut(0, blank.start())
    flags, start = _flags(line.cut(blank.end(), len(line)))
    rest = line.cut(blank.end() + start, len(line)).trimmed()
    return Command(_keyword(word), word, flags, rest)


def _keyword(word: Spelled) -> str:
    return word.text.lower()


def _flags(text: Spelled) -> tuple[tuple[Spelled, ...], int]:
    """The leading words that begin with ``--``, and where the rest starts."""
    flags: list[Spelled] = []
    place = 0
    while True:
        while place < len(text) and text.data[place] in _FLAG_SPACE:
            place += 1
        if not text.data.startswith(b"--", place):
            return tuple(flags), place
        kept, end = _flag(text.data, place)
        if bytes(text.data[index] for index in kept) == b"--":
            return tuple(flags), end
        flags.append(text.pick(kept, end))
        place = end


def _flag(data: bytes, place: int) -> tuple[list[int], int]:
    """The indices of the bytes of one flag, quotes and escapes dropped, and the place behind it."""
    kept: list[int] = []
    quote: int | None = None
    while place < len(data):
        mark = data[place]
        if quote is None and mark in _FLAG_SPACE:
            break
        if mark == quote:
            quote = None
        elif quote is None and mark in _QUOTES:
            quote = mark
        elif mark == _BACKSLASH:
            place += 1
            if place < len(data):
                kept.append(place)
        else:
            kept.append(place)
        place += 1
    return kept, min(place, len(data))


def flag_value(flag: Spelled, name: bytes) -> Spelled | None:
    """The value of a flag if it has that name (``--name=value``)."""
    head = b"--" + name + b"="
    return flag.cut(len(head), len(flag)) if flag.data.startswith(head) else None


def fields(rest: Spelled) -> Iterator[Spelled]:
    """The arguments of FROM: split at ASCII white space, whatever the quotes."""
    start = 0
    for blank in _BLANKS.finditer(rest.data):
        yield rest.cut(start, blank.start())
        start = blank.end()
    if len(rest):
        yield rest.cut(start, len(rest))


def words(rest: Spelled, escape: int) -> Iterator[Spelled]:
    """The arguments of ARG: split at white space outside quotes, which are kept."""
    data, place = rest.data, 0
    while (place := leading_space(data, place)) < len(data):
        end, after = _word_end(data, place, escape)
        if end > place:
            yield rest.cut(place, end)
        place = after


def _word_end(data: bytes, place: int, escape: int) -> tuple[int, int]:
    """The end of a word, and where to read on: an escape character that ends the line is dropped."""
    quote: int | None = None
    while place < len(data):
        mark = data[place]
        if quote is None and leading_space(data, place) > place:
            return place, place
        if mark == escape and quote != ord("'"):
            if place + 1 == len(data):
                return place, len(data)
            place += 2
            continue
        if mark == quote:
            quote = None
        elif quote is None and mark in _QUOTES:
            quote = mark
        place += 1
    return len(data), len(data)


def can_hold_heredoc(line: Spelled) -> bool:
    """Whether an instruction may open heredocs: RUN, COPY and ADD, also under ONBUILD, but not as JSON (rule #34)."""
    command = split_command(line)
    if command.keyword == "onbuild":
        command = split_command(command.rest)
    return command.keyword in _HOLD_HEREDOCS and not _is_json(command.rest.data)


def _is_json(rest: bytes) -> bool:
    if not rest.startswith(b"["):
        return False
    try:
        return isinstance(json.loads(rest.decode("utf-8", "replace")), list)
    except (ValueError, RecursionError):
        return False
