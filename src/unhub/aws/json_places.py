"""JSON as strictly as it is defined, with the place of every value: for messages that point into a policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Never

import tree_sitter_json
from tree_sitter import Language, Node, Parser

from unhub.image.errors import InvalidPolicy

_SPACE = re.compile(r"[ \t\r\n]*")

DEEPEST = 64
"""Nested lists and objects that are followed; IAM's own documents need less than ten."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, from line 1 and column 1 (characters); line 0: there is none."""

    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def wrong(self, reason: str, *, hint: str | None = None) -> InvalidPolicy:
        """The error that says what is wrong here."""
        return InvalidPolicy(self.path, self.line, self.column, reason, hint=hint)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written, so that no digit is lost."""

    text: str


@dataclass(frozen=True, slots=True)
class Json:
    """A value and its place; ``key`` is the place of its key where it is a member of an object."""

    value: str | Number | bool | tuple[Json, ...] | Mapping[str, Json] | None
    place: Place
    key: Place | None = None

    @property
    def members(self) -> Mapping[str, Json]:
        """The members of an object; raises :class:`InvalidPolicy` for anything else."""
        if isinstance(self.value, Mapping):
            return self.value
        raise self.place.wrong("an object is wanted here")

    @property
    def items(self) -> tuple[Json, ...]:
        """The items of a list; a value that is no list is its only item."""
        return self.value if isinstance(self.value, tuple) else (self,)

    @property
    def text(self) -> str:
        """A text; raises :class:`InvalidPolicy` for anything else."""
        if isinstance(self.value, str):
            return self.value
        raise self.place.wrong("a text is wanted here")

    def get(self, *keys: str) -> Json | None:
        """What stands below these keys, ``None`` where that is nothing."""
        here: Json | None = self
        for key in keys:
            here = here.value.get(key) if here and isinstance(here.value, Mapping) else None
        return here


def parse(data: bytes, path: str) -> list[Json]:
    """The JSON values of a file, one behind the other, as commands in a loop print them.

    Raises :class:`InvalidPolicy` for anything that is not JSON, for a key that stands twice in one
    object, and for an empty file.
    """
    start = Place(path, 1, 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise start.wrong(f"it is not UTF-8 at byte {error.start + 1}") from None
    values = [value for begin, end in _spans(text, start) for value in _values(text, begin, end, path)]
    if not values:
        raise start.wrong("it is empty", hint="A policy document in JSON is wanted; `unhub iam-policy` prints one")
    return values


def _spans(text: str, start: Place) -> Iterator[tuple[int, int]]:
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    at = 0
    while (at := _after_space(text, at)) < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise Place(start.path, error.lineno, error.colno).wrong(f"it is not JSON: {error.msg}") from None
        except (RecursionError, ValueError) as error:
            reason = "lists and objects are nested too deep" if isinstance(error, RecursionError) else f"it is not JSON: {error}"
            raise Place(start.path, *_line_and_column(text, at)).wrong(reason) from None
        yield at, end
        at = end


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no number")


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _values(text: str, begin: int, end: int, path: str) -> Iterator[Json]:
    data = text[begin:end].encode("utf-8", "surrogatepass")
    tree = Parser(Language(tree_sitter_json.language())).parse(data)
    reader = _Reader(data, path, *_line_and_column(text, begin))
    for node in tree.root_node.named_children:
        yield reader.value(node, None, DEEPEST)


@dataclass(frozen=True, slots=True)
class _Reader:
    data: bytes
    path: str
    line: int
    column: int

    def place(self, node: Node) -> Place:
        row, column = node.start_point
        before = self.data[node.start_byte - column : node.start_byte].decode("utf-8", "surrogatepass")
        return Place(self.path, self.line + row, len(before) + (self.column if row == 0 else 1))

    def value(self, node: Node, key: Place | None, depth: int) -> Json:
        place = self.place(node)
        if depth == 0:
            raise place.wrong("lists and objects are nested too deep")
        match node.type:
            case "object":
                return Json(self._members(node, depth), place, key)
            case "array":
                return Json(tuple(self.value(item, None, depth - 1) for item in node.named_children), place, key)
            case "number":
                return Json(Number(self._text(node)), place, key)
            case _:
                return Json(json.loads(self._text(node)), place, key)

    def _text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogatepass")

    def _members(self, node: Node, depth: int) -> dict[str, Json]:
        members: dict[str, Json] = {}
        for pair in node.named_children:
            key, value = pair.named_children
            name = str(json.loads(self._text(key)))
            if name in members:
                raise self.place(key).wrong(f"the key {name!r} stands here a second time", hint="Only one of the two would count")
            members[name] = self.value(value, self.place(key), depth - 1)
        return members
