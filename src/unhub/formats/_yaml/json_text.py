"""JSON as the same nodes as YAML (rule #48), whatever the length of its lines."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from unhub.formats._yaml.nodes import DEPTH_MAX, Document, Empty, Mapping, Node, Pair, Scalar, Sequence
from unhub.image.errors import UnreadableError
from unhub.image.found import Span

if TYPE_CHECKING:
    from tree_sitter import Node as TreeNode
    from tree_sitter import Parser


@cache
def _parser() -> Parser:
    import tree_sitter_json
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_json.language()))


def read_json(clean: bytes, shown: bytes) -> list[Document] | None:
    """The values of a file of JSON texts, or ``None`` where it is none (YAML may read it).

    Comments are let pass. Raises :class:`UnreadableError` where it nests too deep.
    """
    root = _parser().parse(clean).root_node
    if root.has_error:
        return None
    return [Document(_node(child, shown, 0)) for child in root.named_children if child.type != "comment"]


def _node(node: TreeNode, shown: bytes, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels near line {node.start_point.row + 1}")
    span = Span(node.start_byte, node.end_byte)
    children = [child for child in node.named_children if child.type != "comment"]
    match node.type:
        case "object":
            return Mapping(span=span, pairs=[_pair(child, shown, depth) for child in children], flow=True)
        case "array":
            return Sequence(span=span, items=[_node(child, shown, depth + 1) for child in children], flow=True)
        case "string":
            return Scalar(span=span, data=shown, style='"')
        case _:
            return Scalar(span=span, data=shown, style="plain")


def _pair(node: TreeNode, shown: bytes, depth: int) -> Pair:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    end = Span(node.end_byte, node.end_byte)
    return Pair(
        key=_node(key, shown, depth + 1) if key else Empty(span=end),
        value=_node(value, shown, depth + 1) if value else Empty(span=end),
        span=Span(node.start_byte, node.end_byte),
    )
