"""The tokens of a Groovy script, as groups in brackets (groovy-lang.org, "Syntax", 4.0).

Pipelines are full of command expressions (``c -> sh 'x'``) that the tree-sitter grammar
refuses: a quarter of the example pipelines of jenkinsci do not parse with it. Strings,
comments and brackets are enough to find what a pipeline runs, and never fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

from unhub.formats import _build
from unhub.formats._text import Mapped, Piece, decode
from unhub.image.errors import UnreadableError
from unhub.image.found import Part, Span
from unhub.image.source import BYTE_ORDER_MARK

DEPTH_MAX = 200
"""Deepest nesting of brackets that is followed."""

_SKIP = re.compile(rb"(?:[ \t\f\v]|\\\r?\n|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|\r(?=\n))+")
_WORD = re.compile(rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*")
_NUMBER = re.compile(rb"\d[\w.]*")
_OPENING = re.compile(rb"'''|\"\"\"|'|\"|\$/|/")
_ESCAPE = re.compile(rb"\\(?:u+([0-9a-fA-F]{4})|\r?\n|(.))", re.DOTALL)
_ESCAPES = {b"/": re.compile(rb"\\/"), b"$/": re.compile(rb"\$[$/]")}
_MARK = re.compile(rb"[\\$]")
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"s": b" "}
_VARIABLE = re.compile(rb"\$(?:\{|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_INNER = re.compile(rb"[{}]|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_OPERATORS = frozenset({"return", "in", "case", "assert", "throw", "instanceof", "as", "else"})
_EXPRESSION_MAX = 4000
"""Longest interpolation that is looked into, in bytes."""


class Token(Struct):
    """A name, a number, or a sign; a line end is the sign ``\\n``."""

    span: Span
    text: str
    kind: str = "word"


class Text(Struct):
    """A string. ``variables`` are the inner spans of what is interpolated; ``span`` includes quotes."""

    span: Span
    mapped: Mapped
    variables: list[Span] = field(default_factory=list[Span])

    @property
    def content(self) -> Span:
        """The bytes of the file between the quotes."""
        return self.mapped.outer(Span(0, len(self.mapped.data)))

    @property
    def value(self) -> str:
        """The text, interpolations as written."""
        return decode(self.mapped.data)

    def parts(self, inner: Span) -> list[Part]:
        """The parts that spell a span of the text; what is interpolated is not known (rule #68)."""
        parts: list[Part] = []
        at = inner.start
        for variable in self.variables:
            if variable.start >= inner.end or variable.end <= inner.start:
                continue
            if variable.start > at:
                parts += _build.mapped(self.mapped, Span(at, variable.start))
            parts.append(Part("", self.mapped.outer(variable), known=False))
            at = variable.end
        if at < inner.end:
            parts += _build.mapped(self.mapped, Span(at, inner.end))
        return parts

    def touched(self, inner: Span) -> bool:
        """Whether a span of the text has something interpolated in it."""
        return any(variable.start < inner.end and inner.start < variable.end for variable in self.variables)


class Group(Struct):
    """What stands between brackets: ``opener`` is ``(``, ``[``, ``{``, or empty for a whole file."""

    span: Span
    opener: str
    items: list[Item] = field(default_factory=list["Item"])


Item = Token | Text | Group


def read(data: bytes) -> Group:
    """The tokens of a file. Raises :class:`UnreadableError` where brackets nest too deep."""
    scanner = _Scanner(data)
    root = Group(Span(0, len(data)), "")
    stack = [root]
    for item in scanner.items():
        if isinstance(item, Token) and item.kind == "open":
            group = Group(item.span, item.text)
            stack[-1].items.append(group)
            stack.append(group)
            if len(stack) > DEPTH_MAX:
                line = data.count(b"\n", 0, item.span.start) + 1
                raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels at line {line}")
        elif isinstance(item, Token) and item.kind == "close":
            opened = next((at for at in range(len(stack) - 1, 0, -1) if _CLOSERS[stack[at].opener] == item.text), 0)
            for group in stack[opened:] if opened else ():
                group.span = Span(group.span.start, item.span.end)
            del stack[opened or len(stack) :]
        else:
            stack[-1].items.append(item)
    return root


class _Scanner:
    """Reads tokens one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
        if data.startswith(b"#!", self.at):
            self.at = (data.find(b"\n", self.at) + 1) or len(data)
        self.unclosed: set[bytes] = set()
        self.value_before = False
        """Whether a ``/`` here divides, rather than opening a string."""

    def items(self) -> Iterator[Token | Text]:
        while self.at < len(self.data):
            skipped = _SKIP.match(self.data, self.at)
            if skipped:
                self.at = skipped.end()
                continue
            item = self._text() or self._named() or self._sign()
            self.value_before = isinstance(item, Text) or item.kind == "close" or (item.kind == "word" and item.text not in _OPERATORS)
            yield item

    def _named(self) -> Token | None:
        for pattern in (_WORD, _NUMBER):
            match = pattern.match(self.data, self.at)
            if match:
                return self._token(match.end(), "word")
        return None

    def _sign(self) -> Token:
        char = self.data[self.at : self.at + 1]
        kind = "open" if char in (b"(", b"[", b"{") else "close" if char in (b")", b"]", b"}") else "sign"
        return self._token(self.at + (2 if self.data.startswith(b"->", self.at) else 1), kind)

    def _token(self, end: int, kind: str) -> Token:
        token = Token(Span(self.at, end), decode(self.data[self.at : end]), kind)
        self.at = end
        return token

    def _text(self) -> Text | None:
        opening = _OPENING.match(self.data, self.at)
        if opening is None or (opening[0] == b"/" and self.value_before):
            return None
        end = self._end(opening[0], opening.end())
        if end is None:
            return None
        start, self.at = self.at, end
        closing = len(opening[0])
        return _unquoted(self.data, Span(start, end), Span(opening.end(), end - closing), opening[0])

    def _end(self, quote: bytes, at: int) -> int | None:
        """Where the string that ``quote`` opened ends, quotes included; ``None`` where it does not."""
        if quote in self.unclosed:
            return None
        one_line = quote in (b"'", b'"')
        for match in _STOPS[quote].finditer(self.data, at):
            if match.start() < at:
                continue
            if match[0] == b"\n" and one_line:
                return None
            if match[0] == b"${":
                at = _closing(self.data, match.end())
            elif match[0] == _CLOSING.get(quote, quote):
                return match.end()
        if not one_line:
            self.unclosed.add(quote)
        return None


_CLOSING = {b"$/": b"/$"}
_STOPS = {
    b"'": re.compile(rb"\\\r?.|'|\n", re.DOTALL),
    b'"': re.compile(rb"\\\r?.|\"|\$\{|\n", re.DOTALL),
    b"'''": re.compile(rb"\\.|'''", re.DOTALL),
    b'"""': re.compile(rb"\\.|\"\"\"|\$\{", re.DOTALL),
    b"/": re.compile(rb"\\/|/|\$\{"),
    b"$/": re.compile(rb"\$[$/]|/\$|\$\{"),
}
"""What matters inside a string: escapes, its end, and what is interpolated."""


