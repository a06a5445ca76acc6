"""Bake files: ``docker buildx bake``'s HCL and JSON (docs.docker.com, "Bake file reference", 2026-08)."""

from __future__ import annotations

from collections.abc import Iterator

from unhub.formats._bake import Bake
from unhub.formats._format import Format
from unhub.formats._hcl.json_text import read_hcl_json
from unhub.formats._hcl.parse import read_hcl
from unhub.image.found import Finding
from unhub.image.source import Source

FORMAT = Format(
    name="bake",
    title="Bake files",
    tier="B",
    files=("docker-bake*.hcl", "docker-bake*.json", "*bake.hcl", "*bake.json", "bake*.hcl", "bake*.json", "*.bake.hcl", "*.bake.json"),
    positions=(
        "target.*.contexts (docker-image://)",
        "target.*.dockerfile-inline",
        "target.*.args that a FROM of the Dockerfile uses, inherited ones too",
        "target.*.cache-from",
        "defaults of variables, values of a matrix",
        "target.*.tags, cache-to and output as outputs",
    ),
    gaps=(
        "several files given with -f, override files and --set are looked at one by one",
        "functions of the file, loops and all but the simplest of the built-in functions are not evaluated",
    ),
    order=20,
    needles=(b"target",),
)


def find(source: Source) -> Iterator[Finding]:
    """The images that the targets of a bake file start from, and the names they give."""
    is_json = source.name.lower().endswith(".json")
    document = read_hcl_json(source.data) if is_json else read_hcl(source.data)
    yield from Bake(source, document).findings()
