"""Templates of a Helm chart, and other YAML with Go template actions (rule #49)."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build, kubernetes
from unhub.formats._format import Format
from unhub.formats._template.lines import behind_actions, image_lines
from unhub.formats._template.mask import Masked, Region, mask
from unhub.formats._template.value import Action, condition_branches, explain, prefixed_values
from unhub.formats._text import Mapped, decode
from unhub.formats._yaml.parse import Document, Empty, Mapping, Node, Scalar, Sequence, parse
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Declared, DeclaredKind, Finding, Found, Part, PulledBy, Skipped, Span
from unhub.image.source import FormatSettings, Source

_GO = re.compile(
    rb"(?<!\$)\{\{-?[ \t]*(?:\.|\$|/\*|(?:if|else|end|range|with|define|include|template|block|tpl|printf|default|required)\b)"
)
_PLAIN = re.compile(rb":[ \t]+\{\{[^{]")
"""A value of template text without quotes, whatever engine fills it in: to YAML alone that would be a mapping."""

_HELPER = re.compile(
    rb"\{\{-?[ \t]*define[ \t]+\"(?P<name>[^\"]*[iI]mage)\"[ \t]*-?\}\}"
    rb"(?P<body>(?:(?!\{\{-?[ \t]*(?:define|end)\b).)*)\{\{-?[ \t]*end",
    re.DOTALL,
)
_MARKER = re.compile(rb"^---(?=[ \t\r\n])", re.MULTILINE)
_FILLED = re.compile(r"x{5,}")
_MASK = "{{…}}"


def _recognise(source: Source) -> bool:
    folders = source.path.split("/")[:-1]
    if "templates" in folders:
        depth = len(folders) - len(folders[: folders.index("templates")])
        if source.read(source.beside("../" * depth + "Chart.yaml")) is not None:
            return True
    return source.name.lower().endswith((".yaml", ".yml", ".json", ".gotmpl")) and (
        b"apiVersion" in source.data
        and (_GO.search(source.data) is not None or (b"kind" in source.data and _PLAIN.search(source.data) is not None))
    )


FORMAT = Format(
    name="helm_template",
    title="Helm templates",
    tier="A",
    files=("*.yaml", "*.yml", "*.json", "*.gotmpl", "*.yaml.tpl", "*.yml.tpl", "templates/*.tpl"),
    positions=(
        "containers[].image and the other Kubernetes positions",
        "image in a template without a kind",
        "literals in actions: quote, printf; default on request",
        'define "….image"',
    ),
    order=35,
    needles=(b"image",),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of a template: literals, and those that take a part from the chart's values."""
    masked = mask(source.data)
    reader = _Reader(source, masked, source.settings)
    try:
        documents = parse(masked.data)
        findings = list(reader.kubernetes())
    except UnreadableError:
        chunks = list(_chunks(masked))
        if len(chunks) > 1:
            for chunk in chunks:
                text = Mapped.plain(source.data, *chunk)
                yield from text.lift(find(replace(source, data=text.data)))
            return
        findings = list(reader.lines("found by its line alone, as the template is no YAML once its actions are blanked"))
    else:
        for document in documents:
            findings += reader.fragment(document)
    findings += reader.loose()
    yield from _first_at_each_place(findings)


def _chunks(masked: Masked) -> Iterator[Span]:
    """The documents of a template, one of which cannot be read."""
    start = 0
    for marker in _MARKER.finditer(masked.data):
        if marker.start() > start:
            yield Span(start, marker.start())
        start = marker.start()
    yield Span(start, len(masked.data))


def find_in_text(source: Source) -> Iterator[Finding]:
    """The images of a manifest, or a list of containers, that stands in a text of a file of values."""
    masked = mask(source.data)
    reader = _Reader(source, masked, source.settings)
    try:
        documents = parse(masked.data)
        yield from reader.kubernetes()
    except UnreadableError:
        return
    for document in documents:
        yield from reader.fragment(document, listed_only=True)


def _first_at_each_place(findings: list[Finding]) -> Iterator[Finding]:
    taken: list[Span] = []
    for finding in findings:
        if isinstance(finding, Declared):
            yield finding
            continue
        at = bisect.bisect_left(taken, finding.span)
        if any(span.start < finding.span.end and finding.span.start < span.end for span in taken[max(0, at - 1) : at + 1]):
            continue
        taken.insert(at, finding.span)
        yield finding


