"""YAML by spans: a light tree over tree-sitter's, with the bytes of every scalar.

Nothing is loaded, so duplicate keys, unknown tags and alias bombs are harmless: an alias
is a name that :meth:`Document.resolve` follows one step at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

from unhub.formats._text import Mapped, decode
from unhub.formats._yaml_scalar import unfold
from unhub.image.errors import UnreadableError
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from tree_sitter import Node as TreeNode
    from tree_sitter import Parser

DEPTH_MAX = 200
"""Deepest nesting that is followed; a deeper file is reported, not read."""


@dataclass(slots=True, kw_only=True)
class Node:
    """Any value: ``span`` covers it as written, without its anchor and tag."""

    span: Span
    anchor: str | None = None
    tag: str | None = None


@dataclass(slots=True, kw_only=True)
class Empty(Node):
    """No value: ``span`` has no width and lies behind the colon or dash."""


@dataclass(slots=True, kw_only=True)
class Alias(Node):
    """``*name``."""

    name: str


@dataclass(kw_only=True)
class Scalar(Node):
    """A text. ``style`` is ``plain``, ``'``, ``"``, ``|`` or ``>``; ``span`` includes quotes."""

    data: bytes = field(repr=False)
    style: str
    parent_indent: int = 0

    @cached_property
    def mapped(self) -> Mapped:
        """The value and where each byte of it stands."""
        return unfold(self.data, self.span, self.style)

    @cached_property
    def text(self) -> str:
        """The value."""
        return decode(self.mapped.data)

    @property
    def content(self) -> Span:
        """The bytes between the quotes, or all of them."""
        return Span(self.span.start + 1, self.span.end - 1) if self.style in "'\"" else self.span


@dataclass(slots=True, kw_only=True)
class Sequence(Node):
    """A list. ``flow`` is true for ``[a, b]``."""

    items: list[Node]
    flow: bool = False


@dataclass(slots=True, kw_only=True)
class Pair:
    """A key, its value, and the span of both."""

    key: Node
    value: Node
    span: Span

    @property
    def name(self) -> str | None:
        """The key's text where it is a scalar."""
        return self.key.text if isinstance(self.key, Scalar) else None


@dataclass(slots=True, kw_only=True)
class Mapping(Node):
    """Keys and values in the order written, duplicates kept. ``flow`` is true for ``{a: b}``."""

    pairs: list[Pair]
    flow: bool = False

    def values(self, key: str) -> Iterator[Node]:
        """Every value written under ``key``, duplicates included."""
        return (pair.value for pair in self.pairs if pair.name == key)

    def get(self, key: str) -> Node | None:
        """The value of ``key``; of duplicates the last, as most readers take it."""
        return next((pair.value for pair in reversed(self.pairs) if pair.name == key), None)

    def text(self, key: str) -> str | None:
        """The value of ``key`` where it is a scalar."""
        value = self.get(key)
        return value.text if isinstance(value, Scalar) else None

    def keys(self) -> set[str]:
        """The names of all keys that are scalars."""
        return {pair.name for pair in self.pairs if pair.name is not None}


@dataclass(slots=True)
class Document:
    """One document of a stream: its root, its anchors and its aliases."""

    root: Node
    anchors: dict[str, list[Node]] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)

    def resolve(self, node: Node | None) -> Node | None:
        """The node an alias stands for: the nearest anchor of that name before it."""
        for _ in range(DEPTH_MAX):
            if not isinstance(node, Alias):
                return node
            before = [anchor for anchor in self.anchors.get(node.name, ()) if anchor.span.start < node.span.start]
            node = before[-1] if before else None
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

    def pairs(self, mapping: Mapping, _depth: int = 0) -> Iterator[Pair]:
        """The pairs of a mapping, then those that ``<<`` merges in and it does not override."""
        own = mapping.keys()
        yield from (pair for pair in mapping.pairs if pair.name != "<<")
        if _depth > 20:
            return
        for merge in mapping.values("<<"):
            target = self.resolve(merge)
            sources = target.items if isinstance(target, Sequence) else [target]
            for item in sources:
                merged = self.mapping(item)
                if merged is None or merged is mapping:
                    continue
                for pair in self.pairs(merged, _depth + 1):
                    if pair.name not in own:
                        yield pair

    def lookup(self, mapping: Mapping, key: str) -> Iterator[Node]:
        """Every value of ``key``, own (duplicates included) or merged in."""
        return (pair.value for pair in self.pairs(mapping) if pair.name == key)


@cache
def _parser() -> Parser:
    import tree_sitter_yaml
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_yaml.language()))


