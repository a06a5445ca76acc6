"""Kustomize: ``images`` with their selectors, patches, and values of Helm charts it inflates (rule #52)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._embed import embedded
from unhub.formats._format import Format
from unhub.formats._helm.chart import Chart
from unhub.formats._helm.metadata import chart_repository
from unhub.formats._kustomize.entries import Entries
from unhub.formats._kustomize.patches import find_patch, is_json_patch, json_patch
from unhub.formats._kustomize.scope import NAMES, scope
from unhub.formats._template.mask import Masked
from unhub.formats._yaml.mentions import Mention, skip_mentions
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, parse
from unhub.formats.helm_values import find_in_document
from unhub.image.found import Declared, Finding
from unhub.image.source import Source

_OPERATION = re.compile(rb"[\"']?\bop[\"']?[ \t]*:[ \t]*[\"']?(?:add|replace|test)\b")
_TRANSFORMER = re.compile(rb"^[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?ImageTagTransformer\b", re.MULTILINE)
_NAMES = frozenset(name.lower() for name in NAMES)
_PATCHES = ("patches", "patchesJson6902", "patchesStrategicMerge", "transformers", "generators")


def _recognise(source: Source) -> bool:
    if source.name.lower() in _NAMES:
        return True
    if b"ImageTagTransformer" in source.data and _TRANSFORMER.search(source.data):
        return True
    return b"apiVersion" not in source.data and b"/" in source.data and _OPERATION.search(source.data) is not None


FORMAT = Format(
    name="kustomize",
    title="Kustomize",
    tier="A",
    files=("kustomization", "*.yaml", "*.yml", "*.json"),
    positions=(
        "images[].newName; images[].name is a selector and stays",
        "patches: objects and JSON patches, inline or in files",
        "helmCharts[].valuesInline",
        "ImageTagTransformer",
    ),
    gaps=("a component's selectors are taken to reach the whole tree",),
    order=20,
    needles=(b"image", b"oci://"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of a kustomization, a transformer's configuration, or a file with a JSON patch."""
    for document in parse(source.data):
        root = document.mapping(document.root)
        if root is None:
            if is_json_patch(document):
                yield from json_patch(source, document)
        elif root.text("kind") == "ImageTagTransformer":
            yield from _transformer(source, document, root)
        else:
            yield from _kustomization(source, document, root)


def _transformer(source: Source, document: Document, root: Mapping) -> Iterator[Finding]:
    entry = document.mapping(root.get("imageTag"))
    if entry is not None:
        # which kustomization lists it as a transformer is not known, so it may reach everything
        yield from Entries(source.data, document, ("",)).entry(entry, "imageTag")


def _kustomization(source: Source, document: Document, root: Mapping) -> Iterator[Finding]:
    findings: list[Finding] = []
    entries = Entries(source.data, document, scope(source, document, root))
    for item in _items(document, root, "images"):
        entry = document.mapping(item)
        findings += entries.entry(entry, "images") if entry else ()
    for key in _PATCHES:
        for number, item in enumerate(_items(document, root, key)):
            text = document.scalar(item)
            mapping = document.mapping(item)
            if mapping is not None:
                text, key_here = document.scalar(mapping.get("patch")), f"{key}[{number}].patch"
            else:
                key_here = f"{key}[{number}]"
            findings += _patch(source, text, key_here)
    for number, item in enumerate(_items(document, root, "helmCharts")):
        chart = document.mapping(item)
        findings += _chart(source, document, chart, f"helmCharts[{number}]") if chart else ()
    taken = [finding.span for finding in findings]
    findings += skip_mentions(source.data, root, taken, _explain)
    yield from sorted(findings, key=lambda finding: finding.span)


def _items(document: Document, root: Mapping, key: str) -> list[Node]:
    """The items of a list, of all duplicates of its key."""
    lists = [document.sequence(value) for value in document.lookup(root, key)]
    return [item for sequence in lists if sequence for item in sequence.items]


def _patch(source: Source, text: Scalar | None, where: str) -> Iterator[Finding]:
    if text is not None and ("\n" in text.text or "{" in text.text):
        yield from embedded(source, text.mapped, find_patch, where)


def _chart(source: Source, document: Document, chart: Mapping, where: str) -> Iterator[Finding]:
    for pair in chart.pairs:
        if pair.name == "valuesInline":
            inner = Document(pair.value, document.anchors, document.aliases)
            masked = Masked(source.data, source.data, ())
            for finding in find_in_document(source, masked, inner, Chart(source), where=f"{where}.valuesInline"):
                if not isinstance(finding, Declared):
                    yield finding
    yield from chart_repository(document, chart, "repo", where)


def _explain(mention: Mention) -> tuple[str, str] | None:
    if mention.path[:1] == ("images",):
        return None
    return mention.dotted, "Kustomize hands this on as a text and pulls nothing by it"
