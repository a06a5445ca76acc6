"""Azure Pipelines: pipelines and their templates.

Rules #63b (a service is reached by its key) and #66. Syntax: learn.microsoft.com, "YAML
schema reference for Azure Pipelines" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from unhub.formats._ci import CiImages
from unhub.formats._definitions import Definitions
from unhub.formats._format import Format
from unhub.formats._variables import Value, Variable, trimmed
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, parse
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, Finding, PulledBy
from unhub.image.source import Source

_NAMED = re.compile(r"(?:^|/)(?:[^/]*azure-?pipelines?[^/]*\.ya?ml|\.?(?:azure-?pipelines?|azuredevops|vsts-ci)/.*)$", re.IGNORECASE)
_HOLDS = re.compile(rb"(?:^|[\s{,])vmImage[ \t]*:|^[ \t]*(?:-[ \t]+)?(?:task[ \t]*:[ \t]*['\"]?[\w.-]+@\d)", re.MULTILINE)
_RESOURCES = re.compile(rb"^resources:[ \t]*\r?\n(?:[ \t].*\r?\n|\r?\n)*?[ \t]+containers:", re.MULTILINE)


def _recognise(source: Source) -> bool:
    data = source.data
    if _NAMED.search(source.path):
        return True
    if (b"vmImage" in data or b"task" in data) and _HOLDS.search(data):
        return True
    return b"resources:" in data and b"containers:" in data and _RESOURCES.search(data) is not None


FORMAT = Format(
    name="azure-pipelines",
    title="Azure Pipelines",
    tier="B",
    files=("*azure-pipeline*.yml", "*azure-pipeline*.yaml", ".azure-pipelines/*.yml", ".azuredevops/*.yml", "*.yml", "*.yaml"),
    positions=(
        "resources.containers[].image",
        "container and container.image of jobs",
        "services.* of jobs",
        "parameters, variables and strategy.matrix, where an image uses them",
        "script and bash steps, and the scripts of tasks: docker commands",
    ),
    gaps=("containers that a template takes from the pipeline that uses it", "PowerShell and cmd steps are reported, not read"),
    order=34,
    needles=(b"container", b"image", b"services", b"docker", b"podman"),
    recognise=_recognise,
)

EXPRESSION = re.compile(rb"\$\{\{.*?\}\}|\$\[.*?\]|\$\([\w.-]+\)")
_NAME = re.compile(
    rb"\$\{\{\s*(?:parameters|variables)(?:\.([\w-]+)|\['([\w-]+)'\])\s*\}\}"
    rb"|\$\[\s*variables(?:\.([\w-]+)|\['([\w-]+)'\])\s*\]|\$\(([\w.-]+)\)|(\$\{\{.*?\}\}|\$\[.*?\])"
)
_HANDLEBARS_LINE = re.compile(rb"(?m)^[ \t]*\{\{[^{}\r\n]*\}\}[ \t]*(?=\r?$)")
_HANDLEBARS = re.compile(rb"(?<!\$)\{\{[^{}\r\n]*\}\}")
_FOREIGN = {"powershell": "PowerShell", "pwsh": "PowerShell"}
_TASK_SCRIPTS = {"bash": "script", "cmdline": "script", "shellscript": "script"}
_IMAGE_INPUTS = ("imageName", "qemuImage", "containerImage", "image")
_KEPT = "what this task does with it is not known here; change it by hand if it pulls it"


def find(source: Source) -> Iterator[Finding]:
    """The images of container resources, jobs and services, and the docker commands of steps."""
    for document in parse(_without_handlebars(source.data), shown=source.data):
        images = CiImages(source, document, ("parameters.", "variables.", "$(", "$", "${"))
        _Pipeline(document, images).visit()
        yield from images.findings()


def _without_handlebars(data: bytes) -> bytes:
    """The same length without the ``{{ … }}`` of a template for whole pipelines, which is no YAML."""
    data = _HANDLEBARS_LINE.sub(lambda match: b"#" + b" " * (len(match[0]) - 1), data)
    return _HANDLEBARS.sub(lambda match: b"x" * len(match[0]), data)


class _Pipeline:
    """One document: first the names it gives, then every place that holds an image."""

    def __init__(self, document: Document, images: CiImages) -> None:
        self.document = document
        self.images = images
        self.names = Definitions(document, _NAME)
        self.containers: set[str] = set()

    def visit(self) -> None:
        mappings = list(self._mappings())
        for mapping, where in mappings:
            self._define(mapping, where)
        for mapping, where in mappings:
            self._places(mapping, where)

    def _mappings(self) -> Iterator[tuple[Mapping, str]]:
        """Every mapping of the document: templates put keys anywhere (``${{ if … }}:``)."""
        pending: list[tuple[Node, str]] = [(self.document.root, "")]
        while pending:
            node, where = pending.pop()
            if isinstance(node, List):
                pending.extend((item, f"{where}[{number}]") for number, item in reversed(list(enumerate(node.items))))
            elif isinstance(node, Mapping):
                yield node, where
                pending.extend((pair.value, f"{where}.{pair.name}".lstrip(".")) for pair in reversed(node.pairs))

    def _define(self, mapping: Mapping, where: str) -> None:
        prefix = f"{where}." if where else ""
        for key, value, several in (("variables", "value", None), ("parameters", "default", "values")):
            self._names(mapping.get(key), f"{prefix}{key}", value, several)
        strategy = self.document.mapping(mapping.get("strategy"))
        legs = self.document.mapping(strategy.get("matrix")) if strategy else None
        for pair in self.document.pairs(legs) if legs else ():
            self._names(pair.value, f"{prefix}strategy.matrix.{pair.name}", "value", None)
        if where == "resources" or where.endswith(".resources"):
            resources = self.document.sequence(mapping.get("containers"))
            for item in resources.items if resources else []:
                resource = self.document.mapping(item)
                if resource is not None:
                    self.containers.add(resource.text("container") or "")

    def _names(self, node: Node | None, where: str, value: str, several: str | None) -> None:
        mapping = self.document.mapping(node)
        for pair in self.document.pairs(mapping) if mapping else ():
            if self.document.scalar(pair.value) is not None:
                self._name(pair.name or "", pair.value, f"{where}.{pair.name}")
        sequence = self.document.sequence(node)
        for number, item in enumerate(sequence.items if sequence else []):
            declared = self.document.mapping(item)
            name = declared.text("name") if declared else None
            if declared is not None and name:
                self._name(name, declared.get(value), f"{where}[{number}].{value}")
                if several:
                    self._name(name, declared.get(several), f"{where}[{number}].{several}")

    def _name(self, name: str, node: Node | None, where: str) -> None:
        self.names.define(name, node, where)
        # agents give every variable to scripts in upper case, with _ for .
        if node is not None and ".parameters" not in f".{where}":
            self.names.environment.setdefault(name.upper().replace(".", "_"), []).append((node, where))

    def _places(self, mapping: Mapping, where: str) -> None:
        prefix = f"{where}." if where else ""
        for pair in mapping.pairs:
            place = f"{prefix}{pair.name}"
            if pair.name == "containers" and (where == "resources" or where.endswith(".resources")):
                self._resources(pair.value, place)
            elif pair.name == "container":
                if not where.endswith("]") or ".containers[" not in f".{where}":
                    self._container(pair.value, place)
            elif pair.name == "services":
                services = self.document.mapping(pair.value)
                for service in self.document.pairs(services) if services else ():
                    self._container(service.value, f"{place}.{service.name}")
            elif pair.name == "vmImage":
                self._machine(pair.value, place)
            elif pair.name in ("script", "bash", *_FOREIGN):
                self._script(pair.name or "", self.document.scalar(pair.value), place)
        if mapping.get("task") is not None:
            self._task(mapping, prefix)

    def _resources(self, node: Node, where: str) -> None:
        sequence = self.document.sequence(node)
        for number, item in enumerate(sequence.items if sequence else []):
            resource = self.document.mapping(item)
            if resource is not None:
                self._image(resource, f"{where}[{number}]")

    def _image(self, holder: Mapping, where: str) -> None:
        for image in self.document.lookup(holder, "image"):
            if (holder.text("localImage") or "").lower() == "true":
                self._skip(image, f"{where}.image", Class.BUILD_OUTPUT, "an image that is on the agent already (localImage)")
            else:
                self.images.image(image, f"{where}.image", PulledBy.PLATFORM, self.names.split)

    def _container(self, node: Node, where: str) -> None:
        """A container resource's name, an image, or a mapping with ``image``."""
        mapping = self.document.mapping(node)
        scalar = self.document.scalar(node)
        if mapping is not None:
            self._image(mapping, where)
        elif scalar is not None and scalar.text.strip() in self.containers:
            self._skip(node, where, Class.STAGE, "names a container resource of this file")
        elif scalar is not None and re.fullmatch(r"[-\w]+", scalar.text.strip()):
            reason = "names a container resource of the pipeline that uses this file, or an image; give it a tag if it is one"
            self._skip(node, where, Class.VARIABLE, reason)
        else:
            self.images.image(node, where, PulledBy.PLATFORM, self._split)

    def _split(self, text: bytes) -> Sequence[Variable]:
        """The variables of a container, whose values may name resources, which are no images."""
        return [replace(v, values=tuple(value for value in v.values if not self._is_resource(value))) for v in self.names.split(text)]

    def _is_resource(self, value: Value) -> bool:
        return "".join(part.text for part in value.parts) in self.containers

    def _machine(self, node: Node, where: str) -> None:
        self._skip(node, where, Class.NOT_DOCKER_HUB, "names a virtual machine, not a container")

    def _skip(self, node: Node, where: str, class_: Class, reason: str) -> None:
        scalar = self.document.scalar(node)
        if scalar is not None and scalar.text.strip():
            self.images.skip(scalar.mapped.outer(trimmed(scalar)), where, class_, reason)

    def _script(self, key: str, script: Scalar | None, where: str) -> None:
        if script is None:
            return
        if key in _FOREIGN:
            self.images.foreign_script(script.mapped, where, _FOREIGN[key])
        else:
            self.images.script(script.mapped, where, self.names.split_script, EXPRESSION)

    def _task(self, step: Mapping, prefix: str) -> None:
        name = (step.text("task") or "").partition("@")[0].lower()
        inputs = self.document.mapping(step.get("inputs"))
        for pair in self.document.pairs(inputs) if inputs else ():
            place = f"{prefix}inputs.{pair.name}"
            if _TASK_SCRIPTS.get(name) == pair.name:
                self._script("script", self.document.scalar(pair.value), place)
            elif name == "powershell" and pair.name == "script":
                self._script("powershell", self.document.scalar(pair.value), place)
            elif pair.name in _IMAGE_INPUTS:
                self._task_image(name, inputs, pair.value, place)

    def _task_image(self, task: str, inputs: Mapping | None, node: Node, where: str) -> None:
        """``Docker@0`` and ``Docker@1`` run the image that they name; what they build is an output."""
        action = ((inputs.text("action") or inputs.text("command") or "") if inputs else "").lower()
        if task == "docker" and action.startswith(("run", "pull")):
            self.images.image(node, where, PulledBy.BUILD, self.names.split)
        elif task == "docker":
            self._skip(node, where, Class.BUILD_OUTPUT, "names what is built, not what is pulled")
        else:
            self._skip(node, where, Class.VARIABLE, _KEPT)
