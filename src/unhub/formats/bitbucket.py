"""Bitbucket Pipelines: ``bitbucket-pipelines.yml``.

A service is reached at localhost (rule #63b). Syntax: support.atlassian.com, "Bitbucket
Pipelines configuration reference" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._scripts import joined, lines
from unhub.formats._variables import trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, parse
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source

FORMAT = Format(
    name="bitbucket",
    title="Bitbucket Pipelines",
    tier="B",
    files=("bitbucket-pipelines.yml", "bitbucket-pipelines.yaml", "*bitbucket-pipelines*.yml"),
    positions=(
        "image and image.name: for all steps, and of a step",
        "definitions.services.*.image",
        "pipe: docker://…",
        "script and after-script: docker commands",
    ),
    gaps=("what a pipe of Bitbucket's own (pipe: atlassian/…) pulls",),
    order=10,
    needles=(b"image", b"docker", b"podman"),
)

_VARIABLE = re.compile(rb"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_SCRIPTS = ("script", "after-script")
_SCHEME = "docker://"
_NO_IMAGES = ("variables", "caches", "options", "triggers", "artifacts", "clone")


def find(source: Source) -> Iterator[Finding]:
    """The images of steps and services, and the docker commands of scripts."""
    for document in parse(source.data):
        images = CiImages(source, document)
        _Pipelines(document, images).visit()
        yield from images.findings()


class _Pipelines:
    """Every step of every pipeline: what stands where does not matter, only the keys do."""

    def __init__(self, document: Document, images: CiImages) -> None:
        self.document = document
        self.images = images
        self.names = Definitions(document, _VARIABLE)

    def visit(self) -> None:
        pending: list[tuple[Node, str]] = [(self.document.root, "")]
        while pending:
            node, where = pending.pop()
            below: list[tuple[Node, str]] = []
            if isinstance(node, List):
                below += [(item, f"{where}[{number}]") for number, item in enumerate(node.items)]
            for pair in self.document.pairs(node) if isinstance(node, Mapping) else ():
                place = f"{where}.{pair.name}".lstrip(".")
                if pair.name == "image":
                    self._image(pair.value, place)
                elif pair.name in _SCRIPTS:
                    self._script(pair.value, place)
                elif pair.name not in _NO_IMAGES:
                    below.append((pair.value, place))
            pending.extend(reversed(below))

    def _image(self, node: Node, where: str) -> None:
        mapping = self.document.mapping(node)
        if mapping is None:
            self.images.image(node, where, PulledBy.PLATFORM, self.names.split)
            return
        for name in self.document.lookup(mapping, "name"):
            self.images.image(name, f"{where}.name", PulledBy.PLATFORM, self.names.split)

    def _script(self, node: Node, where: str) -> None:
        texts = [line.mapped for line in lines(self.document, node)]
        if texts:
            self.images.script(joined(texts), where, self.names.split)
        items = self.document.sequence(node)
        for number, item in enumerate(items.items if items else []):
            step = self.document.mapping(item)
            if step is not None and step.get("pipe") is not None:
                self._pipe(step, f"{where}[{number}].pipe")

    def _pipe(self, step: Mapping, where: str) -> None:
        pipe = self.document.scalar(step.get("pipe"))
        if pipe is None:
            return
        if pipe.text.strip().startswith(_SCHEME):
            self.images.image(step.get("pipe"), where, PulledBy.PLATFORM, self.names.split, scheme=_SCHEME)
            return
        reason = "names a pipe's repository at Bitbucket, which says itself what image it runs"
        self.images.skip(pipe.mapped.outer(trimmed(pipe)), where, Class.NOT_DOCKER_HUB, reason)
