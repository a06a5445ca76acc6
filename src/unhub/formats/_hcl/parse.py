"""HCL files by spans (hashicorp/hcl ``hclsyntax/spec.md``): bake, Terraform, Nomad."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from unhub.formats._hcl.nodes import Call, Choice, Interpolation, Other, Reference, Template
from unhub.formats._text import Mapped, Piece
from unhub.formats._yaml.nodes import DEPTH_MAX, Document, Empty, Mapping, Node, Pair, Scalar, Sequence
from unhub.formats._yaml.parse import plain_utf8
from unhub.image.errors import UnreadableError
from unhub.image.found import Span
from unhub.image.source import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from tree_sitter import Node as TreeNode
    from tree_sitter import Parser

_ESCAPE = re.compile(rb"\$\$\{|%%\{|\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_HEREDOC_ESCAPE = re.compile(rb"\$\$\{|%%\{")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_OPENING = re.compile(rb"<<-?[^\r\n]*\r?\n?")
_LINE = re.compile(rb"[^\n]*\n?")
_ENCODERS = frozenset({"jsonencode", "yamlencode", "tostring", "sensitive", "nonsensitive"})
"""Functions that change the form of a value, not what it says."""


@cache
def _parser() -> Parser:
    import tree_sitter_hcl
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_hcl.language()))


def read_hcl(data: bytes) -> Document:
    """The blocks and attributes of a file. Raises :class:`UnreadableError` with the line where it is no HCL."""
    clean = plain_utf8(data).replace(b"\0", b"x")
    if clean.startswith(BYTE_ORDER_MARK):
        clean = b"   " + clean[3:]
    if clean.count(b"[") + clean.count(b"{") + clean.count(b"(") > DEPTH_MAX:
        _check_depth(clean)
    root = _parser().parse(clean).root_node
    if root.has_error:
        raise UnreadableError(f"this is not HCL near line {_first_error(root)}")
    body = next((child for child in root.named_children if child.type in ("body", "object")), None)
    reader = _Reader(clean, data)
    return Document(reader.body(body, 0) if body else Mapping(span=Span(0, 0), pairs=[]))


def _check_depth(clean: bytes) -> None:
    depth = 0
    for match in re.finditer(rb"[\[({]|[\])}]", clean):
        depth = depth + 1 if match[0] in b"[({" else max(0, depth - 1)
        if depth > DEPTH_MAX:
            line = clean.count(b"\n", 0, match.start()) + 1
            raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels near line {line}")


def _first_error(root: TreeNode) -> int:
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None or inner.is_error or inner.is_missing:
            return (inner or node).start_point.row + 1
        node = inner


class _Reader:
    """Turns the nodes of the grammar into ours."""

    def __init__(self, clean: bytes, shown: bytes) -> None:
        self.clean = clean
        self.shown = shown

    def body(self, node: TreeNode, depth: int) -> Mapping:
        mapping = Mapping(span=Span(node.start_byte, node.end_byte), pairs=[])
        for child in node.named_children:
            if child.type == "attribute":
                key, *values = child.named_children
                value = self.value(values[0], depth + 1) if values else Empty(span=Span(child.end_byte, child.end_byte))
                mapping.pairs.append(Pair(key=self._plain(key), value=value, span=_span(child)))
            elif child.type == "block":
                mapping.pairs.append(self._block(child, depth + 1))
        return mapping

    def _block(self, node: TreeNode, depth: int) -> Pair:
        names = [child for child in node.named_children if child.type in ("identifier", "string_lit")]
        inner = next((child for child in node.named_children if child.type == "body"), None)
        value: Node = self.body(inner, depth) if inner else Mapping(span=Span(node.end_byte, node.end_byte), pairs=[])
        for name in reversed(names[1:]):
            value = Mapping(span=_span(node), pairs=[Pair(key=self._key(name), value=value, span=_span(node))])
        return Pair(key=self._plain(names[0]), value=value, span=_span(node))

    def _plain(self, node: TreeNode) -> Scalar:
        return Scalar(span=_span(node), data=self.shown, style="plain")

    def _key(self, node: TreeNode) -> Scalar:
        value = self.value(node, 0)
        return value if isinstance(value, Scalar) else self._plain(node)

    def value(self, node: TreeNode, depth: int) -> Node:
        """The value of an expression. Depth is bounded by the check before parsing."""
        children = [child for child in node.named_children if child.type != "comment"]
        match node.type:
            case "expression" if len(children) > 1:
                return self._traversal(node, children, depth)
            case "expression" | "literal_value" | "template_expr" | "collection_value" | "for_expr" if children:
                return self.value(children[0], depth + 1)
            case "string_lit" | "quoted_template":
                return self._quoted(node, depth)
            case "heredoc_template":
                return self._heredoc(node, depth)
            case "tuple":
                return Sequence(span=_span(node), items=[self.value(child, depth + 1) for child in _expressions(children)], flow=True)
            case "object":
                pairs = [self._pair(child, depth + 1) for child in children if child.type == "object_elem"]
                return Mapping(span=_span(node), pairs=pairs, flow=True)
            case "variable_expr":
                return Reference(span=_span(node), name=self._text(node))
            case "function_call":
                return self._call(node, children, depth)
            case "conditional":
                return Choice(span=_span(node), options=[self.value(child, depth + 1) for child in _expressions(children)[1:]])
            case "numeric_lit" | "bool_lit" | "null_lit" | "identifier":
                return self._plain(node)
            case _:
                return Other(span=_span(node), inner=[self.value(child, depth + 1) for child in _inside(node)])

    def _traversal(self, node: TreeNode, children: list[TreeNode], depth: int) -> Node:
        """A value and what is taken out of it: ``var.image``, ``local.images["node"]``, ``merge(…).x``."""
        if children[0].type == "variable_expr":
            name = re.sub(r"\[\s*\"([^\"]*)\"\s*\]", r".\1", self._text(node))
            return Reference(span=_span(node), name=re.sub(r"\s+", "", name))
        return Other(span=_span(node), inner=[self.value(children[0], depth + 1)])

    def _call(self, node: TreeNode, children: list[TreeNode], depth: int) -> Node:
        name = self._text(children[0])
        given = next((child for child in children if child.type == "function_arguments"), None)
        arguments = [self.value(child, depth + 1) for child in _expressions(given.named_children)] if given else []
        if name in _ENCODERS and len(arguments) == 1:
            return arguments[0]
        return Call(span=_span(node), name=name, arguments=arguments)

    def _pair(self, node: TreeNode, depth: int) -> Pair:
        key, value = [*_expressions(node.named_children), None, None][:2]
        end = Span(node.end_byte, node.end_byte)
        name = self.value(key, depth) if key else Empty(span=end)
        if isinstance(name, Reference):
            name = Scalar(span=name.span, data=self.shown, style="plain")
        return Pair(key=name, value=self.value(value, depth) if value else Empty(span=end), span=_span(node))

    def _text(self, node: TreeNode) -> str:
        return self.clean[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _quoted(self, node: TreeNode, depth: int) -> Template:
        inner = Span(node.start_byte + 1, max(node.start_byte + 1, node.end_byte - 1))
        interpolations = self._interpolations(node, depth)
        pieces = _pieces(self.shown, inner, _ESCAPE, interpolations)
        return Template(span=_span(node), data=self.shown, style='"', unquoted=_mapped(self.shown, pieces), interpolations=interpolations)

    def _heredoc(self, node: TreeNode, depth: int) -> Template:
        opening = _OPENING.match(self.shown, node.start_byte)
        start = opening.end() if opening else node.start_byte
        end = max(start, self.shown.rfind(b"\n", start, node.end_byte) + 1)
        interpolations = self._interpolations(node, depth)
        pieces: list[tuple[Piece, bytes]] = []
        cut = _indent(self.shown, start, end) if self.shown.startswith(b"<<-", node.start_byte) else 0
        for line in _LINE.finditer(self.shown, start, end):
            if line.end() > line.start():
                begin = min(line.start() + cut, line.end()) if line[0].strip() else line.start()
                pieces += _pieces(self.shown, Span(begin, line.end()), _HEREDOC_ESCAPE, interpolations)
        return Template(span=_span(node), data=self.shown, style="<<", unquoted=_mapped(self.shown, pieces), interpolations=interpolations)

    def _interpolations(self, node: TreeNode, depth: int) -> tuple[Interpolation, ...]:
        found: list[Interpolation] = []
        for child in node.named_children:
            if child.type == "template_interpolation":
                value = next((self.value(inner, depth + 1) for inner in child.named_children if inner.type == "expression"), None)
                found.append(Interpolation(_span(child), value))
            elif child.type == "template_directive":
                found.append(Interpolation(_span(child), None))
        return tuple(found)


def _span(node: TreeNode) -> Span:
    return Span(node.start_byte, node.end_byte)


def _expressions(nodes: list[TreeNode]) -> list[TreeNode]:
    return [node for node in nodes if node.type == "expression"]


def _inside(node: TreeNode) -> Iterator[TreeNode]:
    """The expressions nearest below a node."""
    waiting = list(reversed(node.named_children))
    while waiting:
        child = waiting.pop()
        if child.type in ("expression", "template_expr", "literal_value", "collection_value"):
            yield child
        else:
            waiting.extend(reversed(child.named_children))


def _indent(data: bytes, start: int, end: int) -> int:
    """The blanks that every line of an indented heredoc begins with."""
    lines = [line[0] for line in _LINE.finditer(data, start, end) if line[0].strip()]
    return min((len(line) - len(line.lstrip(b" \t")) for line in lines), default=0)


def _pieces(data: bytes, inner: Span, escapes: re.Pattern[bytes], interpolations: tuple[Interpolation, ...]) -> list[tuple[Piece, bytes]]:
    """The runs of a text with what each spells; what is interpolated stays as written."""
    pieces: list[tuple[Piece, bytes]] = []
    at = position = inner.start
    first = bisect.bisect_right(interpolations, inner.start, key=lambda one: one.span.end)
    blocked = (interpolations[number].span for number in range(first, len(interpolations)))
    skip = next(blocked, None)
    while match := escapes.search(data, position, inner.end):
        while skip is not None and skip.end <= match.start():
            skip = next(blocked, None)
        if skip is not None and skip.start <= match.start():
            position = max(skip.end, position + 1)
            continue
        if match.start() > at:
            pieces.append((Piece(0, at, match.start() - at), data[at : match.start()]))
        spelled = _spelled(match[0])
        pieces.append((Piece(0, match.start(), len(spelled), literal=False, width=match.end() - match.start()), spelled))
        at = position = match.end()
    if inner.end > at:
        pieces.append((Piece(0, at, inner.end - at), data[at : inner.end]))
    return pieces


def _spelled(escape: bytes) -> bytes:
    if escape[:1] != b"\\":
        return escape[1:]
    if escape[1:2] in b"uU" and len(escape) > 2:
        number = int(escape[2:], 16)
        return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b"?"
    return _ESCAPED.get(escape[1:], escape[1:])


def _mapped(data: bytes, pieces: list[tuple[Piece, bytes]]) -> Mapped:
    out = bytearray()
    placed: list[Piece] = []
    for piece, text in pieces:
        placed.append(Piece(len(out), piece.outer, piece.length, piece.literal, piece.width))
        out += text
    return Mapped(bytes(out), tuple(placed))
