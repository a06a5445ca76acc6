"""Helm values: ``values.yaml`` and its kin, in all the shapes in which charts spell an image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from unhub.formats._embed import embedded
from unhub.formats._format import Format
from unhub.formats._helm.chart import Chart, read_values
from unhub.formats._helm.fields import is_machine_image
from unhub.formats._helm.images import ValuesImages
from unhub.formats._helm.metadata import NAMES, find_metadata
from unhub.formats._helm.walk import ImageAt, ManifestAt, PrefixAt, TextAt, walk
from unhub.formats._template.mask import Masked
from unhub.formats._yaml.mentions import Mention, skip_mentions
from unhub.formats._yaml.parse import Document
from unhub.formats.helm_template import find_in_text
from unhub.image.found import Finding
from unhub.image.source import Source

_SUFFIXES = re.compile(r"(?:\.(?:ya?ml|json))?(?:\.(?:gotmpl|tpl|tftpl|tmpl))?$")
_NAMED = re.compile(r"(?:^|.*[-_.])(?:values|vals?|helmfile)(?:[-_.].*|[0-9]*)$")
_OTHERS = re.compile(
    r"\..*|(?:docker-)?compose.*|skaffold.*|kustomization|chart|requirements|helmfile\.lock|devspace|action|buildspec.*|.*schema"
    r"|cloudbuild.*|azure-pipelines.*|bitbucket-pipelines.*|codefresh.*|ct|catalog-info|mkdocs|openapi.*|swagger.*"
)
_OBJECT = (re.compile(rb"^[\"']?apiVersion[\"']?[ \t]*:", re.MULTILINE), re.compile(rb"^[\"']?kind[\"']?[ \t]*:", re.MULTILINE))


def _recognise(source: Source) -> bool:
    """Values by name or folder; else any YAML that lies in a chart's folder and is no manifest."""
    stem = _SUFFIXES.sub("", source.name.lower())
    if stem.endswith("schema") or "templates" in source.folder.split("/") or all(pattern.search(source.data) for pattern in _OBJECT):
        return False
    if _NAMED.fullmatch(stem) or source.name.lower() in NAMES:
        return True
    if _OTHERS.fullmatch(stem):
        return False
    folder = source.folder.rpartition("/")[2].lower()
    if _NAMED.fullmatch(folder):
        return True
    above = ["Chart.yaml", "../Chart.yaml"] if folder == "ci" else ["Chart.yaml"]
    return any(source.read(source.beside(name)) is not None for name in above)


FORMAT = Format(
    name="helm_values",
    title="Helm values",
    tier="A",
    files=(
        "*.yaml",
        "*.yml",
        "*.gotmpl",
        "chart.lock",
        "requirements.lock",
        "*values*.json",
        "*values*.tpl",
        "*values*.tftpl",
        "*values*.tmpl",
    ),
    positions=(
        "image",
        "image.registry, .repository, .tag, .digest",
        "nodeImage, imageRepository and imageTag, images",
        "manifests in block scalars",
        "helmfile values and set",
    ),
    gaps=(
        "named templates are not followed, so a registry that one puts before a value is not seen",
        "charts that are not unpacked are not read for the registry they give an image",
    ),
    order=30,
    needles=(b"image", b"repository"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """Every image of a file of values; images split over fields are one finding each (rule #50)."""
    if source.name.lower() in NAMES:
        yield from find_metadata(source)
        return
    masked, documents = read_values(source.data)
    chart = Chart(source)
    for document in documents:
        yield from find_in_document(source, masked, document, chart)


def find_in_document(source: Source, masked: Masked, document: Document, chart: Chart, where: str = "") -> Iterator[Finding]:
    """Every image of one document of values; ``where`` names the place of values inside another file."""
    images = ValuesImages(source, masked, document, chart, where)
    findings: list[Finding] = []
    for at in walk(document):
        match at:
            case ImageAt():
                images.image(at)
            case TextAt():
                images.text(at)
            case PrefixAt():
                images.prefixes.append(at)
            case ManifestAt():
                text = replace(at.scalar, data=masked.original).mapped
                findings += embedded(source, text, find_in_text, images.place(at.place.where))
    findings += images.findings()
    taken = [finding.span for finding in findings]
    findings += skip_mentions(masked.original, document.root, taken, _explain)
    yield from sorted(findings, key=lambda finding: finding.span)


def _explain(mention: Mention) -> tuple[str, str] | None:
    """Why a text that looks like an image is left alone (rule #67)."""
    if "<<" in mention.path:
        return None
    if any(is_machine_image(key) for key in mention.path):
        return mention.dotted, "an image of a machine or a picture, by its key"
    if mention.whole:
        return mention.dotted, "no image position that is known"
    return mention.dotted, "inside a longer text that the chart hands on"
