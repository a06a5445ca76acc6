"""The nodes of a YAML or JSON document, with the bytes of every scalar.

Nothing is loaded, so duplicate keys, unknown tags and alias bombs are harmless: an alias
is a name that :meth:`Document.resolve` follows one step at a time (rules #45, #46).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator

from msgspec import Struct, field

from unhub.formats._lazy import lazy
from unhub.formats._text import Mapped, decode
from unhub.formats._yaml.scalar import unfold
from unhub.image.found import Span

DEPTH_MAX = 200
"""Deepest nesting that is followed; a deeper file is reported, not read."""

MERGE_KEY = "<<"

_NOT_TEXT = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE"
    r"|[-+]?(?:[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
)


class Node(Struct, kw_only=True):
    """Any value: ``span`` covers it as written, without its anchor and tag."""

    span: Span
    anchor: str | None = None
    tag: str | None = None


class Empty(Node, kw_only=True):
    """No value: ``span`` has no width and lies behind the colon or dash."""


class Alias(Node, kw_only=True):
    """``*name``."""

    name: str


class Scalar(Node, kw_only=True, dict=True):
    """A text. ``style`` is ``plain``, ``'``, ``"``, ``|`` or ``>``; ``span`` includes quotes.

    ``parent_indent`` is the column of the mapping or list it stands in, -1 at the top: an
    indentation hint of a block counts from there.
    """

    data: bytes
    style: str
    parent_indent: int = -1

    @lazy
    def mapped(self) -> Mapped:
        """The value and where each byte of it stands."""
        return unfold(self.data, self.span, self.style, self.parent_indent)

    @lazy
    def text(self) -> str:
        """The value."""
        if self.style == "plain" and b"\n" not in (raw := self.data[self.span.start : self.span.end]) and b"\r" not in raw:
            return decode(raw)
        return decode(self.mapped.data)

    @property
    def content(self) -> Span:
        """The bytes between the quotes, or all of them."""
        return Span(self.span.start + 1, self.span.end - 1) if self.style in "'\"" else self.span

    @property
    def is_null(self) -> bool:
        """Whether this says that there is no value: ``null`` or ``~`` without quotes."""
        return self.style == "plain" and self.text in ("null", "Null", "NULL", "~")

    @property
    def is_text(self) -> bool:
        """Whether this is a text, not a number, a boolean or null (YAML 1.2.2, 10.3.2)."""
        return self.style != "plain" or _NOT_TEXT.fullmatch(self.text) is None


class Sequence(Node, kw_only=True):
    """A list. ``flow`` is true for ``[a, b]``."""

    items: list[Node]
    flow: bool = False


class Pair(Struct, kw_only=True, dict=True):
    """A key, its value, and the span of both."""

    key: Node
    value: Node
    span: Span

    @lazy
    def name(self) -> str | None:
        """The key's text where it is a scalar."""
        return self.key.text if isinstance(self.key, Scalar) else None


class Mapping(Node, kw_only=True):
    """Keys and values in the order written, duplicates kept. ``flow`` is true for ``{a: b}``."""

    pairs: list[Pair]
    flow: bool = False

    def values(self, key: str) -> Iterator[Node]:
        """Every value written under ``key``, duplicates included."""
        return (pair.value for pair in self.pairs if pair.name == key)

    def get(self, key: str) -> Node | None:
        """The value of ``key``; of duplicates the last, as most readers take it."""
        for pair in reversed(self.pairs):
            if pair.name == key:
                return pair.value
        return None

    def text(self, key: str) -> str | None:
        """The value of ``key`` where it is a scalar."""
        value = self.get(key)
        return value.text if isinstance(value, Scalar) else None

    def keys(self) -> set[str]:
        """The names of all keys that are scalars."""
        return {pair.name for pair in self.pairs if pair.name is not None}


class Document(Struct):
    """One document of a stream: its root, its anchors (in the order of the file) and its aliases."""

    root: Node
    anchors: dict[str, list[Node]] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)

    def resolve(self, node: Node | None) -> Node | None:
        """The node an alias stands for: the nearest anchor of that name before it.

        ``None`` where there is no such anchor, or where aliases only lead to one another.
        """
        for _ in range(DEPTH_MAX):
            if not isinstance(node, Alias):
                return node
            anchored = self.anchors.get(node.name, [])
            before = bisect.bisect_left(anchored, node.span.start, key=lambda anchor: anchor.span.start)
            node = anchored[before - 1] if before else None
        return None

    def mapping(self, node: Node | None) -> Mapping | None:
        """``node`` or what its alias stands for, where that is a mapping."""
        node = self.resolve(node)
        return node if isinstance(node, Mapping) else None

    def sequence(self, node: Node | None) -> Sequence | None:
        """``node`` or what its alias stands for, where that is a list."""
        node = self.resolve(node)
        return node if isinstance(node, Sequence) else None

    def scalar(self, node: Node | None) -> Scalar | None:
        """``node`` or what its alias stands for, where that is a text."""
        node = self.resolve(node)
        return node if isinstance(node, Scalar) else None

    def pairs(self, mapping: Mapping) -> Iterator[Pair]:
        """The pairs of a mapping, then those that ``<<`` merges in and nothing before overrides.

        Duplicates within one mapping are all given (rule #45). Of several merged mappings
        the earlier wins, its own merges included (yaml.org/type/merge).
        """
        if mapping.get(MERGE_KEY) is None:
            yield from mapping.pairs
            return
        overridden: set[str] = set()
        visited: set[int] = set()
        waiting = [mapping]
        while waiting:
            current = waiting.pop()
            if id(current) in visited:
                continue
            visited.add(id(current))
            yield from (pair for pair in current.pairs if pair.name != MERGE_KEY and pair.name not in overridden)
            overridden |= current.keys()
            waiting.extend(reversed(list(self._merged(current))))

    def _merged(self, mapping: Mapping) -> Iterator[Mapping]:
        for merge in mapping.values(MERGE_KEY):
            target = self.resolve(merge)
            for item in target.items if isinstance(target, Sequence) else [target]:
                source = self.mapping(item)
                if source is not None:
                    yield source

    def lookup(self, mapping: Mapping, key: str) -> Iterator[Node]:
        """Every value of ``key``, own (duplicates included) or merged in."""
        return (pair.value for pair in self.pairs(mapping) if pair.name == key)
