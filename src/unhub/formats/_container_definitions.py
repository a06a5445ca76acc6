"""Container definitions of ECS and Batch, in HCL or as JSON inside a text (rule #48).

Fields are those of the ECS ``RegisterTaskDefinition`` and Batch ``RegisterJobDefinition`` APIs.
"""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats import _build
from unhub.formats._hcl.images import images, skipped
from unhub.formats._hcl.nodes import Call, Choice, Other, Reference, Template
from unhub.formats._hcl.values import Values, children, interpolation_span
from unhub.formats._yaml.nodes import Document, Mapping, Node, Scalar, Sequence
from unhub.formats._yaml.parse import parse
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Found, Part, PulledBy, Skipped, Span
from unhub.image.source import Source

_NO_IMAGES = frozenset({"environment", "secrets", "tags", "labels", "dockerLabels", "command", "entryPoint"})
_STEPS_MAX = 10_000
_PLATFORM = PulledBy.PLATFORM


def definitions(source: Source, values: Values, node: Node, where: str) -> Iterator[Found | Skipped]:
    """The ``image`` of every container below ``node``, which may be a name, a text of JSON, or a value."""
    waiting, steps = [node], 0
    while waiting and steps < _STEPS_MAX:
        steps += 1
        current = waiting.pop()
        if isinstance(current, Reference):
            found = values.resolve(current)
            if found is None or found.path is not None:
                place = f"stands in {found.path}, which is not followed from here" if found else "is not known here"
                yield skipped(source.data, current, where, Class.VARIABLE, f"the value of {current.name} {place}", pulled_by=_PLATFORM)
            else:
                waiting.append(found.node)
        elif isinstance(current, Template):
            yield from _json(source, values, current, where)
        elif isinstance(current, Mapping):
            for pair in current.pairs:
                if pair.name == "image":
                    yield from images(source.data, values, pair.value, f"{where}[].image", _PLATFORM)
                elif pair.name not in _NO_IMAGES and isinstance(pair.value, Mapping | Sequence | Call | Choice | Other):
                    waiting.append(pair.value)
        elif isinstance(current, Call) and current.name in ("file", "templatefile"):
            continue
        else:
            # a text in a list is no JSON; one of several whole values may be
            texts = isinstance(current, Choice | Call)
            waiting.extend(child for child in reversed(children(current)) if texts or not isinstance(child, Template))


def _json(source: Source, values: Values, text: Template, where: str) -> Iterator[Found | Skipped]:
    """JSON in a text. A value that is filled in may stand for a number, or in a text: a digit does for both."""
    single = text.interpolations[0].value if len(text.interpolations) == 1 else None
    if single is not None and text.interpolations[0].span == text.mapped.outer(Span(0, len(text.mapped.data))):
        yield from definitions(source, values, single, where)
        return
    data = bytearray(text.mapped.data)
    for interpolation in text.interpolations:
        span = interpolation_span(text.mapped, interpolation.span)
        if span is not None:
            data[span.start : span.end] = b"1" * (span.end - span.start)
    try:
        documents = parse(bytes(data))
    except UnreadableError as error:
        yield skipped(source.data, text, where, Class.UNREADABLE, f"its JSON cannot be read: {error.message}")
        return
    for document in documents:
        for scalar in json_images(document):
            inner = scalar.mapped.outer(Span(0, len(scalar.mapped.data)))
            span = text.mapped.outer(inner)
            parts = values.parts(text, inner)
            if not all(piece.literal for piece in scalar.mapped.pieces):
                parts = [Part(scalar.text, span, literal=False)]
            yield _build.build(source.data, span, parts, where=f"{where}[].image", pulled_by=_PLATFORM)


def json_images(document: Document) -> Iterator[Scalar]:
    """The texts under ``image`` of every container in a JSON document."""
    waiting = [document.root]
    while waiting:
        node = document.resolve(waiting.pop())
        if isinstance(node, Sequence):
            waiting.extend(reversed(node.items))
        elif isinstance(node, Mapping):
            for pair in node.pairs:
                if pair.name == "image" and isinstance(pair.value, Scalar):
                    yield pair.value
                elif pair.name not in _NO_IMAGES:
                    waiting.append(pair.value)
