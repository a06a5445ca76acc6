"""Objects that install Helm charts with values of their own: Flux, Argo CD, k3s (rule #50)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats import helm_values, kubernetes
from unhub.formats._embed import embedded
from unhub.formats._format import Format
from unhub.formats._helm.chart import Chart, read_values
from unhub.formats._template.mask import Masked
from unhub.formats._text import decode
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Finding, PulledBy, Skipped
from unhub.image.source import Source

_KINDS = frozenset({"HelmRelease", "HelmChart", "HelmChartConfig", "Application", "ApplicationSet"})
_KIND = re.compile(rb"^[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?(?:HelmRelease|HelmChart(?:Config)?|Application(?:Set)?)\b", re.MULTILINE)
_VALUES = ("values", "valuesObject", "valuesContent", "parameters", "set")
_DEPTH_MAX = 12


def _recognise(source: Source) -> bool:
    if _KIND.search(source.data) is None or b"{{-" in source.data:
        return False
    try:
        _, documents = read_values(source.data)
    except UnreadableError:
        return False
    return any(_release(document) is not None for document in documents)


FORMAT = Format(
    name="helm_release",
    title="Helm releases of Flux, Argo CD and k3s",
    tier="A",
    files=("*.yaml", "*.yml"),
    positions=(
        "HelmRelease spec.values",
        "Application spec.source.helm.values, .valuesObject, .parameters",
        "HelmChart spec.valuesContent, spec.set",
        "Kubernetes objects beside them",
    ),
    gaps=("Argo CD's kustomize.images are reported, not moved",),
    order=33,
    needles=(b"image", b"repository"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of the values that releases give, and of other objects in the file."""
    masked, documents = read_values(source.data)
    findings: list[Finding] = []
    for document in documents:
        root = _release(document)
        if root is not None:
            for node, where in _values(document, root):
                if where.endswith(".kustomize.images"):
                    findings += _overrides(document, node, where)
                else:
                    findings += _in_values(source, masked, document, node, where)
    spans = [finding.span for finding in findings]
    for finding in kubernetes.find(source):
        mention = isinstance(finding, Skipped) and finding.class_ is Class.NO_TARGET
        if not (mention and any(span.start < finding.span.end and finding.span.start < span.end for span in spans)):
            findings.append(finding)
    yield from sorted(findings, key=lambda finding: finding.span)


def _release(document: Document) -> Mapping | None:
    root = document.mapping(document.root)
    return root if root is not None and root.text("kind") in _KINDS and root.get("spec") is not None else None


def _values(document: Document, root: Mapping) -> Iterator[tuple[Node, str]]:
    """Every node of a release that holds values, and its place."""
    stack: list[tuple[Node | None, str, int]] = [(root.get("spec"), "spec", 0)]
    while stack:
        node, where, depth = stack.pop()
        node = document.resolve(node)
        if depth > _DEPTH_MAX:
            continue
        if isinstance(node, Mapping):
            for pair in node.pairs:
                here = f"{where}.{pair.name}"
                if pair.name in _VALUES or here.endswith(".kustomize.images"):
                    yield pair.value, here
                else:
                    stack.append((pair.value, here, depth + 1))
        elif isinstance(node, Sequence):
            stack += [(item, f"{where}[{number}]", depth + 1) for number, item in enumerate(node.items)]


def _overrides(document: Document, node: Node, where: str) -> Iterator[Skipped]:
    """Argo CD's way to give Kustomize's ``images``: ``name:tag`` or ``name=new-name:tag``."""
    sequence = document.sequence(node)
    for number, item in enumerate(sequence.items if sequence else []):
        if isinstance(item, Scalar):
            reason = "selects an image by its name and may give it another one; write name=new-name:tag by hand"
            yield Skipped(item.content, item.text, f"{where}[{number}]", Class.CONFLICT, reason, PulledBy.PLATFORM)


def _in_values(source: Source, masked: Masked, document: Document, node: Node, where: str) -> Iterator[Finding]:
    if isinstance(node, Mapping | Sequence):
        inner = Document(node, document.anchors, document.aliases)
        yield from helm_values.find_in_document(source, masked, inner, Chart(source), where)
    elif isinstance(node, Scalar) and b":" in node.mapped.data:
        try:
            yield from list(embedded(source, node.mapped, helm_values.find, where))
        except UnreadableError as error:
            text = decode(source.data[node.span.start : node.span.end])
            yield Skipped(node.span, text, where, Class.UNREADABLE, f"these values are {error.message}")
