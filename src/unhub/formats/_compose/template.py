"""Compose's interpolation: what ``$`` means in a value (rule #54).

Source: ``template/template.go`` of compose-spec/compose-go (2026-08): ``$$`` is a dollar; ``$NAME`` and
``${NAME}`` are variables; ``:-`` and ``-`` give a default, ``:?`` and ``?`` an error, ``:+`` and ``+`` a
replacement, each of which may hold variables again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._text import decode
from unhub.image.found import Span

DEPTH_MAX = 20
"""Deepest nesting of defaults that is followed."""

_NAME = re.compile(rb"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(rb":?[-?+]")


class Literal(Struct, frozen=True):
    """A text that stands for itself."""

    span: Span


class Dollar(Struct, frozen=True):
    """``$$``, a literal dollar."""

    span: Span


class Variable(Struct, frozen=True):
    """``${NAME}`` with an operator and its word, both empty for a plain variable.

    ``name`` is empty where the braces hold nothing that Compose accepts.
    """

    span: Span
    name: str
    operator: str
    word: tuple[Node, ...]
    word_span: Span


Node = Literal | Dollar | Variable


def parse(data: bytes, span: Span, depth: int = 0) -> tuple[Node, ...]:
    """The nodes that ``data[span]`` consists of, in order and without gaps."""
    if depth > DEPTH_MAX or b"$" not in data[span.start : span.end]:
        return (Literal(span),) if span.end > span.start else ()
    return tuple(_nodes(data, span, _closing(data, span), depth))


def _closing(data: bytes, span: Span) -> dict[int, int]:
    """Where each opening brace is closed."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for match in re.compile(rb"[{}]").finditer(data, span.start, span.end):
        if match[0] == b"{":
            opened.append(match.start())
        elif opened:
            closing[opened.pop()] = match.start()
    return closing


def _nodes(data: bytes, span: Span, closing: dict[int, int], depth: int) -> Iterator[Node]:
    start = at = span.start
    while (dollar := data.find(b"$", at, span.end)) >= 0:
        node = _at_dollar(data, dollar, span.end, closing, depth)
        if node is None:
            at = dollar + 1
            continue
        if dollar > start:
            yield Literal(Span(start, dollar))
        yield node
        start = at = node.span.end
    if start < span.end:
        yield Literal(Span(start, span.end))


def _at_dollar(data: bytes, at: int, end: int, closing: dict[int, int], depth: int) -> Node | None:
    following = data[at + 1 : min(at + 2, end)]
    if following == b"$":
        return Dollar(Span(at, at + 2))
    if following == b"{" and at + 1 in closing:
        return _braced(data, at, closing[at + 1], depth)
    name = _NAME.match(data, at + 1, end)
    return _variable(Span(at, name.end()), name[0]) if name else None


def _braced(data: bytes, at: int, close: int, depth: int) -> Variable:
    span = Span(at, close + 1)
    name = _NAME.match(data, at + 2, close)
    if name is None:
        return _variable(span, b"")
    operator = _OPERATOR.match(data, name.end(), close)
    if operator is None:
        return _variable(span, name[0] if name.end() == close else b"")
    word = Span(operator.end(), close)
    return Variable(span, decode(name[0]), decode(operator[0]), parse(data, word, depth + 1), word)


def _variable(span: Span, name: bytes) -> Variable:
    return Variable(span, decode(name), "", (), Span(span.end, span.end))
