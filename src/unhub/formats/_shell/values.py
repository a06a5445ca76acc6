"""What the words of a script stand for, as far as the script itself says so.

A variable has every value that is assigned to it in the script: one for ``IMAGE=node:20``,
several for ``for image in node redis`` or for both branches of an ``if``. The order of
commands is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from unhub.formats._shell.tree import Assignment, Command, Expansion, Script, Text, Word
from unhub.formats._text import encode
from unhub.image.found import Part, Span

VALUES_MAX: Final = 1000
"""Most values that are followed for one word."""

BITS_MAX: Final = 100
"""Most pieces of a value; a variable made of variables can double with every step."""

DEPTH_MAX: Final = 40
"""Most variables that are followed one behind the other."""


class Bit(Struct, frozen=True):
    """A part of a value, the place in the command where it takes effect, and the variable it came by."""

    part: Part
    use: Span
    variable: str = ""


Value = tuple[Bit, ...]


def is_known(value: Value) -> bool:
    """Whether all of a value is known."""
    return all(bit.part.known for bit in value)


def text_of(value: Value) -> str:
    """The known text of a value."""
    return "".join(bit.part.text for bit in value)


def cut(value: Value, start: int, end: int | None = None) -> Value:
    """The characters ``start`` to ``end`` of a value."""
    out: list[Bit] = []
    at = 0
    for bit in value:
        length = len(bit.part.text)
        first, last = max(start - at, 0), length if end is None else min(end - at, length)
        if first < last or (length == 0 and at >= start and (end is None or at <= end)):
            out.append(_slice(bit, first, last) if length else bit)
        at += length
    return tuple(out)


def _slice(bit: Bit, start: int, end: int) -> Bit:
    part = bit.part
    if (start, end) == (0, len(part.text)) or not part.literal or not part.known:
        return bit
    before, width = len(encode(part.text[:start])), len(encode(part.text[start:end]))
    span = Span(part.span.start + before, part.span.start + before + width)
    use = Span(bit.use.start + before, bit.use.start + before + width) if bit.use == part.span else bit.use
    return Bit(Part(part.text[start:end], span, part.role, literal=part.literal, path=part.path), use, bit.variable)


class Field(Struct, frozen=True):
    """A word of a command after expansion: its possible values, the first one being looked at for flags.

    ``elastic``: an unquoted variable of unknown value may stand for no word or for many.
    """

    values: tuple[Value, ...]
    word: Word
    elastic: bool = False

    @property
    def head(self) -> str:
        """The text before the first unknown part."""
        known: list[str] = []
        for bit in self.values[0]:
            if not bit.part.known:
                break
            known.append(bit.part.text)
        return "".join(known)

    @property
    def text(self) -> str | None:
        """The whole text, ``None`` where it is not known."""
        value = self.values[0]
        if len(value) == 1:
            return value[0].part.text if value[0].part.known else None
        return text_of(value) if is_known(value) else None

    @property
    def span(self) -> Span:
        """The bytes of the command that spell this field."""
        uses = [bit.use for bit in self.values[0]] or [self.word.inner]
        return Span(min(use.start for use in uses), max(use.end for use in uses))

    def cut(self, start: int, end: int | None = None) -> Field:
        """The characters ``start`` to ``end``."""
        return Field(tuple(cut(value, start, end) for value in self.values), self.word)


class Values:
    """The variables, functions and calls of a script."""

    def __init__(self, script: Script, environment: Iterable[Assignment] = ()) -> None:
        self._assignments: dict[str, list[tuple[str, Assignment]]] = {}
        for function, assignment in script.assignments:
            self._assignments.setdefault(assignment.name, []).append((function, assignment))
        assigned = frozenset(self._assignments)
        for assignment in environment:
            if assignment.name not in assigned:
                self._assignments.setdefault(assignment.name, []).append(("", assignment))
        self._calls: dict[str, list[Command]] = {}
        self._shifting: set[str] = set()
        self._known: dict[tuple[str, str], tuple[Value, ...]] = {}
        self._depth = 0
        for command in script.commands:
            name = command.words[0].text if command.words else None
            if name == "shift":
                self._shifting.add(command.function)
            if name:
                self._calls.setdefault(name, []).append(command)
            self._note_defaults(command)

    def _note_defaults(self, command: Command) -> None:
        """``${NAME:=word}`` assigns."""
        for word in command.words:
            for _, piece in word.expansions() if word.text is None else ():
                if piece.operator in (":=", "=") and piece.argument is not None:
                    assignment = Assignment(piece.name, piece.span, piece.argument)
                    self._assignments.setdefault(piece.name, []).append((command.function, assignment))

    def calls(self, function: str) -> Sequence[Command]:
        """The commands that call a function."""
        return self._calls.get(function, ())

    def fields(self, words: Iterable[Word], function: str) -> list[Field]:
        """Words after expansion and splitting."""
        return [field for word in words for field in self._fields(word, function)]

    def _fields(self, word: Word, function: str) -> Iterator[Field]:
        lone = word.pieces[0] if len(word.pieces) == 1 and isinstance(word.pieces[0], Expansion) else None
        items = self._items(lone, function) if lone else None
        if items is not None:
            for item in items:
                for value in self.word(item, function)[:1]:
                    yield Field((tuple(Bit(bit.part, word.inner, bit.variable) for bit in value),), word)
            return
        values = self.word(word, function)
        several = lone is not None and (not lone.quoted or lone.name in ("@", "*") or lone.name.endswith(("[@]", "[*]")))
        if not several:
            yield Field(values, word)
            return
        if len(values) == 1 and (is_known(values[0]) or " " in text_of(values[0]).strip()):
            for value in _blank_separated(values[0]):
                yield Field((value,), word)
            return
        odd = any(" " in text_of(value) or text_of(value).startswith("-") or (is_known(value) and not text_of(value)) for value in values)
        yield Field(((_unknown(lone),),) if odd and lone else values, word, elastic=odd or not is_known(values[0]))

    def _items(self, lone: Expansion, function: str) -> list[Word] | None:
        """The words of an array that is expanded whole."""
        if not lone.name.endswith(("[@]", "[*]")) or lone.operator:
            return None
        found = self._visible(lone.name[:-3], function)
        if not found or any(assignment.items is None for assignment in found):
            return None
        return [item for assignment in found for item in assignment.items or ()]

    def _visible(self, name: str, function: str) -> list[Assignment]:
        found = self._assignments.get(name, [])
        own = [assignment for scope, assignment in found if scope == function]
        return own if function and own else [assignment for _, assignment in found]

    def word(self, word: Word, function: str) -> tuple[Value, ...]:
        """Every value of a word, at least one."""
        if len(word.pieces) == 1 and isinstance(word.pieces[0], Text):
            return self._piece(word.pieces[0], function)
        values: list[Value] = [()]
        for piece in word.pieces:
            choices = self._piece(piece, function)
            values = [(*value, *choice) for value in values[:VALUES_MAX] for choice in choices][:VALUES_MAX]
            if any(len(value) > BITS_MAX for value in values):
                return (((Bit(Part("", word.inner, known=False), word.inner)),),)
        if not word.pieces:
            values = [(Bit(Part("", word.span), word.span),)]
        return tuple(dict.fromkeys(values))

    def _piece(self, piece: Text | Expansion, function: str) -> tuple[Value, ...]:
        if isinstance(piece, Text):
            return ((Bit(Part(piece.text, piece.span, literal=piece.literal), piece.span),),)
        values = self._expansion(piece, function)
        return tuple(tuple(Bit(bit.part, piece.span, bit.variable) for bit in value) for value in values)

    def _expansion(self, piece: Expansion, function: str) -> tuple[Value, ...]:
        unknown = ((_unknown(piece),),)
        if not piece.name or piece.operator.lstrip(":") not in ("", "-", "=", "?") or piece.operator == ":":
            return unknown
        values = self._variable(piece.name, function)
        known = tuple(value for value in values if is_known(value) and (text_of(value) or not piece.operator))
        if piece.argument is not None and piece.operator in (":-", "-", ":=", "="):
            default = self.word(piece.argument, function)
            return known if known and len(known) == len(values) else (*known, *default)
        return tuple(value if _says_something(value) else (_unknown(piece),) for value in values) or unknown

    def _variable(self, name: str, function: str) -> tuple[Value, ...]:
        """The values of a variable; of one that is being looked up, none."""
        key = (function, name)
        if key not in self._known:
            if self._depth >= DEPTH_MAX:
                return ()
            self._known[key] = ()
            self._depth += 1
            self._known[key] = self._looked_up(name, function)
            self._depth -= 1
        return self._known[key]

    def _looked_up(self, name: str, function: str) -> tuple[Value, ...]:
        if name.isdigit():
            return self._parameter(int(name), function)
        item = name.partition("[")[2].rstrip("]")
        found = self._visible(name.partition("[")[0], function)
        if any(assignment.append and assignment.items is None for assignment in found):
            return ()
        values: list[Value] = []
        for assignment in found:
            for value in self._assigned(assignment, item, function):
                values.append(tuple(Bit(bit.part, bit.use, bit.variable or name) for bit in value))
        return tuple(dict.fromkeys(values))[:VALUES_MAX]

    def _assigned(self, assignment: Assignment, item: str, function: str) -> Iterator[Value]:
        """The values of one assignment; a list of words to loop over is split at blanks, as the shell does."""
        for word in _words(assignment, item):
            lone = word.pieces[0] if len(word.pieces) == 1 else None
            splits = assignment.loop and isinstance(lone, Expansion)
            items = self._items(lone, function) if splits and isinstance(lone, Expansion) else None
            for inner in items or [word]:
                for value in self.word(inner, function):
                    if splits and not items and isinstance(lone, Expansion) and not lone.quoted and is_known(value):
                        yield from _blank_separated(value)
                    else:
                        yield value

    def _parameter(self, number: int, function: str) -> tuple[Value, ...]:
        if not function or number == 0 or function in self._shifting:
            return ()
        values: list[Value] = []
        for call in self.calls(function):
            if number < len(call.words) and call.function != function:
                values += self.word(call.words[number], call.function)
        return tuple(dict.fromkeys(values))[:VALUES_MAX]


def _words(assignment: Assignment, item: str) -> list[Word]:
    if assignment.items is None:
        return [assignment.value] if assignment.value is not None else []
    if assignment.loop:
        return list(assignment.items)
    number = int(item) if item.isdigit() else 0
    return list(assignment.items[number : number + 1])


def _says_something(value: Value) -> bool:
    return is_known(value) or any(bit.part.text for bit in value)


def _unknown(piece: Expansion) -> Bit:
    return Bit(Part("", piece.span, known=False), piece.span)


def _blank_separated(value: Value) -> Iterator[Value]:
    """The words of a value that is split at blanks; a piece that is not known is taken for one without blanks."""
    word: list[Bit] = []
    for bit in value:
        if not bit.part.known:
            word.append(bit)
            continue
        for match in re.finditer(r"\s+|\S+", bit.part.text):
            if match[0].isspace():
                if word:
                    yield tuple(word)
                word = []
            else:
                word.append(_slice(bit, match.start(), match.end()))
    if word:
        yield tuple(word)
