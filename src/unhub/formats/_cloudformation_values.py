"""What CloudFormation's intrinsic functions spell ("Intrinsic function reference", 2026-08)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats import _build
from unhub.formats._text import Mapped
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.image.found import Class, Part, Span

_VARIABLE = re.compile(rb"\$\{(!?)([^}]*)\}")
_DEPTH_MAX = 20


class Spelling(Struct, frozen=True):
    """What one value spells: the node that shows it, its parts, or why it is left alone."""

    node: Node
    span: Span
    parts: tuple[Part, ...] = ()
    skip: tuple[Class, str] | None = None


class Template(Struct):
    """A template's parameters, mappings and functions."""

    data: bytes
    document: Document
    root: Mapping

    def function(self, node: Node | None) -> tuple[str, Node] | None:
        """The name of an intrinsic function and its argument, in the short form (``!Sub``) or the long one."""
        node = self.document.resolve(node)
        if node is None:
            return None
        if node.tag and node.tag.startswith("!") and len(node.tag) > 1:
            return node.tag[1:].removeprefix("Fn::"), node
        if isinstance(node, Mapping) and len(node.pairs) == 1:
            name = node.pairs[0].name or ""
            if name == "Ref" or name.startswith("Fn::"):
                return name.removeprefix("Fn::"), node.pairs[0].value
        return None

    def options(self, node: Node | None, depth: int = 0) -> Iterator[Node]:
        """The values of which one is taken: both of ``If``, every entry of a mapping that ``FindInMap`` may find."""
        node = self.document.resolve(node)
        called = self.function(node)
        items = self._items(called[1]) if called else []
        if depth > _DEPTH_MAX or node is None:
            return
        if called and called[0] == "If" and len(items) == 3:
            for item in items[1:]:
                yield from self.options(item, depth + 1)
        elif called and called[0] == "FindInMap" and len(items) >= 3:
            yield from self._entries(items)
        else:
            yield node

    def _items(self, node: Node) -> list[Node]:
        sequence = self.document.sequence(node)
        return sequence.items if sequence else []

    def _entries(self, items: list[Node]) -> Iterator[Node]:
        """The texts of a mapping that fit, where a key that is not written out fits every one."""
        node: Node | None = self.root.get("Mappings")
        reached: list[Node] = [node] if node else []
        for item in items[:3]:
            scalar = None if self.function(item) else self.document.scalar(item)
            found: list[Node] = []
            for current in reached:
                mapping = self.document.mapping(current)
                for pair in mapping.pairs if mapping else ():
                    if scalar is None or pair.name == scalar.text:
                        found.append(pair.value)
            reached = found
        yield from reached

    def spell(self, node: Node) -> Spelling | None:
        """What a value spells; ``None`` where it is no text at all."""
        called = self.function(node)
        if called is None:
            scalar = self.document.scalar(node)
            if scalar is None or not scalar.text.strip():
                return None
            inner = _trimmed(scalar)
            return Spelling(scalar, scalar.mapped.outer(inner), _build.mapped(scalar.mapped, inner))
        shown = self._shown(node, *called)
        blocked = self._blocked(called)
        if blocked:
            return Spelling(node, shown, skip=(Class.CONFLICT, blocked))
        parts = self._parts(node, 0) or [Part("", shown, known=False)]
        return Spelling(node, shown, tuple(parts))

    def _shown(self, node: Node, name: str, argument: Node) -> Span:
        """What users see as the value: the text of ``Sub`` and ``Ref``, else the whole call."""
        resolved = self.document.resolve(node) or node
        if name == "Sub":
            items = self._items(argument)
            argument = items[0] if items else argument
        scalar = self.document.scalar(argument)
        if name in ("Sub", "Ref") and scalar is not None:
            return scalar.mapped.outer(_trimmed(scalar))
        return resolved.span

    def _blocked(self, called: tuple[str, Node]) -> str | None:
        """A parameter that lists what it may be: a new default would be refused."""
        name, argument = called
        scalar = self.document.scalar(argument)
        names = [scalar.text] if name == "Ref" and scalar else []
        if name == "Sub":
            text = self._sub(argument)[0]
            names = [match[2].decode("utf-8", "replace") for match in _VARIABLE.finditer(text.data)] if text else []
        for one in names:
            parameter = self._parameter(one)
            for key in ("AllowedValues", "AllowedPattern"):
                limit = parameter.get(key) if parameter else None
                if limit is not None and parameter and parameter.get("Default") is not None:
                    line = self.data.count(b"\n", 0, limit.span.start) + 1
                    return f"the parameter {one} has {key} at line {line}; change both by hand"
        return None

    def _parameter(self, name: str) -> Mapping | None:
        parameters = self.document.mapping(self.root.get("Parameters"))
        return self.document.mapping(parameters.get(name)) if parameters else None

    def _parts(self, node: Node | None, depth: int) -> list[Part] | None:
        called = self.function(node)
        if depth > _DEPTH_MAX or node is None:
            return None
        if called is None:
            scalar = self.document.scalar(node)
            return list(_build.mapped(scalar.mapped, _trimmed(scalar))) if scalar and scalar.text.strip() else None
        name, argument = called
        scalar = self.document.scalar(argument)
        if name == "Ref" and scalar:
            return self._value(scalar.text, depth)
        if name == "Sub":
            return self._substituted(argument, depth)
        if name == "Join":
            return self._joined(argument, depth)
        return None

    def _value(self, name: str, depth: int) -> list[Part] | None:
        """The default of a parameter; one that names an entry of a parameter store has its value there."""
        parameter = self._parameter(name)
        if parameter is None or (parameter.text("Type") or "String").startswith("AWS::SSM"):
            return None
        default = parameter.get("Default")
        return self._parts(default, depth + 1) if default is not None and self.function(default) is None else None

    def _sub(self, argument: Node) -> tuple[Mapped | None, Mapping | None]:
        """The text of a ``Sub`` and the names that it brings along."""
        items = self._items(argument)
        scalar = self.document.scalar(items[0] if items else argument)
        given = self.document.mapping(items[1]) if len(items) > 1 else None
        return (scalar.mapped if scalar else None), given

    def _substituted(self, argument: Node, depth: int) -> list[Part] | None:
        text, given = self._sub(argument)
        if text is None:
            return None
        parts: list[Part] = []
        lead = len(text.data) - len(text.data.lstrip())
        at, end = lead, max(lead, len(text.data.rstrip()))
        for match in _VARIABLE.finditer(text.data, at, end):
            parts += _build.mapped(text, Span(at, match.start())) if match.start() > at else ()
            span = text.outer(Span(match.start(), match.end()))
            name = match[2].decode("utf-8", "replace").strip()
            value = None if match[1] else self._parts(given.get(name), depth + 1) if given and given.get(name) else self._value(name, depth)
            parts += value or [Part("", span, known=False)]
            at = match.end()
        return [*parts, *(_build.mapped(text, Span(at, end)) if end > at else ())]

    def _joined(self, argument: Node, depth: int) -> list[Part] | None:
        """``Join`` with values that are written out."""
        items = self._items(argument)
        delimiter = self.document.scalar(items[0]) if len(items) == 2 else None
        if delimiter is None or self.function(items[1]):
            return None
        parts: list[Part] = []
        for number, item in enumerate(self._items(items[1])):
            if number and delimiter.mapped.data:
                parts += _build.mapped(delimiter.mapped, Span(0, len(delimiter.mapped.data)))
            parts += self._parts(item, depth + 1) or [Part("", item.span, known=False)]
        return parts or None


def variables(text: Mapped) -> list[Span]:
    """The inner spans of what ``Sub`` fills into a text."""
    return [Span(*match.span()) for match in _VARIABLE.finditer(text.data) if not match[1]]


def _trimmed(scalar: Scalar) -> Span:
    text = scalar.mapped.data
    start = len(text) - len(text.lstrip())
    return Span(start, max(start, len(text.rstrip())))
