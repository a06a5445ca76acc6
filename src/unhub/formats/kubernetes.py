"""Kubernetes manifests: YAML or JSON, one document or many, any workload or list."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._yaml import Document, Mapping, Node, Scalar, parse
from unhub.formats._yaml_images import Images, Position
from unhub.image.found import Finding, PulledBy
from unhub.image.source import Source

_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")


def _recognise(source: Source) -> bool:
    return b"apiVersion" in source.data and b"kind" in source.data


FORMAT = Format(
    name="kubernetes",
    title="Kubernetes manifests",
    tier="A",
    files=("*.yaml", "*.yml", "*.json"),
    positions=("containers[].image", "initContainers[].image", "ephemeralContainers[].image"),
    order=60,
    needles=(b"image",),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of every container of every document."""
    for document in parse(source.data):
        images = Images(source.data, document)
        root = document.mapping(document.root)
        if root is not None and root.get("apiVersion") is not None:
            _visit(document, root, images)
        yield from images.findings()


def _visit(document: Document, node: Node, images: Images) -> None:
    if isinstance(node, Mapping):
        for pair in node.pairs:
            if pair.name in _CONTAINER_LISTS:
                _containers(document, pair.name, pair.value, images)
            else:
                _visit(document, pair.value, images)
    elif not isinstance(node, Scalar):
        for item in getattr(node, "items", []):
            _visit(document, item, images)


def _containers(document: Document, key: str, node: Node, images: Images) -> None:
    sequence = document.sequence(node)
    for item in sequence.items if sequence else []:
        container = document.mapping(item)
        if container is None:
            continue
        for image in document.lookup(container, "image"):
            images.add(Position(image, f"{key}[{container.text('name') or ''}].image", PulledBy.PLATFORM))