def _closing(data: bytes, at: int) -> int:
    """The place behind the brace that closes ``${``; strings inside are stepped over."""
    depth, start = 1, at
    for match in _INNER.finditer(data, at, at + _EXPRESSION_MAX):
        if match[0] in (b"{", b"}"):
            depth += 1 if match[0] == b"{" else -1
        if depth == 0:
            return match.end()
    return start


def _unquoted(data: bytes, span: Span, inner: Span, quote: bytes) -> Text:
    """The text of a string with its escapes taken out, and the spans of what is interpolated."""
    out = bytearray()
    pieces: list[Piece] = []
    variables: list[Span] = []
    interpolates = quote not in (b"'", b"'''")
    special = _ESCAPES.get(quote, _ESCAPE)
    at = inner.start

    def literal(end: int) -> None:
        if end > at:
            pieces.append(Piece(len(out), at, end - at))
            out.extend(data[at:end])

    position = inner.start
    while match := _MARK.search(data, position, inner.end):
        place = match.start()
        escape = special.match(data, place, inner.end)
        variable = _VARIABLE.match(data, place, inner.end) if interpolates else None
        if escape:
            literal(place)
            spelled = _spelled(escape[0], quote)
            pieces.append(Piece(len(out), place, len(spelled), literal=False, width=escape.end() - place))
            out.extend(spelled)
            at = position = escape.end()
        elif variable:
            end = min(_closing(data, variable.end()), inner.end) if variable[0] == b"${" else variable.end()
            begin = len(out) + place - at
            variables.append(Span(begin, begin + end - place))
            position = end
        else:
            position = place + 1
    literal(inner.end)
    return Text(span, Mapped(bytes(out), tuple(pieces)), variables)


def _spelled(escape: bytes, quote: bytes) -> bytes:
    """What an escape stands for."""
    if quote in (b"/", b"$/"):
        return escape[1:]
    match = _ESCAPE.fullmatch(escape)
    if match is None or (match[1] is None and match[2] is None):
        return b""
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-8", "surrogatepass")
    return _ESCAPED.get(match[2], match[2])
