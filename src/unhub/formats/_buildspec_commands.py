"""The commands of a buildspec, in the order CodeBuild runs them (build-spec-ref, "phases")."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._shell.tree import Assignment, Text, Word
from unhub.formats._text import Mapped, decode
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.image.found import Span

PHASES = ("install", "pre_build", "build", "post_build")


def texts(document: Document, root: Mapping, data: bytes) -> Iterator[tuple[str, Mapped]]:
    """Every command with the name of its place; one that an alias repeats comes once."""
    seen: set[Span] = set()
    phases = document.mapping(root.get("phases"))
    for pair in phases.pairs if phases else ():
        phase = document.mapping(pair.value)
        for key in ("commands", "finally"):
            for value in document.lookup(phase, key) if phase else ():
                for where, node in _items(document, value, f"phases.{pair.name}.{key}"):
                    if node.span not in seen:
                        seen.add(node.span)
                        yield where, _text(node, data)


def _items(document: Document, value: Node, where: str) -> Iterator[tuple[str, Node]]:
    sequence = document.sequence(value)
    nodes = sequence.items if sequence else [value]
    for number, item in enumerate(nodes):
        node = document.resolve(item)
        if isinstance(node, Scalar | Mapping):
            yield (f"{where}[{number}]" if sequence else where), node


def _text(node: Node, data: bytes) -> Mapped:
    """A command. A line such as ``- echo a: b`` is a mapping to YAML, and a mistake to CodeBuild; its bytes are looked at."""
    return node.mapped if isinstance(node, Scalar) else Mapped.plain(data, node.span.start, node.span.end)


def variables(document: Document, root: Mapping) -> list[Assignment]:
    """``env.variables``, whose values commands see as variables of their shell."""
    env = document.mapping(root.get("env"))
    found = document.mapping(env.get("variables")) if env else None
    assignments: list[Assignment] = []
    for pair in document.pairs(found) if found else ():
        value = document.scalar(pair.value)
        if pair.name and value is not None:
            assignments.append(Assignment(pair.name, value.span, word(value)))
    return assignments


def word(scalar: Scalar) -> Word:
    """A value of YAML as a word that the shell does not look into again."""
    text = scalar.mapped
    pieces = tuple(
        Text(decode(text.data[inner.start : inner.end]), outer, literal) for inner, outer, literal in text.spans(Span(0, len(text.data)))
    )
    return Word(scalar.content, pieces)