class _Reader(Struct, frozen=True):
    source: Source
    masked: Masked
    settings: FormatSettings

    @property
    def _chart(self) -> str:
        """The folder of the chart whose values the template gets."""
        return self.source.path.rpartition("/templates/")[0] or self.source.folder

    def kubernetes(self) -> Iterator[Finding]:
        """What the Kubernetes format finds in the masked text, with the template text put back."""
        for finding in kubernetes.find(replace(self.source, data=self.masked.data)):
            if isinstance(finding, Declared):
                continue
            span, where = finding.span, _FILLED.sub(_MASK, finding.where)
            if not self.masked.touches(span):
                yield replace(finding, where=where)
            elif isinstance(finding, Found) or finding.class_ is Class.INVALID:
                yield from self._judge(Mapped.plain(self.masked.data, *span), Span(0, span.end - span.start), where)

    def fragment(self, document: Document, *, listed_only: bool = False) -> Iterator[Finding]:
        """Every ``image`` of a document that is no Kubernetes object, such as the body of a ``define``."""
        root = document.mapping(document.root)
        is_object = root is not None and root.get("apiVersion") is not None
        for where, node, listed in _images(document.root):
            if isinstance(node, Empty):
                yield from self._below(node, where)
            elif isinstance(node, Scalar) and not is_object and (listed or not listed_only):
                yield from self._scalar(node, where)

    def _below(self, node: Empty, where: str) -> Iterator[Finding]:
        """An action on the line below ``image:`` gives its value."""
        data, at = self.masked.data, node.span.start
        while data[at : at + 1] in (b" ", b"\r", b"\n") and at < len(data):
            for region in self.masked.regions_in(Span(at, at + 1)):
                span = Span(region.start, region.end)
                yield self._variable(span, where, [region])
                return
            at += 1

    def _scalar(self, node: Scalar, where: str) -> Iterator[Finding]:
        text = node.mapped.data
        inner = Span(len(text) - len(text.lstrip()), len(text.rstrip()))
        if inner.start < inner.end and b" " not in text[inner.start : inner.end]:
            yield from self._judge(node.mapped, inner, where)

    def lines(self, note: str) -> Iterator[Finding]:
        """The images by their lines."""
        for text, inner in image_lines(self.masked):
            yield from self._judge(text, inner, "image", note)

    def loose(self) -> Iterator[Finding]:
        """Images behind an action on the same line, and texts of helpers that are named after an image."""
        for text, inner in behind_actions(self.masked):
            yield from self._judge(text, inner, "image")
        for helper in _HELPER.finditer(self.masked.original):
            body = Span(*helper.span("body"))
            raw = self.masked.original[body.start : body.end]
            inner = Span(len(raw) - len(raw.lstrip()), len(raw.rstrip()))
            shown = raw[inner.start : inner.end]
            if b"\n" in shown or not shown:
                continue
            where = f'define "{decode(helper["name"])}"'
            judged = self._judge(Mapped.plain(self.masked.data, body.start, body.end), inner, where)
            yield from (finding for finding in judged if isinstance(finding, Found))

    def _judge(self, text: Mapped, inner: Span, where: str, note: str | None = None) -> Iterator[Finding]:
        """The finding for a value; one for each branch of a value that is nothing but a condition."""
        span = text.outer(inner)
        regions = list(self.masked.regions_in(span))
        if regions:
            span = Span(min(span.start, regions[0].start), max(span.end, regions[-1].end))
        branches = list(condition_branches(self.source.data, span, regions))
        for branch in branches:
            width = branch.end - branch.start
            yield from self._judge(Mapped.plain(self.masked.data, *branch), Span(0, width), where, note)
        if branches:
            return
        parts = self.masked.parts(text, inner, self._evaluate)
        if regions and not _name_is_known(parts):
            yield self._variable(span, where, regions)
            for key in prefixed_values(self.source.data, parts):
                yield Declared(DeclaredKind.PREFIXED, key, span, where, (self._chart,))
            return
        if regions and len(parts) == 1 and parts[0].text:
            span = parts[0].span
        yield _build.build(self.source.data, span, parts, where=where, pulled_by=PulledBy.PLATFORM, note=note)

    def _evaluate(self, region: Region) -> list[Part]:
        return Action(self.source.data, region, self.settings.helm_defaults).parts()

    def _variable(self, span: Span, where: str, regions: list[Region]) -> Skipped:
        reason = explain(self.source.data, regions)
        return Skipped(span, decode(self.source.data[span.start : span.end]), where, Class.VARIABLE, reason, PulledBy.PLATFORM)


def _name_is_known(parts: list[Part]) -> bool:
    head = ""
    for part in parts:
        if not part.known:
            return _build.written_name_length(head) < len(head)
        head += part.text
    return True


def _images(root: Node) -> Iterator[tuple[str, Node, bool]]:
    """Every value of a key ``image``: its place in words, and whether its mapping is an item of a list."""
    stack: list[tuple[Node, str, bool]] = [(root, "", False)]
    while stack:
        node, where, listed = stack.pop()
        if isinstance(node, Mapping):
            for pair in node.pairs:
                name = _FILLED.sub(_MASK, pair.name or "")
                here = f"{where}.{name}" if where else name
                if pair.name == "image":
                    yield here, pair.value, listed
                stack.append((pair.value, here, False))
        elif isinstance(node, Sequence):
            stack += [(item, f"{where}[{number}]", True) for number, item in enumerate(node.items)]