def plain_utf8(data: bytes) -> bytes:
    """The same number of bytes, each one that is not UTF-8 replaced by ``x``."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
        return "".join("x" if "\udc80" <= char <= "\udcff" else char for char in text).encode("utf-8")
    return data


def parse(data: bytes, *, shown: bytes | None = None) -> list[Document]:
    """The documents of a stream.

    ``shown`` are the bytes that scalars take their text from, where ``data`` is a masked
    copy of the same length. Raises :class:`UnreadableError` with line and column where
    this is not YAML, or where it nests too deep.
    """
    clean = plain_utf8(data).replace(b"\0", b"x")
    if clean.startswith(BYTE_ORDER_MARK):
        clean = b"   " + clean[3:] if clean[3:4] in (b"\n", b"\r", b"#") else clean
    root = _parser().parse(clean).root_node
    if root.has_error:
        raise _broken(root, clean)
    reader = _Reader(data if shown is None else shown)
    documents: list[Document] = []
    for child in root.children:
        if child.type == "document":
            documents.append(reader.document(child))
    return documents


def _broken(root: TreeNode, data: bytes) -> UnreadableError:
    node, place = root, root
    while True:
        worse = next((child for child in node.children if child.has_error or child.is_missing), None)
        if worse is None:
            break
        node = worse
        if node.is_error or node.is_missing:
            place = node
    at = place.end_byte if place is root else place.start_byte
    line = data.count(b"\n", 0, at) + 1
    column = len(decode(data[data.rfind(b"\n", 0, at) + 1 : at])) + 1
    return UnreadableError(f"not valid YAML near line {line}, column {column}")


class _Reader:
    """Turns tree-sitter's nodes into ours, one document at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.current = Document(Empty(span=Span(0, 0)))

    def document(self, node: TreeNode) -> Document:
        self.current = Document(Empty(span=Span(node.end_byte, node.end_byte)))
        for child in node.children:
            if child.type in ("block_node", "flow_node"):
                self.current.root = self.node(child, 0)
        return self.current

    def node(self, node: TreeNode, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels at byte {node.start_byte}")
        anchor = tag = None
        content: TreeNode | None = None
        for child in node.children:
            kind = child.type
            if kind == "anchor":
                anchor = decode(self.data[child.start_byte + 1 : child.end_byte])
            elif kind == "tag":
                tag = decode(self.data[child.start_byte : child.end_byte])
            elif kind != "comment":
                content = child
        if content is None:
            result: Node = Empty(span=Span(node.end_byte, node.end_byte))
        else:
            result = self.content(content, depth)
        result.anchor, result.tag = anchor, tag
        if anchor is not None:
            self.current.anchors.setdefault(anchor, []).append(result)
        return result

    def content(self, node: TreeNode, depth: int) -> Node:
        span = Span(node.start_byte, node.end_byte)
        match node.type:
            case "plain_scalar":
                return Scalar(span=span, data=self.data, style="plain")
            case "double_quote_scalar":
                return Scalar(span=span, data=self.data, style='"')
            case "single_quote_scalar":
                return Scalar(span=span, data=self.data, style="'")
            case "block_scalar":
                return Scalar(span=span, data=self.data, style=chr(self.data[span.start]))
            case "alias":
                alias = Alias(span=span, name=decode(self.data[span.start + 1 : span.end]))
                self.current.aliases.append(alias)
                return alias
            case "block_mapping" | "flow_mapping":
                return self.mapping(node, span, depth)
            case "block_sequence" | "flow_sequence":
                return self.sequence(node, span, depth)
            case _:
                return Empty(span=Span(span.end, span.end))

    def mapping(self, node: TreeNode, span: Span, depth: int) -> Mapping:
        pairs: list[Pair] = []
        for child in node.children:
            if child.type in ("block_mapping_pair", "flow_pair"):
                pairs.append(self.pair(child, depth))
            elif child.type == "flow_node":
                key = self.node(child, depth + 1)
                pairs.append(Pair(key=key, value=Empty(span=Span(key.span.end, key.span.end)), span=key.span))
        return Mapping(span=span, pairs=pairs, flow=node.type == "flow_mapping")

    def pair(self, node: TreeNode, depth: int) -> Pair:
        key_node = node.child_by_field_name("key")
        value_node = node.child_by_field_name("value")
        behind = next((child.end_byte for child in node.children if child.type == ":"), node.end_byte)
        empty = Span(node.start_byte, node.start_byte)
        key = self.node(key_node, depth + 1) if key_node else Empty(span=empty)
        value = self.node(value_node, depth + 1) if value_node else Empty(span=Span(behind, behind))
        return Pair(key=key, value=value, span=Span(node.start_byte, node.end_byte))

    def sequence(self, node: TreeNode, span: Span, depth: int) -> Sequence:
        items: list[Node] = []
        for child in node.children:
            if child.type == "block_sequence_item":
                inner = next((c for c in child.children if c.type in ("block_node", "flow_node")), None)
                place = Span(child.end_byte, child.end_byte)
                items.append(self.node(inner, depth + 1) if inner else Empty(span=place))
            elif child.type == "flow_node":
                items.append(self.node(child, depth + 1))
            elif child.type == "flow_pair":
                pair = self.pair(child, depth + 1)
                items.append(Mapping(span=pair.span, pairs=[pair], flow=True))
        return Sequence(span=span, items=items, flow=node.type == "flow_sequence")
