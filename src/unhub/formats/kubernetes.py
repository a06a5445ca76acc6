"""Kubernetes manifests: YAML or JSON, one document or many, any workload or list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from unhub.formats import _build
from unhub.formats._format import Format
from unhub.formats._kubernetes_places import Place, builtin_places, custom_places
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.mentions import Mention, Occupied, skip_mentions
from unhub.formats._yaml.parse import Document, Mapping, Scalar, parse
from unhub.image.errors import UnreadableError
from unhub.image.found import Finding, Part, PulledBy, Span
from unhub.image.reference import written_name_length
from unhub.image.source import Source

_OTHERS = ("skaffold/", "tekton.dev/", "kustomize.config.k8s.io/")
"""Groups of files that look like manifests and have formats of their own."""

_TOP_KEYS = (
    re.compile(rb"(?m)^(?:\xef\xbb\xbf)?[\"']?apiVersion[\"']?[ \t]*:"),
    re.compile(rb"(?m)^(?:\xef\xbb\xbf)?[\"']?kind[\"']?[ \t]*:"),
)
_VARIABLE = re.compile(rb"\$\{[^}]*\}|\$\([^)]*\)|\$[A-Za-z_]\w*|\{\{.*?\}\}")
_DATA_KINDS = ("ConfigMap", "Secret")


def _recognise(source: Source) -> bool:
    if b"apiVersion" not in source.data or b"kind" not in source.data:
        return False
    try:
        documents = parse(source.data)
    except UnreadableError:
        # so that a broken manifest is reported, and not passed over
        return all(key.search(source.data) for key in _TOP_KEYS)
    return any(_manifest(document) is not None for document in documents)


FORMAT = Format(
    name="kubernetes",
    title="Kubernetes manifests",
    tier="A",
    files=("*.yaml", "*.yml", "*.json"),
    positions=(
        "containers[].image",
        "initContainers[].image",
        "ephemeralContainers[].image",
        "volumes[].image.reference",
        "positions of custom resources named under [kubernetes]",
    ),
    gaps=(
        "images inside the texts of ConfigMaps, in arguments and in environment variables are reported, not moved",
        "a single document of more than 30,000 lines is reported as unreadable",
    ),
    order=60,
    needles=(b"image",),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of every pod specification and named position, and what else looks like an image."""
    for document in parse(source.data):
        manifest = _manifest(document)
        if manifest is not None:
            yield from _in_document(source, document, manifest)


def _manifest(document: Document) -> Mapping | None:
    """The object of a document with ``apiVersion`` and ``kind``, unless another format reads it."""
    root = document.mapping(document.root)
    if root is None or not root.text("kind"):
        return None
    version = root.text("apiVersion")
    return None if not version or version.startswith(_OTHERS) else root


def _in_document(source: Source, document: Document, manifest: Mapping) -> Iterator[Finding]:
    images = Images(source.data, document, _parts)
    for place in _places(source, document, manifest):
        images.add(_position(document, place))
    findings = list(images.findings())
    taken = Occupied(finding.span for finding in findings)
    for item in _objects(document, manifest):
        findings += skip_mentions(source.data, item, taken, lambda mention, item=item: _explain(item, mention))
    yield from sorted(findings, key=lambda finding: finding.span)


def _places(source: Source, document: Document, manifest: Mapping) -> Iterator[Place]:
    yield from builtin_places(document, manifest)
    for item in _objects(document, manifest):
        yield from custom_places(document, item, source.settings.kubernetes_positions)


def _objects(document: Document, manifest: Mapping) -> list[Mapping]:
    """The manifest, or the objects of a list."""
    items = document.sequence(manifest.get("items")) if (manifest.text("kind") or "").endswith("List") else None
    objects = [document.mapping(item) for item in items.items] if items else [manifest]
    return [item for item in objects if item is not None]


def _position(document: Document, place: Place) -> Position:
    scalar = document.scalar(place.node)
    text = scalar.text.strip() if scalar else ""
    return Position(place.node, place.where, PulledBy.PLATFORM, selected_as=text[: written_name_length(text)].partition("@")[0] or None)


def _parts(scalar: Scalar, inner: Span) -> Sequence[Part]:
    """The text with what other tools fill in (envsubst, Flux, a template) as unknown parts."""
    parts: list[Part] = []
    at = inner.start
    for match in _VARIABLE.finditer(scalar.mapped.data, inner.start, inner.end):
        parts += _build.mapped(scalar.mapped, Span(at, match.start())) if match.start() > at else ()
        parts.append(Part("", scalar.mapped.outer(Span(*match.span())), known=False))
        at = match.end()
    parts += _build.mapped(scalar.mapped, Span(at, inner.end)) if at < inner.end or not parts else ()
    return parts


def _explain(manifest: Mapping, mention: Mention) -> tuple[str, str] | None:
    """Why a text that looks like an image is none that Kubernetes pulls (rule #67)."""
    kind, path = manifest.text("kind") or "", mention.path
    if kind == "CustomResourceDefinition" or "rbd" in path:
        return None  # a schema, and a block device
    where = f"{kind} {mention.dotted}"
    if path[0] == "status":
        return where, "a status says what runs, not what is to be pulled"
    if "env" in path or "envFrom" in path:
        return where, "the value of an environment variable; Kubernetes does not pull it"
    if "args" in path or "command" in path:
        return where, "an argument of a container; Kubernetes does not pull it"
    if not mention.whole:
        return where, "inside a longer text, which Kubernetes does not read"
    what = f"data of a {kind}, which Kubernetes does not pull" if kind in _DATA_KINDS else f"no image position of {kind} that is known"
    if any("." in key for key in path):
        return where, what
    return where, f'{what}; {{ kind = "{kind}", path = "{mention.dotted}" }} in positions of [kubernetes] moves it'
