"""One document of a GitLab CI file: its jobs, and where their images, services and scripts stand."""

from __future__ import annotations

import re

from unhub.formats._ci import CiImages
from unhub.formats._gitlab.services import (
    host_names,
    hosts_in_script,
    hosts_in_variable,
    image_text,
    is_image,
    wrap_mapping,
    wrap_scalar,
)  # fmt: skip
from unhub.formats._gitlab.variables import INPUT, Definitions, Scope
from unhub.formats._scripts import joined, lines
from unhub.formats._text import decode
from unhub.formats._variable_uses import scalars
from unhub.formats._yaml.parse import Mapping, Node, Pair, Scalar, Sequence
from unhub.image.found import Class, Declared, DeclaredKind, PulledBy, Wrap
from unhub.image.source import Source

PREFIXES = ("$", "${", "inputs.")
"""How a pipeline writes a variable or an input."""

NO_JOBS = frozenset({
    "stages", "types", "variables", "include", "workflow", "default", "image", "services", "before_script", "after_script",
    "cache", "spec",
})  # fmt: skip
"""Keys of the top level that are no job."""

_SCRIPTS = (("before_script", "script"), ("after_script",))
_REFERENCE = "!reference"
_NESTING_MAX = 10
_DOCKER = "docker"
_DOCKER_HOST = "DOCKER_HOST"
_PIPELINE_FOLDER = re.compile(r"(?:^|/)\.gitlab(?:-ci)?/")


