"""The services of a Compose file: which files are Compose's, and which services are built."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, parse
from unhub.image.errors import UnreadableError
from unhub.image.source import Source

_TOP_LEVEL = frozenset({"version", "name", "include", "services", "networks", "volumes", "secrets", "configs", "models"})
"""What may stand at the top of a Compose file besides ``x-…`` (compose-spec schema, 2026-08)."""

_EXTENDS_MAX = 10


class Service(Struct, frozen=True):
    """A service: its name, its place in words (``services.web``) and what is written there."""

    name: str
    where: str
    mapping: Mapping


def services(document: Document) -> list[Service] | None:
    """The services of a document that is Compose's by its content, else ``None``."""
    root = document.mapping(document.root)
    if root is None:
        return None
    keys = {pair.name or "" for pair in document.pairs(root)}
    if not all(key in _TOP_LEVEL or key.startswith("x-") for key in keys):
        return None
    return [service for node in document.lookup(root, "services") for service in _of_mapping(document, node, "services.")]


def old_services(document: Document) -> list[Service]:
    """The services of a file in Compose's first format, where they stand at the top."""
    return [service for service in _of_mapping(document, document.root, "") if _has_image_or_build(document, service)]


def is_compose(document: Document) -> bool:
    """Whether a document can be taken for Compose's whatever its file is called."""
    return any(_has_image_or_build(document, service) for service in services(document) or ())


def _has_image_or_build(document: Document, service: Service) -> bool:
    return any(pair.name in ("image", "build") for pair in document.pairs(service.mapping))


def _of_mapping(document: Document, node: Node, prefix: str) -> Iterator[Service]:
    mapping = document.mapping(node)
    for pair in document.pairs(mapping) if mapping else ():
        service = document.mapping(pair.value)
        if service is not None and pair.name is not None:
            yield Service(pair.name, prefix + pair.name, service)


def builds(document: Document, service: Service) -> Iterator[Node]:
    """What is written under ``build`` of a service, merge keys followed, ``null`` left out."""
    for node in document.lookup(service.mapping, "build"):
        value = document.resolve(node)
        if isinstance(value, Mapping) or (isinstance(value, Scalar) and not value.is_null):
            yield value


def is_built(source: Source, document: Document, service: Service, depth: int = 0) -> bool:
    """Whether a service has a ``build``, its own or one it extends, here or in another file."""
    if any(builds(document, service)):
        return True
    if depth > _EXTENDS_MAX:
        return False
    for node in document.lookup(service.mapping, "extends"):
        target = _extended(source, document, node)
        if target is not None and is_built(*target, depth + 1):
            return True
    return False


def _extended(source: Source, document: Document, node: Node) -> tuple[Source, Document, Service] | None:
    extends = document.mapping(node)
    scalar = document.scalar(extends.get("service") if extends else node)
    file = document.scalar(extends.get("file")) if extends else None
    if scalar is None:
        return None
    if file is not None:
        path = source.beside(file.text)
        data = source.read(path) if "$" not in file.text else None
        if data is None:
            return None
        source = Source(path, data, source.settings, source.read)
        try:
            documents = parse(data)
        except UnreadableError:
            return None
    else:
        documents = [document]
    for other in documents:
        for service in services(other) or old_services(other):
            if service.name == scalar.text:
                return source, other, service
    return None
