"""From tree-sitter's YAML nodes to ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from unhub.formats._text import decode
from unhub.formats._yaml.nodes import DEPTH_MAX, Alias, Document, Empty, Mapping, Node, Pair, Scalar, Sequence
from unhub.image.errors import UnreadableError
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from tree_sitter import Node as TreeNode
    from tree_sitter import Parser


_VALUES = frozenset({"block_node", "flow_node"})
_NO_CONTENT = frozenset({"anchor", "tag", "comment"})


@cache
def _parser() -> Parser:
    import tree_sitter_yaml
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_yaml.language()))


def read_yaml(clean: bytes, shown: bytes, span: Span) -> Iterator[Document]:
    """The documents of ``clean[span]``, with offsets into the whole; texts come from ``shown``.

    ``clean`` is UTF-8 without NUL bytes. Raises :class:`UnreadableError` where it is no
    YAML or too deep.
    """
    root = _parser().parse(clean[span.start : span.end]).root_node
    if root.has_error:
        raise UnreadableError(f"not valid YAML {place(clean, span.start + _broken(root))}")
    for child in root.children:
        if child.type == "document":
            yield _Reader(clean, shown, span.start).document(child)


def place(clean: bytes, at: int) -> str:
    """A byte offset in words."""
    line = clean.count(b"\n", 0, at) + 1
    column = len(decode(clean[clean.rfind(b"\n", 0, at) + 1 : at])) + 1
    return f"near line {line}, column {column}"


def _broken(root: TreeNode) -> int:
    """Where the parser gave up: the innermost error, the first of its level."""
    node, found = root, root
    while True:
        worse = next((child for child in node.children if child.has_error or child.is_missing), None)
        if worse is None:
            break
        node = worse
        if node.is_error or node.is_missing:
            found = node
    return found.end_byte if found is root else found.start_byte


class _Reader:
    """Turns the nodes of one document into ours. ``offset`` is where the parsed text starts."""

    def __init__(self, clean: bytes, shown: bytes, offset: int) -> None:
        self.clean = clean
        self.data = shown
        self.offset = offset
        self.current = Document(Empty(span=Span(offset, offset)))

    def span(self, node: TreeNode) -> Span:
        return Span(self.offset + node.start_byte, self.offset + node.end_byte)

    def behind(self, node: TreeNode) -> Empty:
        end = self.offset + node.end_byte
        return Empty(span=Span(end, end))

    def document(self, node: TreeNode) -> Document:
        self.current.root = self.behind(node)
        for child in node.children:
            if child.type in ("block_node", "flow_node"):
                self.current.root = self.node(child, 0, -1)
        for anchored in self.current.anchors.values():
            anchored.sort(key=lambda anchor: anchor.span.start)
        return self.current

    def node(self, node: TreeNode, depth: int, indent: int) -> Node:
        if depth > DEPTH_MAX:
            raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels {place(self.clean, self.span(node).start)}")
        children = node.children
        if len(children) == 1 and children[0].type not in _NO_CONTENT:
            return self.content(children[0], depth, indent)
        anchor = tag = None
        content: TreeNode | None = None
        for child in children:
            kind = child.type
            if kind == "anchor":
                anchor = decode(self.data[self.offset + child.start_byte + 1 : self.offset + child.end_byte])
            elif kind == "tag":
                tag = decode(self.data[self.offset + child.start_byte : self.offset + child.end_byte])
            elif kind != "comment":
                content = child
        result = self.behind(node) if content is None else self.content(content, depth, indent)
        result.anchor, result.tag = anchor, tag
        if anchor is not None:
            self.current.anchors.setdefault(anchor, []).append(result)
        return result

    def content(self, node: TreeNode, depth: int, indent: int) -> Node:
        span = self.span(node)
        match node.type:
            case "plain_scalar":
                return Scalar(span=span, data=self.data, style="plain")
            case "double_quote_scalar":
                return Scalar(span=span, data=self.data, style='"')
            case "single_quote_scalar":
                return Scalar(span=span, data=self.data, style="'")
            case "block_scalar":
                return Scalar(span=span, data=self.data, style=chr(self.clean[span.start]), parent_indent=indent)
            case "alias":
                alias = Alias(span=span, name=decode(self.data[span.start + 1 : span.end]))
                self.current.aliases.append(alias)
                return alias
            case "block_mapping" | "flow_mapping":
                return self.mapping(node, span, depth)
            case "block_sequence" | "flow_sequence":
                return self.sequence(node, span, depth)
            case _:
                return self.behind(node)

    def mapping(self, node: TreeNode, span: Span, depth: int) -> Mapping:
        pairs: list[Pair] = []
        indent = self.column(node)
        for child in node.children:
            if child.type in ("block_mapping_pair", "flow_pair"):
                pairs.append(self.pair(child, depth, indent))
            elif child.type == "flow_node":
                key = self.node(child, depth + 1, indent)
                pairs.append(Pair(key=key, value=self.behind(child), span=key.span))
        return Mapping(span=span, pairs=pairs, flow=node.type == "flow_mapping")

    def pair(self, node: TreeNode, depth: int, indent: int) -> Pair:
        key_node = value_node = colon = None
        for child in node.children:
            kind = child.type
            if kind == ":":
                colon = colon or child
            elif kind not in _VALUES:
                continue
            elif colon is None:
                key_node = child
            else:
                value_node = child
        span = self.span(node)
        key = self.node(key_node, depth + 1, indent) if key_node else Empty(span=Span(span.start, span.start))
        value = self.node(value_node, depth + 1, indent) if value_node else self.behind(colon or node)
        return Pair(key=key, value=value, span=span)

    def sequence(self, node: TreeNode, span: Span, depth: int) -> Sequence:
        items: list[Node] = []
        indent = self.column(node)
        for child in node.children:
            if child.type == "block_sequence_item":
                inner = next((c for c in child.children if c.type in ("block_node", "flow_node")), None)
                items.append(self.node(inner, depth + 1, indent) if inner else self.behind(child))
            elif child.type == "flow_node":
                items.append(self.node(child, depth + 1, indent))
            elif child.type == "flow_pair":
                pair = self.pair(child, depth + 1, indent)
                items.append(Mapping(span=pair.span, pairs=[pair], flow=True))
        return Sequence(span=span, items=items, flow=node.type == "flow_sequence")

    def column(self, node: TreeNode) -> int:
        start = self.offset + node.start_byte
        line = max(self.clean.rfind(b"\n", 0, start), self.clean.rfind(b"\r", 0, start)) + 1
        if line == 0 and self.data.startswith(BYTE_ORDER_MARK):
            line = len(BYTE_ORDER_MARK)
        return start - line
