"""The words of a Dockerfile as BuildKit's shell lexer reads them: quotes, escapes, expansions.

Source: ``ProcessWord`` in ``frontend/dockerfile/shell/lex.go`` of moby/buildkit. Here the word is only
taken apart, by indices into its bytes; :mod:`unhub.formats._dockerfile.value` evaluates it.
"""

from __future__ import annotations

import re

from msgspec import Struct

DEPTH_MAX = 50
"""How deep expansions may be nested before a word counts as broken."""

BACKSLASH = ord("\\")
_NAME = re.compile(rb"[0-9]+|[@*#?\-$!]|[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*")
_DOLLAR, _SINGLE, _DOUBLE, _CLOSE, _SLASH = b"$'\"}/"
_OPERATORS = frozenset({b"+", b"-", b"?", b"#", b"%"})


class BrokenWord(Exception):
    """BuildKit refuses the word; the message says why in the user's terms."""


class Text(Struct, frozen=True):
    """Bytes that stand for themselves."""

    start: int
    end: int


class Escape(Struct, frozen=True):
    """The escape character and, unless the word ends, the byte it protects."""

    start: int
    end: int


class Quoted(Struct, frozen=True):
    """What stands between two quotes, the quotes included in ``start`` and ``end``."""

    start: int
    end: int
    items: tuple[Item, ...]


class Variable(Struct, frozen=True):
    """``$NAME``, or ``${NAME}`` with an operator (``:-``, ``#``, ``/``, ``//`` …) and its words.

    ``word`` is the text behind the operator, the pattern for ``#``, ``%`` and ``/``;
    ``word_start`` is where it begins.
    """

    start: int
    end: int
    name: str
    operator: str = ""
    word: tuple[Item, ...] = ()
    word_start: int = 0
    replacement: tuple[Item, ...] = ()


Item = Text | Escape | Quoted | Variable


def take_apart(word: bytes, escape: int = BACKSLASH) -> tuple[Item, ...]:
    """The items of a word, in order. Raises :class:`BrokenWord` where BuildKit would refuse it."""
    if not any(mark in word for mark in (b"$", b"'", b'"', bytes((escape,)))):
        return (Text(0, len(word)),) if word else ()
    return _Lexer(word, escape).items(0, None, 0)[0]


class _Lexer(Struct, frozen=True):
    data: bytes
    escape: int

    def items(self, place: int, stop: int | None, depth: int) -> tuple[tuple[Item, ...], int]:
        """The items up to an unquoted ``stop`` byte or the end, and the place behind it."""
        if depth > DEPTH_MAX:
            raise BrokenWord("expansions are nested too deep")
        items: list[Item] = []
        while place < len(self.data):
            mark = self.data[place]
            if mark == stop:
                return tuple(items), place + 1
            item = self._item(place, mark, stop, depth)
            items.append(item)
            place = item.end
        if stop is not None:
            raise BrokenWord(f"a {chr(stop)} is missing")
        return tuple(items), place

    def _item(self, place: int, mark: int, stop: int | None, depth: int) -> Item:
        if mark == _DOLLAR:
            return self._variable(place, depth)
        if mark == _SINGLE:
            end = self.data.find(b"'", place + 1)
            if end < 0:
                raise BrokenWord("a single quote is not closed")
            return Quoted(place, end + 1, (Text(place + 1, end),) if end > place + 1 else ())
        if mark == _DOUBLE:
            return self._double_quoted(place, depth)
        if mark == self.escape:
            return Escape(place, min(place + 2, len(self.data)))
        end = place + 1
        while end < len(self.data) and self.data[end] not in (_DOLLAR, _SINGLE, _DOUBLE, self.escape, stop):
            end += 1
        return Text(place, end)

    def _double_quoted(self, start: int, depth: int) -> Quoted:
        items: list[Item] = []
        place = run = start + 1
        while place < len(self.data):
            mark = self.data[place]
            if mark not in (_DOUBLE, _DOLLAR) and not self._protects(place):
                place += 1
                continue
            if place > run:
                items.append(Text(run, place))
            if mark == _DOUBLE:
                return Quoted(start, place + 1, tuple(items))
            item = self._variable(place, depth) if mark == _DOLLAR else Escape(place, place + 2)
            items.append(item)
            place = run = item.end
        raise BrokenWord("a double quote is not closed")

    def _protects(self, place: int) -> bool:
        """Whether an escape character inside double quotes is one: before a quote, a dollar or itself."""
        if self.data[place] != self.escape or place + 1 == len(self.data):
            return False
        return self.data[place + 1] in (_DOUBLE, _DOLLAR, self.escape)

    def _variable(self, start: int, depth: int) -> Item:
        place = start + 1
        if self.data[place : place + 1] != b"{":
            name = _NAME.match(self.data, place)
            return Variable(start, name.end(), _text(name)) if name else Text(start, place)
        place += 1
        if self.data[place : place + 1] in (b"", b"{", b"}", b":"):
            raise BrokenWord("a ${ has no name behind it")
        name = _NAME.match(self.data, place)
        place = name.end() if name else place
        operator = self.data[place : place + 1]
        if operator == b"}":
            return Variable(start, place + 1, _text(name))
        if operator == b"/":
            return self._substitution(start, place + 1, _text(name), depth)
        if operator == b":":
            operator += self.data[place + 1 : place + 2]
        if operator[-1:] not in _OPERATORS:
            found = operator.decode("utf-8", "replace")
            raise BrokenWord(f"it knows no expansion with {found} behind the name" if found else "a } is missing")
        word_start = place + len(operator)
        word, end = self.items(word_start, _CLOSE, depth + 1)
        return Variable(start, end, _text(name), operator.decode(), word, word_start)

    def _substitution(self, start: int, place: int, name: str, depth: int) -> Variable:
        every = self.data[place : place + 1] == b"/"
        place += every
        pattern, after = self.items(place, _SLASH, depth + 1)
        replacement, end = self.items(after, _CLOSE, depth + 1)
        return Variable(start, end, name, "//" if every else "/", pattern, place, replacement)


def _text(name: re.Match[bytes] | None) -> str:
    return name[0].decode("utf-8", "surrogateescape") if name else ""