class Pipeline:
    """Walks over one document and notes what it finds in ``images``."""

    def __init__(self, source: Source, images: CiImages, definitions: Definitions) -> None:
        self.source = source
        self.images = images
        self.document = images.document
        self.definitions = definitions
        self.nested: set[int] = set()
        match = _PIPELINE_FOLDER.search(source.path)
        self.reach = (source.path[: match.start()] if match else source.folder,)

    def visit(self, root: Mapping) -> None:
        """The whole document: first what variables stand for, then who uses them."""
        jobs = [(pair, job) for pair in root.pairs if pair.name not in NO_JOBS and (job := self.document.mapping(pair.value))]
        self._define(root, jobs)
        overall = Scope(self.definitions)
        self._entry(root, "", overall)
        default = self.document.mapping(root.get("default"))
        if default is not None:
            self._entry(default, "default.", overall)
        for pair, job in jobs:
            name = pair.name or ""
            if name.startswith("."):
                self._store(job)
            alone = not name.startswith(".") and job.get("extends") is None and job.get("<<") is None
            self._entry(job, f"{name}.", Scope(self.definitions, name, alone))

    def _define(self, root: Mapping, jobs: list[tuple[Pair, Mapping]]) -> None:
        self._variables(root.get("variables"), "variables", None)
        workflow = self.document.mapping(root.get("workflow"))
        if workflow is not None:
            self._rules(workflow.get("rules"), "workflow.rules", None)
        for pair, job in jobs:
            name = pair.name or ""
            self._variables(job.get("variables"), f"{name}.variables", name)
            self._rules(job.get("rules"), f"{name}.rules", name)
            parallel = self.document.mapping(job.get("parallel"))
            if parallel is not None:
                self.definitions.add_matrix(parallel.get("matrix"), f"{name}.parallel.matrix", name)

    def _rules(self, node: Node | None, where: str, job: str | None) -> None:
        rules = self.document.sequence(node)
        for number, item in enumerate(rules.items if rules else []):
            rule = self.document.mapping(item)
            if rule is not None:
                self._variables(rule.get("variables"), f"{where}[{number}].variables", job, alternative=True)

    def _variables(self, node: Node | None, where: str, job: str | None, *, alternative: bool = False) -> None:
        self.definitions.add(node, where, job, alternative=alternative)
        mapping = self.document.mapping(node)
        for pair in mapping.pairs if mapping else ():
            value = self.document.scalar(pair.value)
            self._store(pair.value)
            if value is not None and pair.name:
                for declared in hosts_in_variable(self.source.data, pair.name, value, f"{where}.{pair.name}", self.reach):
                    self.images.add(declared)

    def _store(self, node: Node) -> None:
        """Anchored texts of hidden jobs and variables wait there to be used."""
        for scalar in scalars(node):
            if scalar.anchor is not None:
                self.images.images.store(scalar)

    def _entry(self, entry: Mapping, where: str, scope: Scope) -> None:
        """The keys that jobs, ``default`` and the top level have in common."""
        for pair in self.document.pairs(entry):
            if pair.name == "image":
                self._image(pair.value, f"{where}image", scope)
            elif pair.name == "services":
                self._services(pair.value, f"{where}services", scope, 0)
        for keys in _SCRIPTS:
            self._script(entry, keys, where, scope)

    def _script(self, entry: Mapping, keys: tuple[str, ...], where: str, scope: Scope) -> None:
        """One shell runs ``before_script`` and ``script``, another ``after_script``."""
        own = [pair.value for key in keys for pair in entry.pairs if pair.name == key]
        texts = [line for node in own for line in lines(self.document, node, self._target)]
        for line in texts:
            for declared in hosts_in_script(self.source.data, line, f"{where}{keys[-1]}", self.reach):
                self.images.add(declared)
        if texts:
            self.images.script(joined([line.mapped for line in texts]), f"{where}{keys[-1]}", scope.split, INPUT)

    def _image(self, node: Node, where: str, scope: Scope) -> None:
        if self._referred(node, where, scope):
            return
        mapping = self.document.mapping(node)
        if mapping is None:
            self.images.image(node, where, PulledBy.PLATFORM, scope.split)
            return
        for name in self.document.lookup(mapping, "name"):
            if not self._referred(name, f"{where}.name", scope):
                self.images.image(name, f"{where}.name", PulledBy.PLATFORM, scope.split)

    def _referred(self, node: Node, where: str, scope: Scope, *, service: bool = False) -> bool:
        """``!reference [.job, image]``: what it names is looked at where it is defined (rule #65)."""
        if node.tag != _REFERENCE or not isinstance(node, Sequence):
            return False
        path = _path(node)
        target, place = self.document.resolve(self._target(node)), ".".join(path)
        if target is None:
            reason = f"takes its value from {place}, which a file that is included defines"
        else:
            line = self.source.data.count(b"\n", 0, target.span.start) + 1
            reason = f"takes its value from {place}, line {line}"
        self.images.skip(node.span, where, Class.VARIABLE, reason, PulledBy.PLATFORM)
        if isinstance(target, Scalar) and path[1:] not in (["image"], ["image", "name"]):
            self._single_service(target, place, scope) if service else self.images.image(target, place, PulledBy.PLATFORM, scope.split)
        return True

    def _target(self, reference: Sequence) -> Node | None:
        """What ``!reference [.job, key]`` names, where this file defines it."""
        found: Node | None = self.document.root
        for key in _path(reference):
            mapping = self.document.mapping(found)
            found = mapping.get(key) if mapping else None
        return found

    def _services(self, node: Node, where: str, scope: Scope, depth: int) -> None:
        if self._referred(node, where, scope):
            return
        sequence = self.document.sequence(node)
        if sequence is None or (depth and id(sequence) in self.nested):
            return
        self.nested.add(id(sequence))
        for number, item in enumerate(sequence.items if depth < _NESTING_MAX else []):
            place = f"{where}[{number}]"
            if self._referred(item, place, scope, service=True):
                continue
            mapping = self.document.mapping(item)
            if mapping is not None:
                self._named_service(mapping, place, scope)
            elif self.document.sequence(item) is not None:
                self._services(item, place, scope, depth + 1)
            else:
                self._single_service(item, place, scope)

    def _single_service(self, node: Node, where: str, scope: Scope) -> None:
        """A service in one word: its host name comes from its image."""
        host = self._host(self.document.scalar(node), scope)
        wrap = wrap_scalar(node, host) if host and _is_single(host) else None
        self.images.image(node, where, PulledBy.PLATFORM, scope.split, host_name=host, host_wrap=wrap)

    def _named_service(self, service: Mapping, where: str, scope: Scope) -> None:
        alias = service.text("alias") or next(
            (value.text for value in self.document.lookup(service, "alias") if isinstance(value, Scalar)), ""
        )
        for pair in self.document.pairs(service):
            if pair.name != "name":
                continue
            host = self._host(self.document.scalar(pair.value), scope)
            place = f"{where}.name"
            if self._referred(pair.value, place, scope):
                continue
            if alias.strip():
                aliases = re.split(r"[\s,]+", alias.strip())
                replaced = host if host not in aliases else None
                if replaced == _DOCKER and _DOCKER_HOST not in self.definitions.variables:
                    where_used = f"{place}: without DOCKER_HOST, docker's own default is tcp://docker"
                    self.images.add(Declared(DeclaredKind.HOST, _DOCKER, pair.value.span, where_used, self.reach))
                self.images.image(pair.value, place, PulledBy.PLATFORM, scope.split, host_replaced=replaced)
                continue
            wrap: Wrap | None = wrap_mapping(self.source.data, service, pair, host) if host and _is_single(host) else None
            self.images.image(pair.value, place, PulledBy.PLATFORM, scope.split, host_name=host, host_wrap=wrap)

    def _host(self, scalar: Scalar | None, scope: Scope) -> str | None:
        """The host name of a service without an alias, ``None`` where the image is not known."""
        if scalar is None:
            return None
        text = image_text(scalar.text.strip(), scope.split(scalar.text.strip().encode("utf-8", "surrogateescape")))
        if text is None or not text:
            return decode(scalar.mapped.data).strip() or None
        return host_names(text)[0] if is_image(text) or "$" not in text else text


def _path(reference: Sequence) -> list[str]:
    return [item.text for item in reference.items if isinstance(item, Scalar)]


def _is_single(host: str) -> bool:
    return "__" not in host and re.fullmatch(r"[a-z0-9][a-z0-9._-]*", host) is not None
