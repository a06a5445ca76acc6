"""Values that another tool hands to a Helm chart: read like a file of values (rule #50)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from unhub.formats._helm.chart import Chart
from unhub.formats._helm.images import ValuesImages
from unhub.formats._helm.walk import ImageAt, PrefixAt, TextAt, walk
from unhub.formats._template.mask import Masked, Region, go_regions
from unhub.formats._text import encode
from unhub.formats._yaml.parse import Document, Mapping, Node, Pair, Scalar
from unhub.image.found import Found, Skipped, Span
from unhub.image.source import Source

_DOT = re.compile(r"(?<!\\)\.")
_DEPTH_MAX = 50


def values_images(
    source: Source, document: Document, root: Node, where: str, regions: Iterable[Region] | None = None
) -> Iterator[Found | Skipped]:
    """The images of the values below ``root``; ``where`` names the place of the values.

    ``regions`` are template texts of the file; without them, Go's are looked for. No chart's
    own values are looked at: which chart it is, is often said by an address only.
    """
    found = sorted(regions if regions is not None else go_regions(source.data) if b"{{" in source.data else ())
    values = Document(root, document.anchors, document.aliases)
    images = ValuesImages(source, Masked(source.data, source.data, tuple(found)), values, Chart(Source("", b"")))
    for at in walk(values):
        match at:
            case ImageAt():
                images.image(at)
            case TextAt():
                images.text(at)
            case PrefixAt():
                images.prefixes.append(at)
            case _:
                pass
    for finding in images.findings():
        yield replace(finding, where=f"{where}.{finding.where}")


def nested(mapping: Mapping, pairs: Iterable[tuple[str, Node]]) -> Mapping:
    """Values named by dotted keys (``helm --set``'s ``image.repository``) as mappings in mappings.

    The new mappings have the span of ``mapping``; a key that only stands for a step has no place.
    """
    root = Mapping(span=mapping.span, pairs=[])
    for key, value in pairs:
        current = root
        *steps, last = [step.replace("\\.", ".") for step in _DOT.split(key)][:_DEPTH_MAX]
        for step in steps:
            inner = current.get(step)
            if not isinstance(inner, Mapping):
                inner = Mapping(span=mapping.span, pairs=[])
                current.pairs.append(_pair(step, inner))
            current = inner
        current.pairs.append(_pair(last, value))
    return root


def _pair(name: str, value: Node) -> Pair:
    text = encode(name)
    key = Scalar(span=Span(0, len(text)), data=text, style="plain")
    return Pair(key=key, value=value, span=value.span)
