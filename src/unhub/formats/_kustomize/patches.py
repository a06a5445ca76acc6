"""Images that Kustomize's patches bring in: objects in a text, and JSON patches (RFC 6902)."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats import kubernetes
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, parse
from unhub.formats.helm_template import find_in_text
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.reference import written_name_length
from unhub.image.source import Source

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def find_patch(source: Source) -> Iterator[Finding]:
    """The images of a patch: a JSON patch, or a part of an object to be merged."""
    try:
        documents = parse(source.data)
    except UnreadableError:
        return
    if any(is_json_patch(document) for document in documents):
        for document in documents:
            yield from json_patch(source, document)
        return
    findings = list(kubernetes.find(source))
    yield from findings or find_in_text(source)


def is_json_patch(document: Document) -> bool:
    """Whether a document is a list of operations with ``op`` and ``path``."""
    sequence = document.sequence(document.root)
    items = [document.mapping(item) for item in sequence.items] if sequence else []
    return bool(items) and all(item is not None and {"op", "path"} <= item.keys() for item in items)


def json_patch(source: Source, document: Document) -> Iterator[Finding]:
    """The images of the operations of a JSON patch."""
    images = Images(source.data, document)
    sequence = document.sequence(document.root)
    for item in sequence.items if sequence else []:
        operation = document.mapping(item)
        if operation is None:
            continue
        path, op = operation.text("path") or "", operation.text("op")
        for value in document.lookup(operation, "value"):
            for where, node in _positions(document, path, value):
                skip = (Class.CONFLICT, "a test that compares the image; change it together with the manifest") if op == "test" else None
                images.add(Position(node, where, PulledBy.PLATFORM, selected_as=_name(document, node), skip=skip))
    yield from images.findings()


def _positions(document: Document, path: str, value: Node) -> Iterator[tuple[str, Node]]:
    """The image nodes under an operation's ``value``, which goes to the JSON pointer ``path``."""
    keys = path.strip("/").split("/")
    if keys[-1] == "image":
        yield path, value
    elif keys[-1] in _CONTAINERS:
        sequence = document.sequence(value)
        for number, item in enumerate(sequence.items if sequence else []):
            yield from _container(document, f"{path}/{number}", item)
    elif len(keys) > 1 and keys[-2] in _CONTAINERS:
        yield from _container(document, path, value)
    else:
        mapping = document.mapping(value)
        for pair in mapping.pairs if mapping else []:
            if isinstance(pair.value, Mapping) or pair.name in _CONTAINERS:
                yield from _positions(document, f"{path}/{pair.name}", pair.value)


def _container(document: Document, path: str, node: Node) -> Iterator[tuple[str, Node]]:
    mapping = document.mapping(node)
    if mapping is not None:
        yield from ((f"{path}/image", image) for image in document.lookup(mapping, "image"))


def _name(document: Document, node: Node) -> str | None:
    scalar = document.scalar(node)
    text = scalar.text.strip() if isinstance(scalar, Scalar) else ""
    return text[: written_name_length(text)].partition("@")[0] or None
