"""CircleCI: ``.circleci/config.yml``, what it continues with, and orbs.

Rules #63b (a second container is reached at localhost) and #66. Syntax: circleci.com/docs,
"Configuration reference" and "Reusable configuration" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._variables import trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, Pair, parse
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source

FORMAT = Format(
    name="circleci",
    title="CircleCI",
    tier="B",
    files=(".circleci/*.yml", ".circleci/*.yaml", "orb.yml"),
    positions=(
        "docker[].image of jobs and executors, in inline orbs too",
        "parameters: their defaults, and what workflows and steps hand over, where an image uses them",
        "run steps: docker commands",
    ),
    gaps=("orbs of others are not fetched",),
    order=10,
    needles=(b"image", b"docker", b"podman"),
)

EXPRESSION = re.compile(rb"(?<!\\)<<\s*((?:pipeline\.)?(?:parameters|matrix|pipeline|orb)\.[\w.-]+)\s*>>")
_IN_IMAGE = re.compile(EXPRESSION.pattern + rb"|\$\{?([A-Za-z_]\w*)\}?")
_KINDS = ("jobs", "executors", "commands")
_NESTING_MAX = 20
_SHELL = re.compile(r"\s*(?:/\S+/)?(?:ba|da|z|k)?sh(?:\s|$)")


def find(source: Source) -> Iterator[Finding]:
    """The images of jobs, executors and orbs, and the docker commands of steps."""
    for document in parse(source.data):
        images = CiImages(source, document, ("parameters.", "matrix.", "$", "${"))
        root = document.mapping(document.root)
        if root is not None:
            _Config(document, images).visit(root, "", Definitions(document, _IN_IMAGE), 0)
        yield from images.findings()


class _Config:
    """A configuration, or an orb inside one."""

    def __init__(self, document: Document, images: CiImages) -> None:
        self.document = document
        self.images = images

    def visit(self, root: Mapping, where: str, outer: Definitions, depth: int) -> None:
        """Everything that a configuration declares: its blocks, and the orbs written in it."""
        top = outer.inside()
        self._parameters(root, top, where, "pipeline.parameters")
        entries = list(self._entries(root))
        handed = self._handed(root, {pair.name or "" for _, pair, _ in entries}, where)
        for kind, pair, block in entries:
            self._block(block, f"{where}{kind}.{pair.name}", top, handed.get(pair.name or "", []))
        orbs = self.document.mapping(root.get("orbs"))
        for pair in self.document.pairs(orbs) if orbs and depth < _NESTING_MAX else ():
            orb = self.document.mapping(pair.value)
            if orb is not None:
                self.visit(orb, f"{where}orbs.{pair.name}.", top, depth + 1)

    def _entries(self, root: Mapping) -> Iterator[tuple[str, Pair, Mapping]]:
        for kind in _KINDS:
            group = self.document.mapping(root.get(kind))
            for pair in self.document.pairs(group) if group else ():
                block = self.document.mapping(pair.value)
                if block is not None:
                    yield kind, pair, block

    def _parameters(self, block: Mapping, names: Definitions, where: str, prefix: str = "parameters") -> None:
        parameters = self.document.mapping(block.get("parameters"))
        for pair in self.document.pairs(parameters) if parameters else ():
            declared = self.document.mapping(pair.value)
            if declared is not None:
                name, place = f"{prefix}.{pair.name}", f"{where}parameters.{pair.name}"
                names.define(name, declared.get("default"), f"{place}.default")
                names.define(name, declared.get("enum"), f"{place}.enum")

    def _handed(self, root: Mapping, names: set[str], where: str) -> dict[str, list[tuple[str, Node, str]]]:
        """What callers hand to the parameters of jobs, executors and commands of this file."""
        handed: dict[str, list[tuple[str, Node, str]]] = {}
        pending: list[tuple[Node, str, int]] = [(root, where.rstrip("."), 0)]
        while pending:
            node, place, depth = pending.pop()
            if isinstance(node, List):
                pending.extend((item, f"{place}[{number}]", depth + 1) for number, item in enumerate(node.items))
            for pair in node.pairs if isinstance(node, Mapping) and depth < 200 else ():
                here = f"{place}.{pair.name}".lstrip(".")
                pending.append((pair.value, here, depth + 1))
                given = self.document.mapping(pair.value)
                name = given.text("name") if given and pair.name == "executor" else pair.name
                if given is not None and name in names:
                    handed.setdefault(name, []).extend(self._given(given, here))
        return handed

    def _given(self, given: Mapping, where: str) -> Iterator[tuple[str, Node, str]]:
        for pair in self.document.pairs(given):
            matrix = self.document.mapping(pair.value) if pair.name == "matrix" else None
            several = self.document.mapping(matrix.get("parameters")) if matrix else None
            for inner in self.document.pairs(several) if several else ():
                yield inner.name or "", inner.value, f"{where}.matrix.parameters.{inner.name}"
            scalar = self.document.scalar(pair.value)
            if scalar is not None and not EXPRESSION.fullmatch(scalar.mapped.data.strip()):
                yield pair.name or "", pair.value, f"{where}.{pair.name}"

    def _block(self, block: Mapping, where: str, top: Definitions, handed: list[tuple[str, Node, str]]) -> None:
        names = top.inside()
        self._parameters(block, names, f"{where}.")
        parameters = self.document.mapping(block.get("parameters"))
        for name, node, place in handed:
            if parameters is not None and name in parameters.keys():  # noqa: SIM118 - a method of ours, no dict
                names.define(f"parameters.{name}", node, place)
        names.export(block.get("environment"), f"{where}.environment")
        containers = self.document.sequence(block.get("docker"))
        for number, item in enumerate(containers.items if containers else []):
            container = self.document.mapping(item)
            for image in self.document.lookup(container, "image") if container else ():
                self.images.image(image, f"{where}.docker[{number}].image", PulledBy.PLATFORM, names.split)
        self._machine(block, where)
        self._steps(block.get("steps"), f"{where}.steps", names, 0)

    def _machine(self, block: Mapping, where: str) -> None:
        machine = self.document.mapping(block.get("machine"))
        image = self.document.scalar(machine.get("image")) if machine else None
        if image is not None:
            span = image.mapped.outer(trimmed(image))
            self.images.skip(span, f"{where}.machine.image", Class.NOT_DOCKER_HUB, "names a virtual machine, not a container")

    def _steps(self, node: Node | None, where: str, names: Definitions, depth: int) -> None:
        steps = self.document.sequence(node)
        for number, item in enumerate(steps.items if steps and depth < _NESTING_MAX else []):
            step = self.document.mapping(item)
            for pair in self.document.pairs(step) if step else ():
                place = f"{where}[{number}].{pair.name}"
                inner = self.document.mapping(pair.value)
                if pair.name == "run":
                    self._run(pair.value, inner, place, names)
                elif inner is not None:
                    self._steps(inner.get("steps"), f"{place}.steps", names, depth + 1)

    def _run(self, node: Node, run: Mapping | None, where: str, names: Definitions) -> None:
        command = self.document.scalar(run.get("command") if run else node)
        if command is None:
            return
        inside = names.inside()
        inside.export(run.get("environment") if run else None, f"{where}.environment")
        shell = (run.text("shell") if run else None) or ""
        if not shell or _SHELL.match(shell):
            self.images.script(command.mapped, where, inside.split_script, EXPRESSION)
        else:
            self.images.foreign_script(command.mapped, where, shell.split(maxsplit=1)[0])
