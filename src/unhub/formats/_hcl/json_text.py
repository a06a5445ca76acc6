"""Files in HCL's JSON spelling: their texts are templates too (hashicorp/hcl ``json/spec.md``)."""

from __future__ import annotations

import re

from unhub.formats._hcl.nodes import Interpolation, Other, Reference, Template
from unhub.formats._yaml.nodes import Document, Mapping, Node, Pair, Scalar, Sequence
from unhub.formats._yaml.parse import parse
from unhub.image.found import Span

_INTERPOLATION = re.compile(rb"\$\$\{|\$\{([^{}]*)\}")
_NAME = re.compile(rb"\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*")


def read_hcl_json(data: bytes) -> Document:
    """The one document of a file, every text of it a :class:`Template`."""
    documents = parse(data)
    return Document(templates(documents[0].root)) if documents else Document(Mapping(span=Span(0, 0), pairs=[]))


def templates(node: Node) -> Node:
    """The same value with its texts as templates. Depth is bounded by the parser."""
    if isinstance(node, Scalar):
        return _template(node) if node.style == '"' else node
    if isinstance(node, Sequence):
        return Sequence(span=node.span, items=[templates(item) for item in node.items], flow=node.flow)
    if isinstance(node, Mapping):
        pairs = [Pair(key=pair.key, value=templates(pair.value), span=pair.span) for pair in node.pairs]
        return Mapping(span=node.span, pairs=pairs, flow=node.flow)
    return node


def _template(scalar: Scalar) -> Template:
    text = scalar.mapped
    found: list[Interpolation] = []
    for match in _INTERPOLATION.finditer(text.data):
        if match[1] is None:
            continue
        span = text.outer(Span(match.start(), match.end()))
        name = _NAME.fullmatch(match[1])
        value = Reference(span=span, name=name[1].decode()) if name else Other(span=span, inner=[])
        found.append(Interpolation(span, value))
    return Template(span=scalar.span, data=scalar.data, style='"', unquoted=text, interpolations=tuple(found))
