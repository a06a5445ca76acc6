"""Workflows and actions of GitHub, Gitea and Forgejo: the way from a file to its images."""

from __future__ import annotations

import re

from msgspec.structs import replace

from unhub.formats._ci import CiImages
from unhub.formats._github.steps import DOCKER_SCHEME, Steps
from unhub.formats._github.values import PREFIXES, Scope
from unhub.formats._yaml.parse import Document, Mapping, Node, parse
from unhub.image.errors import UnreadableError
from unhub.image.found import PulledBy
from unhub.image.source import Source

_CALLS_MAX = 4
"""How many calls from file to file are followed."""
_SYSTEM_FOLDER = re.compile(r"(?:^|/)\.(?:github|gitea|forgejo)/")
_INPUT = re.compile(r"inputs\.([\w-]+)")
_LOCAL = "./"


def workflow(source: Source, calls: int = 0) -> list[CiImages]:
    """The images of a workflow, a collector a document."""
    found: list[CiImages] = []
    for document in parse(source.data):
        images = CiImages(source, document, PREFIXES)
        root = document.mapping(document.root)
        if root is not None:
            _Workflow(source, document, images, calls).visit(root)
        found.append(images)
    return found


def action(source: Source, calls: int = 0) -> list[CiImages]:
    """The images of an ``action.yml``: of a docker action its own, of a composite one those of its steps."""
    found: list[CiImages] = []
    for document in parse(source.data):
        images = CiImages(source, document, PREFIXES)
        root = document.mapping(document.root)
        runs = document.mapping(root.get("runs")) if root else None
        if root is not None and runs is not None:
            _action(source, images, root, runs, calls)
        found.append(images)
    return found


def _action(source: Source, images: CiImages, root: Mapping, runs: Mapping, calls: int) -> None:
    document = images.document
    inputs = document.mapping(root.get("inputs"))
    scope = Scope(document, inputs=((inputs, "inputs"),) if inputs else ())
    image = document.scalar(runs.get("image"))
    if image is not None and image.text.strip().lower().startswith(DOCKER_SCHEME):
        # expressions are not evaluated here (rule #62: anything else is the path of a Dockerfile)
        images.image(runs.get("image"), "runs.image", PulledBy.PLATFORM, scope.split, scheme=DOCKER_SCHEME)
    top = repository_top(source.path)
    Steps(images, top, _Calls(source, top, calls).of_action).visit(runs.get("steps"), "runs.steps", scope, "")


def repository_top(path: str) -> str:
    """The path of the repository that holds a file: what stands before ``.github/``, else the file's folder."""
    match = _SYSTEM_FOLDER.search(path)
    return path[: match.start()] if match else path.rpartition("/")[0]


class _Calls:
    """Which inputs of the files it calls a workflow or action hands an image to."""

    def __init__(self, source: Source, top: str, calls: int) -> None:
        self.source = source
        self.top = top
        self.calls = calls

    def of_action(self, uses: str) -> frozenset[str]:
        """The image inputs of an action in the same repository; none for any other."""
        for name in ("action.yml", "action.yaml"):
            inputs = self._inputs(f"{uses.rstrip('/')}/{name}", of_action=True)
            if inputs is not None:
                return inputs
        return frozenset()

    def of_workflow(self, uses: str) -> frozenset[str]:
        """The image inputs of a reusable workflow in the same repository; none for any other."""
        return self._inputs(uses, of_action=False) or frozenset()

    def _inputs(self, uses: str, *, of_action: bool) -> frozenset[str] | None:
        if not uses.startswith(_LOCAL) or self.calls >= _CALLS_MAX:
            return None
        path = "/".join(part for part in (self.top, uses.removeprefix(_LOCAL)) if part)
        data = self.source.read(path)
        if data is None:
            return None
        called = replace(self.source, path=path, data=data)
        try:
            collected = action(called, self.calls + 1) if of_action else workflow(called, self.calls + 1)
        except UnreadableError:
            return frozenset()
        return frozenset(name for images in collected for text in images.variables for name in _INPUT.findall(text))


class _Workflow:
    """One document of a workflow."""

    def __init__(self, source: Source, document: Document, images: CiImages, calls: int) -> None:
        self.document = document
        self.images = images
        top = repository_top(source.path)
        self.calls = _Calls(source, top, calls)
        self.steps = Steps(images, top, self.calls.of_action)

    def visit(self, root: Mapping) -> None:
        scope = Scope(self.document, inputs=tuple(self._inputs(root))).inside(root, "")
        jobs = self.document.mapping(root.get("jobs"))
        for pair in self.document.pairs(jobs) if jobs else ():
            job = self.document.mapping(pair.value)
            if job is not None:
                self._job(job, f"jobs.{pair.name}", scope, self._shell(root))

    def _inputs(self, root: Mapping) -> list[tuple[Mapping, str]]:
        triggers = self.document.mapping(root.get("on"))
        found: list[tuple[Mapping, str]] = []
        for name in ("workflow_call", "workflow_dispatch"):
            trigger = self.document.mapping(triggers.get(name)) if triggers else None
            inputs = self.document.mapping(trigger.get("inputs")) if trigger else None
            if inputs is not None:
                found.append((inputs, f"on.{name}.inputs"))
        return found

    def _shell(self, node: Mapping) -> str:
        defaults = self.document.mapping(node.get("defaults"))
        run = self.document.mapping(defaults.get("run")) if defaults else None
        return (run.text("shell") if run else None) or ""

    def _job(self, job: Mapping, where: str, scope: Scope, shell: str) -> None:
        scope = scope.inside(job, f"{where}.")
        strategy = self.document.mapping(job.get("strategy"))
        matrix = self.document.mapping(strategy.get("matrix")) if strategy else None
        scope = replace(scope, matrix=matrix, matrix_where=f"{where}.strategy.matrix", job=job.span)
        self._container(job.get("container"), f"{where}.container", scope)
        services = self.document.mapping(job.get("services"))
        for pair in self.document.pairs(services) if services else ():
            self._container(pair.value, f"{where}.services.{pair.name}", scope)
        self._call(job, where, scope)
        windows = (job.text("runs-on") or "").strip().lower().startswith("windows")
        default = self._shell(job) or shell or ("pwsh" if windows else "")
        self.steps.visit(job.get("steps"), f"{where}.steps", scope, default)

    def _container(self, node: Node | None, where: str, scope: Scope) -> None:
        """A container or a service: the image itself, or a mapping with ``image`` (rule #61)."""
        mapping = self.document.mapping(node)
        if mapping is None:
            self.images.image(node, where, PulledBy.PLATFORM, scope.split, scheme=DOCKER_SCHEME)
            return
        for image in self.document.lookup(mapping, "image"):
            self.images.image(image, f"{where}.image", PulledBy.PLATFORM, scope.split, scheme=DOCKER_SCHEME)

    def _call(self, job: Mapping, where: str, scope: Scope) -> None:
        """A job that calls a reusable workflow hands its images over as inputs."""
        uses = (job.text("uses") or "").strip()
        inputs = self.document.mapping(job.get("with"))
        if not uses or inputs is None:
            return
        known = self.calls.of_workflow(uses)
        for pair in self.document.pairs(inputs):
            place = f"{where}.with.{pair.name}"
            if pair.name in known:
                self.images.image(pair.value, place, PulledBy.PLATFORM, scope.split)
            elif pair.name is not None:
                self.steps.unclear(pair.name, pair.value, place, uses.partition("@")[0])
