"""Tekton: tasks, pipelines and their runs (rule #58: ``bundle`` is an image position).

Syntax: tekton.dev/docs, "Tasks", "Pipelines" and "Bundles Resolver" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats import kubernetes
from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._variables import trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, parse
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source


def _recognise(source: Source) -> bool:
    return b"tekton.dev/" in source.data


FORMAT = Format(
    name="tekton",
    title="Tekton",
    tier="B",
    files=("*.yaml", "*.yml", "*.json"),
    positions=(
        "steps[].image, sidecars[].image and stepTemplate.image of tasks, also inside pipelines and runs",
        "bundle of taskRef and pipelineRef, and the bundle parameter of the bundles resolver",
        "params with a default, where an image uses them",
        "script: docker commands",
    ),
    gaps=("parameters that a run gives to a task of another file are reported",),
    order=40,
    needles=(b"tekton.dev/",),
    recognise=_recognise,
)

EXPRESSION = re.compile(rb"\$\((?:inputs\.)?(?:params|workspaces|tasks|context|steps|results)[^)\s]*\)")
_NAME = re.compile(rb"\$\((?:inputs\.)?params(?:\.([\w.-]+)|\[[\"']([\w.-]+)[\"']\])\)|(\$\([\w.\[\]\"'*-]+\))")
_LISTS = ("steps", "sidecars")
_SHEBANG = re.compile(rb"\s*#![ \t]*(\S+)(?:[ \t]+(\S+))?")
_SHELL = re.compile(rb"(?:.*/)?(?:ba|da|a|k|z)?sh")
_IMAGE_PARAMETER = re.compile(r"(?:.*[-_])?(?:image|builder)(?:[-_].*)?|.*[a-z]Image", re.IGNORECASE)


def find(source: Source) -> Iterator[Finding]:
    """The images of every task, wherever it is written; other documents are read as Kubernetes'."""
    own: list[Finding] = []
    for document in parse(source.data):
        root = document.mapping(document.root)
        if root is not None and "tekton.dev/" in (root.text("apiVersion") or ""):
            images = CiImages(source, document, ("params.", "$(params."))
            _Resource(document, images).visit(root, "", Definitions(document, _NAME))
            own += images.findings()
    taken = {finding.span for finding in own}
    yield from own
    yield from (finding for finding in kubernetes.find(source) if finding.span not in taken)


class _Resource:
    """One Tekton resource. Tasks stand at any depth: in pipelines, in runs, in lists."""

    def __init__(self, document: Document, images: CiImages) -> None:
        self.document = document
        self.images = images

    def visit(self, root: Mapping, where: str, outer: Definitions) -> None:
        """Every mapping of the resource, with the parameters that are in scope there."""
        pending: list[tuple[Node, str, Definitions]] = [(root, where, outer)]
        while pending:
            node, place, names = pending.pop()
            if isinstance(node, List):
                pending.extend((item, f"{place}[{number}]", names) for number, item in reversed(list(enumerate(node.items))))
            elif isinstance(node, Mapping):
                names = self._parameters(node, place, names)
                self._places(node, place, names)
                pending.extend((pair.value, f"{place}.{pair.name}".lstrip("."), names) for pair in reversed(node.pairs))

    def _parameters(self, node: Mapping, where: str, outer: Definitions) -> Definitions:
        """Parameters that are declared with a default, or given a value for what stands below."""
        parameters = self.document.sequence(node.get("params"))
        names = outer.inside() if parameters else outer
        for number, item in enumerate(parameters.items if parameters else []):
            parameter = self.document.mapping(item)
            name = parameter.text("name") if parameter else None
            if parameter is not None and name:
                place = f"{where}.params[{number}]".lstrip(".")
                names.define(name, parameter.get("default"), f"{place}.default")
                if node.get("taskSpec") or node.get("pipelineSpec"):
                    names.define(name, parameter.get("value"), f"{place}.value")
                self._given(node, parameter, name, f"{place}.value", names)
        return names

    def _given(self, node: Mapping, parameter: Mapping, name: str, where: str, names: Definitions) -> None:
        """What a run or a resolver is given: a bundle is an image, and another image can only be guessed."""
        value = self.document.scalar(parameter.get("value"))
        if value is None:
            return
        if node.text("resolver") == "bundles":
            if name == "bundle":
                self.images.image(parameter.get("value"), where, PulledBy.PLATFORM, names.split)
        elif _IMAGE_PARAMETER.fullmatch(name) and not (node.get("taskSpec") or node.get("pipelineSpec")):
            reason = "is given to a task that is not in this file; change it by hand if it is pulled"
            self.images.skip(value.mapped.outer(trimmed(value)), where, Class.VARIABLE, reason)

    def _places(self, node: Mapping, where: str, names: Definitions) -> None:
        prefix = f"{where}." if where else ""
        for key in _LISTS:
            steps = self.document.sequence(node.get(key))
            for number, item in enumerate(steps.items if steps else []):
                step = self.document.mapping(item)
                if step is not None:
                    self._step(step, f"{prefix}{key}[{step.text('name') or number}]", names)
        template = self.document.mapping(node.get("stepTemplate"))
        if template is not None:
            self._step(template, f"{prefix}stepTemplate", names)
        if where == "spec" and node.get("image") is not None and node.get("steps") is None:
            self._step(node, where, names)
        for key in ("taskRef", "pipelineRef"):
            reference = self.document.mapping(node.get(key))
            for bundle in self.document.lookup(reference, "bundle") if reference else ():
                self.images.image(bundle, f"{prefix}{key}.bundle", PulledBy.PLATFORM, names.split)

    def _step(self, step: Mapping, where: str, names: Definitions) -> None:
        for image in self.document.lookup(step, "image"):
            self.images.image(image, f"{where}.image", PulledBy.PLATFORM, names.split)
        script = self.document.scalar(step.get("script"))
        if script is None:
            return
        shebang = _SHEBANG.match(script.mapped.data)
        program = b"sh" if shebang is None else (shebang[2] or b"") if shebang[1].endswith(b"/env") else shebang[1]
        if _SHELL.fullmatch(program):
            self.images.script(script.mapped, f"{where}.script", names.split, EXPRESSION)
        else:
            self.images.foreign_script(script.mapped, f"{where}.script", program.decode("utf-8", "replace").rpartition("/")[2])
