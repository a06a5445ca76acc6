"""AWS CodeBuild's buildspec: images of batch builds, and the commands of its phases (rule #70).

A buildspec has no image for the build itself: that is set in the project, or where a
build is started. An ``image`` anywhere but below ``batch`` means nothing, and is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._buildspec_commands import texts, variables
from unhub.formats._format import Format
from unhub.formats._scripts import commands as foreign_commands
from unhub.formats._shell import script as shell_script
from unhub.formats._text import decode
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Mapping, Node, parse
from unhub.image.found import Class, Finding, PulledBy, Skipped, Span
from unhub.image.source import Source

_KEYS = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?(?:version|phases|batch|env|artifacts)[\"']?[ \t]*:", re.MULTILINE)
_VERSION = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?version[\"']?[ \t]*:[ \t]*[\"']?0\.[12]\b", re.MULTILINE)
_PHASES = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?(?:phases|batch)[\"']?[ \t]*:", re.MULTILINE)
_POSIX_SHELL = re.compile(r"(?:.*/)?(?:ba|da|a|k|z)?sh", re.IGNORECASE)


def _recognise(source: Source) -> bool:
    if "buildspec" in source.name.lower():
        return _KEYS.search(source.data) is not None
    return _VERSION.search(source.data) is not None and _PHASES.search(source.data) is not None


FORMAT = Format(
    name="buildspec",
    title="CodeBuild buildspec",
    tier="A",
    files=("*buildspec*", "*.yaml", "*.yml"),
    positions=(
        "batch.build-list[].env.image",
        "batch.build-graph[].env.image",
        "batch.build-matrix.static.env.image, batch.build-matrix.dynamic.env.image[]",
        "phases.*.commands[], phases.*.finally[], as in shell scripts",
        "env.variables, where a command uses them as an image",
    ),
    gaps=("PowerShell and cmd commands are reported, not changed", "variables of parameter-store, secrets-manager and of the project"),
    order=30,
    needles=(b"phases", b"batch"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of batch builds, then those that commands name."""
    for document in parse(source.data):
        root = document.mapping(document.root)
        if root is None:
            continue
        images = Images(source.data, document)
        _batch(document, root, images)
        yield from images.findings()
        yield from _misplaced(source, document, root)
        yield from _commands(source, document, root)


def _commands(source: Source, document: Document, root: Mapping) -> Iterator[Finding]:
    env = document.mapping(root.get("env"))
    shell = (env.text("shell") if env else None) or "sh"
    found = texts(document, root, source.data)
    if _POSIX_SHELL.fullmatch(shell):
        yield from shell_script.of_texts(source, found, variables(document, root))
        return
    for where, text in found:
        for inner in foreign_commands(text.data):
            span = text.outer(inner)
            reason = f"a command for {shell}, which is not read here; change it by hand"
            yield Skipped(span, decode(source.data[span.start : span.end]), where, Class.UNREADABLE, reason, PulledBy.BUILD)


def _batch(document: Document, root: Mapping, images: Images) -> None:
    batch = document.mapping(root.get("batch"))
    if batch is None:
        return
    for kind in ("build-list", "build-graph"):
        builds = document.sequence(batch.get(kind))
        for build in builds.items if builds else ():
            entry = document.mapping(build)
            if entry is not None:
                name = entry.text("identifier") or ""
                _env(document, entry, f"batch.{kind}[{name}]", images)
    matrix = document.mapping(batch.get("build-matrix"))
    for kind in ("static", "dynamic"):
        entry = document.mapping(matrix.get(kind)) if matrix else None
        if entry is not None:
            _env(document, entry, f"batch.build-matrix.{kind}", images)


def _env(document: Document, entry: Mapping, where: str, images: Images) -> None:
    for env in document.lookup(entry, "env"):
        mapping = document.mapping(env)
        for image in document.lookup(mapping, "image") if mapping else ():
            sequence = document.sequence(image)
            for node in sequence.items if sequence else [image]:
                images.add(Position(node, f"{where}.env.image", PulledBy.PLATFORM))


def _misplaced(source: Source, document: Document, root: Mapping) -> Iterator[Skipped]:
    """Keys ``image`` where CodeBuild does not look for one."""
    env, phases = document.mapping(root.get("env")), document.mapping(root.get("phases"))
    places: list[tuple[str, Node | None]] = [("image", root.get("image")), ("env.image", env.get("image") if env else None)]
    for pair in phases.pairs if phases else ():
        phase = document.mapping(pair.value)
        places.append((f"phases.{pair.name}.image", phase.get("image") if phase else None))
    for where, node in places:
        scalar = document.scalar(node)
        if scalar is not None and scalar.text.strip():
            span = Span(*scalar.content)
            reason = "CodeBuild reads no image here: the build's own image is set in its project, or below batch"
            yield Skipped(span, decode(source.data[span.start : span.end]), where, Class.INVALID, reason)
