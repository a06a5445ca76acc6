"""GitLab CI: ``.gitlab-ci.yml``, the files it includes, and templates with inputs.

Rules #45, #46 and #63 to #65. Syntax: docs.gitlab.com, "CI/CD YAML syntax reference" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from unhub.formats._ci import CiImages
from unhub.formats._format import Format
from unhub.formats._gitlab.jobs import PREFIXES, Pipeline
from unhub.formats._gitlab.variables import Definitions
from unhub.formats._yaml.parse import parse
from unhub.image.found import Finding
from unhub.image.source import Source

_NAMED = re.compile(r"(?:^|/)(?:[^/]*\.?gitlab-ci[^/]*\.ya?ml|\.gitlab(?:-ci)?/(?:.*/)?[^/]+\.ya?ml)$", re.IGNORECASE)
_OTHER = re.compile(r"(?:^|/)(?:\.cirrus|\.travis|appveyor)[^/]*$")
_TOP_KEY = re.compile(rb"(?:[^\s#'\"{}\[\]-][^#]*?|'[^']+'|\"[^\"]+\"):(?:[ \t]+&\S+)?[ \t]*(?:#.*)?")
_MAY_HOLD_JOBS = re.compile(rb"script:|(?:^|[\r\n])\.")
_JOB_KEY = re.compile(rb"([ \t]+)script:(?:[ \t]|$)")
_HIDDEN_KEY = re.compile(rb"([ \t]+)(?:image|services|script|before_script|after_script|extends|rules|variables):(?:[ \t]|$)")
_JOB_SIGNS = re.compile(rb"^[ \t]+(?:stage|image|rules|extends|only|except|services|before_script|needs|artifacts|tags):", re.MULTILINE)


def _recognise(source: Source) -> bool:
    """By its name, else (an included file may have any) by jobs: entries of the top level with a ``script``."""
    if _NAMED.search(source.path):
        return True
    if not _MAY_HOLD_JOBS.search(source.data) or _OTHER.search(source.path) or not _JOB_SIGNS.search(source.data):
        return False
    key, indent = b"", b""
    for line in source.data.splitlines():
        if _TOP_KEY.fullmatch(line):
            key, indent = line, b""
        elif line[:1] not in (b" ", b"\t", b"#", b""):
            key = b""
        elif key and line.strip() and not line.lstrip().startswith(b"#"):
            indent = indent or line[: len(line) - len(line.lstrip())]
            # a key with a dot in front is a hidden job, which need not have a script
            job = (_HIDDEN_KEY if key.startswith(b".") else _JOB_KEY).match(line)
            if job and job[1] == indent:
                return True
    return False


FORMAT = Format(
    name="gitlab-ci",
    title="GitLab CI",
    tier="A",
    files=("*gitlab-ci*.yml", "*gitlab-ci*.yaml", ".gitlab/*.yml", ".gitlab-ci/*.yml", "*.yml", "*.yaml"),
    positions=(
        "image and image.name: at the top, in default, in jobs and in hidden jobs",
        "services[] and services[].name, with their host names",
        "variables, inputs and parallel:matrix, where an image uses them",
        "script, before_script, after_script: docker commands",
        "files that are included locally, by their name or because they hold jobs",
    ),
    gaps=(
        "files that are included from elsewhere (project, remote, template, component) are not fetched",
        "variables that another file defines are reported",
    ),
    order=58,
    needles=(b"image", b"services", b"docker", b"podman", b"nerdctl", b"buildah", b"skopeo", b"kubectl", b"kaniko"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of every job, and the host names that scripts and variables use."""
    documents = parse(source.data)
    header = documents[0].mapping(documents[0].root) if len(documents) > 1 else None
    specification = documents[0].mapping(header.get("spec")) if header else None
    for number, document in enumerate(documents):
        root = document.mapping(document.root)
        if root is None or (number == 0 and specification is not None):
            continue
        definitions = Definitions(document)
        if specification is not None:
            definitions.add_inputs(documents[0], specification)
        images = CiImages(source, document, PREFIXES)
        Pipeline(replace(source), images, definitions).visit(root)
        yield from images.findings()
