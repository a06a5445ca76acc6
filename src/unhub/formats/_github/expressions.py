"""The expressions of GitHub Actions, ``${{ … }}``: which values one may come to.

Grammar: docs.github.com, "Evaluate expressions in workflows and actions" (2026-08). Only
what can hand an image through is followed: literals, contexts, ``||``, and the
``condition && value`` that people use for want of a conditional.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

from unhub.formats._text import decode
from unhub.image.found import Span

EXPRESSION = re.compile(rb"\$\{\{((?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*)\}\}")
"""One expression; a brace in a string literal does not end it."""

_TOKEN = re.compile(
    rb"\s+|(?P<text>'(?:[^']|'')*')|(?P<number>[+-]?(?:\d[\w.]*|\.\d+))|(?P<name>[A-Za-z_*][\w*-]*)"
    rb"|(?P<operator>\|\||&&|==|!=|<=|>=|[!<>()\[\].,])"
)
_DEPTH_MAX = 50
_COMPARISONS = (b"==", b"!=", b"<", b">", b"<=", b">=")


class Literal(Struct, frozen=True):
    """A text written in the expression; ``span`` lies between its quotes."""

    span: Span
    text: str


class Context(Struct, frozen=True):
    """A value looked up: ``("matrix", "image")``."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


class Opaque(Struct, frozen=True):
    """Anything else: a call, a comparison, something that is no expression."""

    text: str


Outcome = Literal | Context | Opaque


class _Tokens(Struct):
    data: bytes
    items: list[tuple[str, Span]] = field(default_factory=list)
    at: int = 0

    def peek(self, offset: int = 0) -> bytes:
        index = self.at + offset
        return self.data[slice(*self.items[index][1])] if index < len(self.items) else b""

    @property
    def kind(self) -> str:
        return self.items[self.at][0] if self.at < len(self.items) else ""

    @property
    def span(self) -> Span:
        return self.items[self.at][1]


class _Unclear(Exception):
    """The text is no expression that is understood here."""


def outcomes(data: bytes, start: int, end: int) -> list[Outcome]:
    """What the expression in ``data`` from ``start`` to ``end`` (without its braces) may come to."""
    text = Opaque(decode(data[start:end]).strip())
    tokens = _Tokens(data)
    at = start
    while at < end:
        match = _TOKEN.match(data, at, end)
        if match is None:
            return [text]
        if match.lastgroup:
            tokens.items.append((match.lastgroup, Span(match.start(), match.end())))
        at = match.end()
    try:
        found = _either(tokens, 0)
    except _Unclear:
        return [text]
    return found if tokens.at == len(tokens.items) else [text]


def _either(tokens: _Tokens, depth: int) -> list[Outcome]:
    found = _both(tokens, depth)
    while tokens.peek() == b"||":
        tokens.at += 1
        # an empty text is false, so the right side is taken for it
        found = [outcome for outcome in found if not (isinstance(outcome, Literal) and not outcome.text)]
        found += _both(tokens, depth)
    return found


def _both(tokens: _Tokens, depth: int) -> list[Outcome]:
    found = _compared(tokens, depth)
    while tokens.peek() == b"&&":
        tokens.at += 1
        found = _compared(tokens, depth)
    return found


def _compared(tokens: _Tokens, depth: int) -> list[Outcome]:
    found = _single(tokens, depth)
    while tokens.peek() in _COMPARISONS:
        tokens.at += 1
        _single(tokens, depth)
        found.clear()
        found.append(Opaque("a comparison"))
    return found


def _single(tokens: _Tokens, depth: int) -> list[Outcome]:
    if depth > _DEPTH_MAX:
        raise _Unclear
    kind, text = tokens.kind, tokens.peek()
    if text == b"!":
        tokens.at += 1
        _single(tokens, depth + 1)
        return [Opaque("a condition")]
    if text == b"(":
        tokens.at += 1
        found = _either(tokens, depth + 1)
        _expect(tokens, b")")
        return found
    if kind == "text":
        span = Span(tokens.span.start + 1, tokens.span.end - 1)
        tokens.at += 1
        raw = tokens.data[span.start : span.end]
        return [Opaque(decode(raw)) if b"''" in raw else Literal(span, decode(raw))]
    if kind == "number":
        tokens.at += 1
        return [Opaque(decode(text))]
    if kind == "name":
        return _named(tokens, depth)
    raise _Unclear


def _named(tokens: _Tokens, depth: int) -> list[Outcome]:
    path = [decode(tokens.peek())]
    tokens.at += 1
    if tokens.peek() == b"(":
        _arguments(tokens, depth)
        path = [f"{path[0]}(…)"]
    called = path[0].endswith(")")
    while tokens.peek() in (b".", b"["):
        opening = tokens.peek()
        tokens.at += 1
        step = _expect_kind(tokens, "name" if opening == b"." else "text")
        path.append(step if opening == b"." else step[1:-1])
        if opening == b"[":
            _expect(tokens, b"]")
    if called or path[0] in ("true", "false", "null", "NaN", "Infinity"):
        return [Opaque(".".join(path))]
    return [Context(tuple(path))]


def _arguments(tokens: _Tokens, depth: int) -> None:
    _expect(tokens, b"(")
    while tokens.peek() != b")":
        _either(tokens, depth + 1)
        if tokens.peek() == b",":
            tokens.at += 1
    tokens.at += 1


def _expect(tokens: _Tokens, text: bytes) -> None:
    if tokens.peek() != text:
        raise _Unclear
    tokens.at += 1


def _expect_kind(tokens: _Tokens, kind: str) -> str:
    if tokens.kind != kind:
        raise _Unclear
    text = decode(tokens.peek())
    tokens.at += 1
    return text


def expressions(data: bytes) -> Iterator[re.Match[bytes]]:
    """Every expression of a text; group 1 is what stands between the braces."""
    return EXPRESSION.finditer(data)
