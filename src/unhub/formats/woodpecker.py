"""Woodpecker CI: ``.woodpecker.yml`` and the files of ``.woodpecker/``.

A service is reached by its name (rule #63b). Syntax: woodpecker-ci.org/docs, "Workflow
syntax" and "Matrix workflows" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._plugin_steps import PluginSteps
from unhub.formats._variable_uses import scalars
from unhub.formats._yaml.parse import Document, Mapping, parse
from unhub.image.found import Finding
from unhub.image.source import Source

FORMAT = Format(
    name="woodpecker",
    title="Woodpecker CI",
    tier="B",
    files=(".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/*.yml", ".woodpecker/*.yaml"),
    positions=(
        "steps, services and clone: image (lists and mappings)",
        "matrix values, where an image uses them",
        "commands: docker commands",
    ),
    order=10,
    needles=(b"image", b"docker", b"podman"),
)

_VARIABLE = re.compile(rb"\$\{([A-Za-z_]\w*)[^}]*\}|(?<!\$)\$([A-Za-z_]\w*)")


def find(source: Source) -> Iterator[Finding]:
    """The images of steps, services and plug-ins, and the docker commands of steps."""
    for document in parse(source.data):
        images = CiImages(source, document)
        root = document.mapping(document.root)
        if root is not None:
            names = Definitions(document, _VARIABLE)
            _matrix(document, root, names)
            for scalar in scalars(root.get("variables") or root) if root.get("variables") else ():
                if scalar.anchor:
                    images.images.store(scalar)
            PluginSteps(document, images).visit(root, ("clone", "pipeline", "steps", "services"), names)
        yield from images.findings()


def _matrix(document: Document, root: Mapping, names: Definitions) -> None:
    matrix = document.mapping(root.get("matrix"))
    for pair in document.pairs(matrix) if matrix else ():
        if pair.name != "include":
            names.define(pair.name or "", pair.value, f"matrix.{pair.name}")
    entries = document.sequence(matrix.get("include")) if matrix else None
    for number, item in enumerate(entries.items if entries else []):
        entry = document.mapping(item)
        for pair in document.pairs(entry) if entry else ():
            names.define(pair.name or "", pair.value, f"matrix.include[{number}].{pair.name}")
