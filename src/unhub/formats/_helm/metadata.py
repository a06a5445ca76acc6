"""What a chart's own description says of images: the list for Artifact Hub, and charts it is built from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._text import decode
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, parse
from unhub.image.found import Class, Skipped, Span
from unhub.image.source import Source

NAMES = frozenset({"chart.yaml", "chart.lock", "requirements.yaml", "requirements.lock"})
_LISTED = "artifacthub.io/images"
_IMAGE = re.compile(rb"^[ \t]*(?:-[ \t]+)?image[ \t]*:[ \t]*[\"']?(?P<image>[^\s\"'#]+)", re.MULTILINE)
_DOCKER_HUB = re.compile(r"oci://(?:registry-1\.docker\.io|(?:index\.)?docker\.io|registry\.hub\.docker\.com)(?:/.*)?")


def find_metadata(source: Source) -> Iterator[Skipped]:
    """Images and charts named in ``Chart.yaml``, none of which a migration of images can move."""
    for document in parse(source.data):
        root = document.mapping(document.root)
        if root is None:
            continue
        annotations = document.mapping(root.get("annotations"))
        listed = document.scalar(annotations.get(_LISTED)) if annotations else None
        if listed is not None:
            yield from _listed(source, listed)
        dependencies = document.sequence(root.get("dependencies"))
        for number, item in enumerate(dependencies.items if dependencies else []):
            dependency = document.mapping(item)
            if dependency is not None:
                yield from chart_repository(document, dependency, "repository", f"dependencies[{number}]")


def _listed(source: Source, listed: Scalar) -> Iterator[Skipped]:
    for match in _IMAGE.finditer(listed.mapped.data):
        span = listed.mapped.outer(Span(*match.span("image")))
        reason = "tells Artifact Hub which images the chart uses; nothing is deployed from here, so change it by hand"
        yield Skipped(span, decode(source.data[span.start : span.end]), f"annotations.{_LISTED}", Class.NO_TARGET, reason)


def chart_repository(document: Document, mapping: Mapping, key: str, where: str) -> Iterator[Skipped]:
    """A chart that is itself pulled from Docker Hub, as an OCI artifact."""
    node: Node | None = mapping.get(key)
    scalar = document.scalar(node)
    if node is None or scalar is None or not _DOCKER_HUB.fullmatch(scalar.text.strip()):
        return
    reason = "a Helm chart that is pulled from Docker Hub; ECR Public has no copy of it that is known"
    span = scalar.content if scalar is node else node.span
    yield Skipped(span, scalar.text, f"{where}.{key}", Class.NO_TARGET, reason)
