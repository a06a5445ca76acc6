"""Calls in the tokens of a Groovy script: names, arguments, and what stands around them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from unhub.formats._groovy.tokens import Group, Item, Text, Token
from unhub.image.found import Span

ITEMS_MAX = 100
"""Most tokens of the arguments of one call that are looked at."""

_LOOK_BACK_MAX = 60
"""Most tokens that are gone back over to find the call of a named argument."""


class Argument(Struct, frozen=True):
    """An argument of a call: its name, if it has one, and what it consists of."""

    name: str | None
    items: Sequence[Item]

    @property
    def text(self) -> Text | None:
        """The string, where it is nothing else."""
        return self.items[0] if len(self.items) == 1 and isinstance(self.items[0], Text) else None

    @property
    def span(self) -> Span:
        """The bytes of the value, quotes left out."""
        text = self.text
        return text.content if text else Span(self.items[0].span.start, self.items[-1].span.end)


def is_word(item: Item | None, text: str) -> bool:
    """Whether an item is that word."""
    return isinstance(item, Token) and item.kind == "word" and item.text == text


def is_sign(item: Item | None, text: str) -> bool:
    """Whether an item is that sign."""
    return isinstance(item, Token) and item.kind == "sign" and item.text == text


def group_items(item: Item) -> Sequence[Item]:
    """What stands in a pair of brackets; nothing where an item is none."""
    return item.items if isinstance(item, Group) else ()


def name_at(items: Sequence[Item], at: int) -> str:
    """The name at a place, with the object before its dot: ``docker.image``."""
    item = items[at] if 0 <= at < len(items) else None
    if not isinstance(item, Token) or item.kind != "word":
        return ""
    if at >= 2 and is_sign(items[at - 1], "."):
        owner = items[at - 2]
        return f"{owner.text}.{item.text}" if isinstance(owner, Token) and owner.kind == "word" else f".{item.text}"
    return item.text


def followed_by(items: Sequence[Item], at: int, sign: str) -> bool:
    """Whether a sign stands right behind the item at a place."""
    return at + 1 < len(items) and is_sign(items[at + 1], sign)


def goes_on(items: Sequence[Item], at: int) -> bool:
    """Whether an expression goes on here, on the same line."""
    item = items[at] if at < len(items) else None
    return isinstance(item, Token) and item.kind == "sign" and item.text not in ("\n", ";", ",")


def arguments_of(items: Sequence[Item], at: int) -> list[Argument]:
    """The arguments of the call whose name is at a place: in parentheses, or without, to the end of the line."""
    behind = items[at + 1] if at + 1 < len(items) else None
    if isinstance(behind, Group) and behind.opener == "(":
        return split(behind.items)
    bare = (isinstance(behind, Token) and behind.kind == "word") or (isinstance(behind, Group) and behind.opener == "[")
    return split(items, at + 1) if bare or isinstance(behind, Text) else []


def split(items: Sequence[Item], start: int = 0) -> list[Argument]:
    """Arguments between commas. A closure, a semicolon, or a line end that is behind no comma ends them."""
    arguments: list[Argument] = []
    current: list[Item] = []
    for number in range(start, min(len(items), start + ITEMS_MAX)):
        item = items[number]
        comma = is_sign(item, ",")
        line_end = is_sign(item, "\n")
        if comma or is_sign(item, ";") or (line_end and current) or (isinstance(item, Group) and item.opener == "{"):
            arguments += _argument(current)
            current = []
            if not comma:
                break
        elif not line_end:
            current.append(item)
    return arguments + _argument(current)


def _argument(items: list[Item]) -> list[Argument]:
    if len(items) > 1 and is_sign(items[1], ":") and isinstance(items[0], Token | Text):
        name = items[0].text if isinstance(items[0], Token) else items[0].value
        return [Argument(name, items[2:])] if len(items) > 2 else []
    return [Argument(None, items)] if items else []


def call_before(items: Sequence[Item], at: int) -> str:
    """The name of a call without parentheses, of which the item at a place is a named argument."""
    first = at
    while first > 0 and at - first < _LOOK_BACK_MAX:
        if is_sign(items[first - 1], "\n") and not (first > 1 and is_sign(items[first - 2], ",")):
            break
        first -= 1
    return name_at(items, first) if first < at else ""
