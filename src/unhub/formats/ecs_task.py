"""Task definitions of ECS, job definitions of Batch, and image definitions of CodePipeline (rule #48)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._format import Format
from unhub.formats._template.mask import Masked, mask
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence, parse
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source

_TASK = re.compile(rb"\"?(?:containerDefinitions|containerProperties|nodeRangeProperties|taskProperties)\"?[ \t]*:")
_LIST = re.compile(rb"\"(?:essential|portMappings|memoryReservation|logConfiguration|mountPoints)\"[ \t]*:")
_PLACEHOLDER = re.compile(r"<[A-Z0-9_]+>")


def _recognise(source: Source) -> bool:
    if b"AWS::" in source.data and b"Resources" in source.data:
        return False
    if _TASK.search(source.data):
        return True
    start = source.data[source.body_start :].lstrip()[:1]
    if start == b"[" and (_LIST.search(source.data) or b'"imageUri"' in source.data):
        return True
    return source.name.lower() == "imagedetail.json"


FORMAT = Format(
    name="ecs_task",
    title="ECS task definitions",
    tier="B",
    files=("*.json", "*.json.*", "*task*.yaml", "*task*.yml", "*container*.yaml", "*container*.yml", "*.tftpl", "*.tpl"),
    positions=(
        "containerDefinitions[].image, also as a list of its own",
        "containerProperties.image and the containers of multi-node and ECS job definitions",
        "imagedefinitions.json: imageUri; imageDetail.json: ImageURI",
    ),
    gaps=("values that Terraform, ecspresso or CodePipeline fill in are reported",),
    order=45,
    needles=(b"image",),
    recognise=_recognise,
)

_NOT_CONTAINERS = frozenset({"environment", "secrets", "tags", "dockerLabels", "labels", "command", "entryPoint"})
_KEYS = frozenset({"image", "imageUri", "ImageURI"})


def find(source: Source) -> Iterator[Finding]:
    """The images of every container; what a template fills in is not known."""
    masked = mask(source.data, terraform=True)
    for document in parse(masked.data, shown=masked.original):
        images = Images(source.data, document, lambda scalar, inner: masked.parts(scalar.mapped, inner))
        for node, where in _places(document):
            images.add(Position(node, where, PulledBy.PLATFORM, skip=_stays(document.scalar(node), masked)))
        yield from images.findings()


def _stays(scalar: Scalar | None, masked: Masked) -> tuple[Class, str] | None:
    if scalar is not None and not masked.touches(scalar.span) and _PLACEHOLDER.fullmatch(scalar.text.strip()):
        return Class.VARIABLE, "a placeholder that CodePipeline fills in"
    return None


def _places(document: Document) -> Iterator[tuple[Node, str]]:
    waiting: list[tuple[Node, str]] = [(document.root, "")]
    visited: set[int] = set()
    while waiting:
        given, where = waiting.pop()
        node = document.resolve(given)
        if node is None or id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, Sequence):
            waiting.extend((item, f"{where}[{_name(document, item, number)}]") for number, item in reversed(list(enumerate(node.items))))
        elif isinstance(node, Mapping):
            for pair in document.pairs(node):
                name = pair.name or ""
                path = f"{where}.{name}" if where else name
                if name in _KEYS and document.scalar(pair.value) is not None:
                    yield pair.value, path
                elif name not in _NOT_CONTAINERS:
                    waiting.append((pair.value, path))


def _name(document: Document, item: Node, number: int) -> str:
    mapping = document.mapping(item)
    return (mapping.text("name") if mapping else None) or str(number)
