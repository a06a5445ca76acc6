"""What an expression of an HCL file spells, as far as the files at hand say it."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._hcl.nodes import Call, Choice, Other, Reference, Template
from unhub.formats._text import Mapped, decode
from unhub.formats._yaml.nodes import Empty, Mapping, Node, Scalar, Sequence
from unhub.image.found import Part, Span

_DEPTH_MAX = 20
_ANY_OF = frozenset({"coalesce", "try", "lookup"})
_TRANSPARENT = frozenset({"trimspace", "lower", "chomp"})
_VERB = re.compile(rb"%[sv%]")


class Value(Struct, frozen=True):
    """What a name stands for, and the file that says so (``None`` for the file at hand)."""

    node: Node
    path: str | None = None


Lookup = Callable[[str], Value | None]
"""The value of a name, where there is one."""


class Values:
    """Follows names to their values."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def options(self, node: Node, depth: int = 0) -> Iterator[Node]:
        """The values of which one is taken: both of a condition, all of ``coalesce``."""
        if depth > _DEPTH_MAX:
            return
        if isinstance(node, Choice):
            nodes = node.options
        elif isinstance(node, Call) and node.name in _ANY_OF:
            nodes = node.arguments[2:] if node.name == "lookup" and len(node.arguments) > 2 else node.arguments
        else:
            yield node
            return
        for inner in nodes:
            yield from self.options(inner, depth + 1)

    def resolve(self, node: Node) -> Value | None:
        """What a name finally stands for; a value stands for itself."""
        value: Value | None = Value(node)
        for _ in range(_DEPTH_MAX):
            if value is None or not isinstance(value.node, Reference):
                return value
            found = self._lookup(value.node.name)
            # names inside another file are not followed any further: they are its own
            value = None if found is None or (value.path and isinstance(found.node, Reference)) else found
        return None

    def structure(self, node: Node) -> Mapping | Sequence | Template | None:
        """The mapping, list or text that an expression stands for, in the file at hand."""
        value = self.resolve(node)
        if value is None or value.path is not None:
            return None
        return value.node if isinstance(value.node, Mapping | Sequence | Template) else None

    def parts(self, node: Node, inner: Span | None = None) -> list[Part]:
        """The parts that an expression spells; one of unknown value where it is not followed."""
        return self._parts(node, None, 0, inner) or [unknown(node)]

    def _parts(self, node: Node, path: str | None, depth: int, inner: Span | None = None) -> list[Part] | None:
        if depth > _DEPTH_MAX:
            return None
        if isinstance(node, Template):
            return self._template(node, path, depth, inner or Span(0, len(node.mapped.data)))
        if isinstance(node, Scalar):
            return None if node.text in ("null", "") else [Part(node.text, node.span, path=path)]
        if isinstance(node, Reference):
            value = self._lookup(node.name) if path is None else None
            return self._parts(value.node, value.path, depth + 1) if value else None
        if isinstance(node, Call) and node.name in _TRANSPARENT and len(node.arguments) == 1:
            return self._parts(node.arguments[0], path, depth + 1)
        if isinstance(node, Call) and node.name == "format" and node.arguments and isinstance(node.arguments[0], Template):
            return self._format(node, node.arguments[0], path, depth)
        return None

    def _template(self, node: Template, path: str | None, depth: int, inner: Span) -> list[Part] | None:
        text = node.mapped
        parts: list[Part] = []
        at = inner.start
        for interpolation in node.interpolations:
            spelled = interpolation_span(text, interpolation.span)
            if spelled is None or spelled.start < at or spelled.end > inner.end:
                continue
            parts += _literal(text, Span(at, spelled.start), path)
            value = interpolation.value and self._parts(interpolation.value, path, depth + 1)
            parts += value or [Part("", interpolation.span, known=False, path=path)]
            at = spelled.end
        parts += _literal(text, Span(at, inner.end), path)
        return parts or _empty(node, path)

    def _format(self, node: Call, template: Template, path: str | None, depth: int) -> list[Part] | None:
        """``format("%s:%s", …)`` with plain verbs only."""
        data = template.mapped.data
        if template.interpolations or data.count(b"%") != len(_VERB.findall(data)) or b"%%" in data:
            return None
        parts: list[Part] = []
        at = 0
        arguments = iter(node.arguments[1:])
        for verb in _VERB.finditer(data):
            parts += _literal(template.mapped, Span(at, verb.start()), path)
            argument = next(arguments, None)
            parts += (argument and self._parts(argument, path, depth + 1)) or [
                Part("", (argument or template).span, known=False, path=path)
            ]
            at = verb.end()
        return parts + _literal(template.mapped, Span(at, len(data)), path)


def _empty(node: Template, path: str | None) -> list[Part] | None:
    """The place between the quotes of ``""``, where a registry can be written (rule #38)."""
    if node.style != '"' or node.span.end - node.span.start != 2:
        return None
    return [Part("", Span(node.span.start + 1, node.span.end - 1), path=path)]


def unknown(node: Node) -> Part:
    """The part of an expression whose value is not known."""
    return Part("", node.span, known=False)


def shown_span(node: Node) -> Span:
    """The bytes that users see as the value: a text without its quotes, else the expression."""
    return node.mapped.outer(Span(0, len(node.mapped.data))) if isinstance(node, Template) and node.mapped.pieces else node.span


def interpolation_span(text: Mapped, outer: Span) -> Span | None:
    """The inner span of the interpolation at ``outer``."""
    at = bisect.bisect_right(text.pieces, outer.start, key=lambda piece: piece.outer) - 1
    piece = text.pieces[at] if at >= 0 else None
    if piece is None or not piece.literal or outer.start >= piece.outer + piece.length:
        return None
    start = piece.inner + outer.start - piece.outer
    return Span(start, start + outer.end - outer.start)


def _literal(text: Mapped, span: Span, path: str | None) -> list[Part]:
    if span.end <= span.start:
        return []
    return [replace(part, path=path) for part in _build.mapped(text, span)]


def children(node: Node) -> list[Node]:
    """What stands inside a value, keys left out."""
    if isinstance(node, Mapping):
        return [pair.value for pair in node.pairs]
    if isinstance(node, Sequence):
        return node.items
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Choice):
        return node.options
    if isinstance(node, Other):
        return node.inner
    return []


def is_empty(node: Node | None) -> bool:
    """Whether there is no value: none written, ``null``, or an empty text."""
    return node is None or isinstance(node, Empty) or (isinstance(node, Scalar) and node.text.strip() in ("", "null"))


def value_text(node: Node | None) -> str | None:
    """The text of a literal."""
    if isinstance(node, Template):
        return None if node.interpolations else decode(node.mapped.data)
    return node.text if isinstance(node, Scalar) else None
