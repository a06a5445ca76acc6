"""Google Cloud Build: ``cloudbuild.yaml`` and ``cloudbuild.json``.

Syntax: cloud.google.com/build/docs, "Build configuration file schema" and "Substituting
variable values" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._text import Mapped, Piece
from unhub.formats._variables import trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, parse
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source


def _recognise(source: Source) -> bool:
    return b"steps" in source.data


FORMAT = Format(
    name="cloud-build",
    title="Google Cloud Build",
    tier="B",
    files=("cloudbuild*.yaml", "cloudbuild*.yml", "cloudbuild*.json", "*.cloudbuild.yaml", "*.cloudbuild.yml", "*-cloudbuild.yaml"),
    positions=(
        "steps[].name",
        "substitutions, where a step uses them",
        "steps[].script, args of a shell, args of the docker builder: docker commands",
    ),
    gaps=("substitutions that a trigger overrides",),
    order=10,
    needles=(b"name",),
    recognise=_recognise,
)

_VARIABLE = re.compile(rb"(?<!\$)\$(?:\{([A-Za-z_]\w*)[^}]*\}|([A-Za-z_]\w*))")
_SHELL = re.compile(r"(?:.*/)?(?:ba|da|a)?sh")
_DOCKER = re.compile(r"(?:.*/)?docker(?::.*)?")
_PLAIN_WORD = re.compile(rb"[\w@%+=:,./${}-]+")
_OUTPUT = "names what is built, not what is pulled"


def find(source: Source) -> Iterator[Finding]:
    """The images of steps, and the docker commands that they run."""
    for document in parse(source.data):
        images = CiImages(source, document)
        root = document.mapping(document.root)
        if root is not None:
            names = Definitions(document, _VARIABLE)
            substitutions = document.mapping(root.get("substitutions"))
            for pair in document.pairs(substitutions) if substitutions else ():
                names.define(pair.name or "", pair.value, f"substitutions.{pair.name}")
            _Build(document, images, names).visit(root)
        yield from images.findings()


class _Build:
    """One build configuration."""

    def __init__(self, document: Document, images: CiImages, names: Definitions) -> None:
        self.document = document
        self.images = images
        self.names = names

    def visit(self, root: Mapping) -> None:
        steps = self.document.sequence(root.get("steps"))
        for number, item in enumerate(steps.items if steps else []):
            step = self.document.mapping(item)
            if step is not None:
                self._step(step, f"steps[{number}]")
        self._outputs(root.get("images"), "images")
        artifacts = self.document.mapping(root.get("artifacts"))
        self._outputs(artifacts.get("images") if artifacts else None, "artifacts.images")

    def _outputs(self, node: Node | None, where: str) -> None:
        for number, scalar in enumerate(self._texts(node)):
            self.images.skip(scalar.mapped.outer(trimmed(scalar)), f"{where}[{number}]", Class.BUILD_OUTPUT, _OUTPUT)

    def _texts(self, node: Node | None) -> list[Scalar]:
        sequence = self.document.sequence(node)
        scalars = (self.document.scalar(item) for item in sequence.items) if sequence else ()
        return [scalar for scalar in scalars if scalar is not None]

    def _step(self, step: Mapping, where: str) -> None:
        for name in self.document.lookup(step, "name"):
            self.images.image(name, f"{where}.name", PulledBy.PLATFORM, self.names.split)
        script = self.document.scalar(step.get("script"))
        if script is not None:
            self.images.script(script.mapped, f"{where}.script", self.names.split)
        arguments = self._texts(step.get("args"))
        entrypoint = step.text("entrypoint") or ""
        if _SHELL.fullmatch(entrypoint) or (arguments and _SHELL.fullmatch(arguments[0].text)):
            for number, argument in enumerate(arguments):
                self.images.script(argument.mapped, f"{where}.args[{number}]", self.names.split)
        elif entrypoint == "docker" or (not entrypoint and _DOCKER.fullmatch(step.text("name") or "")):
            self.images.script(command_line("docker", arguments), f"{where}.args", self.names.split)


def command_line(program: str, arguments: Sequence[Scalar]) -> Mapped:
    """A program and its arguments as one line of shell; words that a shell would split are quoted."""
    data = bytearray(program.encode())
    place = arguments[0].span.start if arguments else 0
    pieces = [Piece(0, place, len(data), literal=False, width=0)]

    def put(text: bytes, at: int) -> None:
        pieces.append(Piece(len(data), at, len(text), literal=False, width=0))
        data.extend(text)

    for argument in arguments:
        text = argument.mapped
        quote = b"" if _PLAIN_WORD.fullmatch(text.data) else b"'"
        put(b" " + quote, argument.span.start)
        if b"'" in text.data:
            # it cannot be quoted as it is, and is no image
            put(b"x", argument.span.start)
        else:
            pieces.extend(Piece(p.inner + len(data), p.outer, p.length, p.literal, p.width) for p in text.pieces)
            data.extend(text.data)
        if quote:
            put(quote, argument.span.end)
    return Mapped(bytes(data), tuple(pieces))
