"""Where a Kubernetes object holds images: its containers, its image volumes, and what the user names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.source import KubernetesPosition

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
"""The fields of a PodSpec that list containers (core/v1)."""


class Place(Struct, frozen=True):
    """An image position: the node that holds the image, and its name for users."""

    node: Node
    where: str


def builtin_places(document: Document, root: Node) -> Iterator[Place]:
    """The images of every pod specification below ``root``, however it is nested.

    A list called ``containers`` is taken for a pod's wherever it stands, so that lists of
    objects, CronJobs and custom resources with a pod template need no table of kinds.
    """
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, List):
            waiting.extend(reversed(node.items))
        elif isinstance(node, Mapping):
            for pair in node.pairs:
                yield from _of_pair(document, pair.name, pair.value)
            waiting.extend(reversed([pair.value for pair in node.pairs]))


def _of_pair(document: Document, key: str | None, value: Node) -> Iterator[Place]:
    if key in CONTAINER_LISTS:
        for number, container in _items(document, value):
            name = container.text("name") or str(number)
            for image in document.lookup(container, "image"):
                yield Place(image, f"{key}[{name}].image")
    elif key == "volumes":
        for number, volume in _items(document, value):
            name = volume.text("name") or str(number)
            for image in document.lookup(volume, "image"):
                source = document.mapping(image)
                for reference in document.lookup(source, "reference") if source else ():
                    yield Place(reference, f"volumes[{name}].image.reference")


def _items(document: Document, node: Node) -> Iterator[tuple[int, Mapping]]:
    sequence = document.sequence(node)
    for number, item in enumerate(sequence.items if sequence else ()):
        mapping = document.mapping(item)
        if mapping is not None:
            yield number, mapping


def custom_places(document: Document, manifest: Mapping, positions: Sequence[KubernetesPosition]) -> Iterator[Place]:
    """The images at the positions that the user names for the kind of ``manifest`` (rule #67)."""
    kind = manifest.text("kind")
    for position in positions:
        if position.kind in ("*", kind):
            for node in _follow(document, manifest, position.path):
                yield Place(node, f"{kind} {position.path}")


def _follow(document: Document, root: Node, path: str) -> list[Node]:
    """The scalars that a dotted path leads to; ``[]`` and ``*`` stand for every item and every key."""
    reached = [root]
    for step in path.replace("[]", ".[]").split("."):
        reached = [node for start in reached for node in _step(document, start, step)]
    return [node for node in reached if isinstance(document.resolve(node), Scalar)]


def _step(document: Document, node: Node, step: str) -> Iterator[Node]:
    if step == "[]":
        sequence = document.sequence(node)
        yield from sequence.items if sequence else ()
    elif (mapping := document.mapping(node)) is not None:
        yield from (pair.value for pair in document.pairs(mapping) if step in ("*", pair.name))
