"""The image positions of one Skaffold configuration, its profiles and their patches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from unhub.formats._build_arguments import LIKELY_IMAGE, Use, is_stage, read_dockerfile, use_in
from unhub.formats._embed import embedded
from unhub.formats._helm.set import nested, values_images
from unhub.formats._lazy import lazy
from unhub.formats._text import decode
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.found import Class, Declared, DeclaredKind, Finding, Found, Part, PulledBy, Skipped, Span
from unhub.image.reference import written_name_length
from unhub.image.source import Source

_ARTIFACT = "build.artifacts"
_CLOUD_BUILD = "build.googleCloudBuild"
_PULLS = {
    f"{_ARTIFACT}.buildpacks.builder": PulledBy.BUILD,
    f"{_ARTIFACT}.buildpacks.runImage": PulledBy.BUILD,
    f"{_ARTIFACT}.docker.cacheFrom": PulledBy.BUILD,
    f"{_ARTIFACT}.jib.fromImage": PulledBy.BUILD,
    f"{_ARTIFACT}.kaniko.image": PulledBy.PLATFORM,
    f"{_ARTIFACT}.kaniko.initImage": PulledBy.PLATFORM,
    f"{_ARTIFACT}.ko.fromImage": PulledBy.BUILD,
    **{f"{_CLOUD_BUILD}.{tool}Image": PulledBy.PLATFORM for tool in ("docker", "kaniko", "maven", "gradle", "pack", "ko", "bazel")},
    f"{_CLOUD_BUILD}.platformEmulatorInstallStep.image": PulledBy.PLATFORM,
    "verify.container.image": PulledBy.PLATFORM,
    "customActions.containers.image": PulledBy.PLATFORM,
}
"""Paths of keys, list positions left out, at which an image is pulled, and by whom."""

_OUTPUTS = frozenset({f"{_ARTIFACT}.image", f"{_ARTIFACT}.requires.image", "test.image", "deploy.docker.images"})
_ARGUMENTS = frozenset({f"{_ARTIFACT}.docker.buildArgs", f"{_ARTIFACT}.kaniko.buildArgs"})
_SCRIPTS = frozenset({f"{_ARTIFACT}.custom.buildCommand", "test.custom.command"})
_VALUES = re.compile(r"(?:deploy|manifests)\.helm\.releases\.(?:setValues|setValueTemplates|overrides)")
_HOOK = re.compile(r"(?:.*\.)?hooks\.(?:before|after)(?:\.host|\.container)?\.command")

_TEMPLATE = re.compile(rb"\{\{.*?\}\}", re.DOTALL)
_SHELL = re.compile(r"(?:.*/)?(?:ba|da|k|z|a)?sh")
_JIB_SCHEME = re.compile(r"(docker|tar)://")
_NOT_AN_IMAGE = (Class.BUILD_OUTPUT, "an artifact that Skaffold builds, not a pull")


class _At(Struct, frozen=True):
    """A node, the keys that lead to it, what users call its place, and the artifact around it."""

    node: Node
    keys: tuple[str, ...] = ()
    where: str = ""
    artifact: Mapping | None = None

    @property
    def path(self) -> str:
        return ".".join(self.keys)

    def key(self, name: str, node: Node) -> _At:
        return _At(node, (*self.keys, name), f"{self.where}.{name}" if self.where else name, self.artifact)


class Config:
    """One document: ``apiVersion: skaffold/…``, ``kind: Config``."""

    def __init__(self, source: Source, document: Document) -> None:
        self.source = source
        self.document = document
        self.images = Images(source.data, document, _parts)
        self.others: list[Finding] = []

    def findings(self) -> Iterator[Finding]:
        """Everything found. A document that is not Skaffold's holds nothing for it."""
        root = self.document.mapping(self.document.root)
        if root is None or not (root.text("apiVersion") or "").startswith("skaffold/"):
            return
        for at in self._places:
            self._visit(at)
        yield from self.images.findings()
        yield from self.others

    @lazy
    def _built(self) -> frozenset[str]:
        scalars = (self.document.scalar(at.node) for at in self._places if at.path == f"{_ARTIFACT}.image")
        return frozenset(scalar.text for scalar in scalars if scalar)

    @lazy
    def _places(self) -> list[_At]:
        """Every value with its path, in the order of a walk; a profile's values have the paths of the main part."""
        places: list[_At] = []
        visited: set[tuple[int, str]] = set()
        stack = [_At(self.document.root)]
        while stack:
            at = stack.pop()
            if (id(at.node), at.path) not in visited:
                visited.add((id(at.node), at.path))
                places.append(at)
                stack.extend(reversed(list(self._children(at))))
        return places

    def _children(self, at: _At) -> Iterator[_At]:
        node = self.document.resolve(at.node)
        if isinstance(node, List):
            for number, item in enumerate(node.items):
                yield self._item(at, item, number)
        elif isinstance(node, Mapping) and at.path == "patches":
            yield from self._patch(at, node)
        elif isinstance(node, Mapping):
            at = _At(node, () if at.path == "profiles" else at.keys, at.where, node if at.path == _ARTIFACT else at.artifact)
            yield from (at.key(pair.name or "", pair.value) for pair in self.document.pairs(node))

    def _item(self, at: _At, item: Node, number: int) -> _At:
        mapping = self.document.mapping(item)
        name = (mapping.text("name") or mapping.text("image") or mapping.text("path")) if mapping else None
        return _At(item, at.keys, f"{at.where}[{name or number}]", at.artifact)

    def _patch(self, at: _At, patch: Mapping) -> Iterator[_At]:
        """A JSON patch (RFC 6902) of a profile: its value has the path that it is put to."""
        if patch.text("op") in ("remove", "test", "move", "copy"):
            return
        keys = tuple(key for key in (patch.text("path") or "").split("/") if key and key != "-" and not key.isdigit())
        for value in self.document.lookup(patch, "value"):
            yield _At(value, keys, f"{at.where}.value")

    def _visit(self, at: _At) -> None:
        if at.path in _PULLS:
            self._image(at, _PULLS[at.path])
        elif at.path in _OUTPUTS:
            self.images.add(Position(at.node, at.where, PulledBy.BUILD, skip=_NOT_AN_IMAGE))
            self._declare(at)
        elif len(at.keys) > 1 and at.path.rpartition(".")[0] in _ARGUMENTS:
            self._argument(at)
        elif at.path in _SCRIPTS:
            self._script(self.document.scalar(at.node), at.where)
        elif _HOOK.fullmatch(at.path):
            self._hook(at)
        elif _VALUES.fullmatch(at.path):
            self._values(at)

    def _declare(self, at: _At) -> None:
        """Manifests name an artifact too, and Skaffold fills in its tag when it deploys them."""
        scalar = self.document.scalar(at.node)
        text = scalar.text.strip() if scalar else ""
        if scalar and text:
            self.others.append(Declared(DeclaredKind.BUILT, text[: written_name_length(text)], scalar.content, at.where))

    def _image(self, at: _At, pulled_by: PulledBy) -> None:
        scalar = self.document.scalar(at.node)
        text = scalar.text.strip() if scalar else ""
        local = _JIB_SCHEME.match(text) if at.path.endswith("jib.fromImage") else None
        skip: tuple[Class, str] | None = None
        if text in self._built:
            skip = (Class.BUILD_OUTPUT, "an artifact of this file, which Skaffold puts in its place")
        elif local:
            # Jib's schemes: https://github.com/GoogleContainerTools/jib, "Base image parameters", 2026-08
            skip = (Class.NOT_DOCKER_HUB, f"{local[0]} takes the image from this machine, not from a registry")
        self.images.add(Position(at.node, at.where, pulled_by, strip_scheme="registry://", skip=skip))

    def _argument(self, at: _At) -> None:
        """A build argument is an image where the Dockerfile has it in the place of one (rule #36)."""
        scalar = self.document.scalar(at.node)
        text = scalar.text.strip() if scalar else ""
        name, dockerfile = at.keys[-1], self._dockerfile(at)
        use = use_in(dockerfile, name)
        if not text or is_stage(dockerfile, text):
            return
        if use is Use.WHOLE:
            self._image(at, PulledBy.BUILD)
        elif use is Use.PREFIX or (use is Use.UNKNOWN and LIKELY_IMAGE.fullmatch(name)):
            reason = "which a FROM begins with" if use is Use.PREFIX else "of a Dockerfile that cannot be looked at from here"
            skip = (Class.VARIABLE, f"a build argument {reason}; change it by hand if it names Docker Hub")
            self.images.add(Position(at.node, at.where, PulledBy.BUILD, skip=skip))

    def _dockerfile(self, at: _At) -> bytes | None:
        if at.artifact is None:
            return None
        folder = at.artifact.text("context") or at.artifact.text("workspace") or "."
        builder = self.document.mapping(at.artifact.get(at.keys[-3]))
        return read_dockerfile(self.source, folder.rstrip("/"), (builder.text("dockerfile") if builder else None) or "Dockerfile")

    def _values(self, at: _At) -> None:
        """What a release hands to its chart; keys may be dotted as in ``helm --set``."""
        mapping = self.document.mapping(at.node)
        if mapping is None:
            return
        values = nested(mapping, ((pair.name or "", pair.value) for pair in self.document.pairs(mapping)))
        for found in values_images(self.source, self.document, values, at.where):
            built = isinstance(found, Found) and found.text in self._built
            self.others.append(Skipped(found.span, found.text, found.where, *_NOT_AN_IMAGE, found.pulled_by) if built else found)

    def _hook(self, at: _At) -> None:
        """A command around a step: what follows ``sh -c`` is a script."""
        words = self.document.sequence(at.node)
        scalars = [self.document.scalar(item) for item in words.items] if words else []
        if len(scalars) > 2 and scalars[0] and scalars[1] and _SHELL.fullmatch(scalars[0].text) and scalars[1].text.endswith("c"):
            self._script(scalars[2], at.where)

    def _script(self, scalar: Scalar | None, where: str) -> None:
        from unhub.formats import shell

        if scalar is not None:
            self.others.extend(embedded(self.source, scalar.mapped, shell.find, where))


def _parts(scalar: Scalar, inner: Span) -> Sequence[Part]:
    """The text, with what Skaffold fills in (``{{.VERSION}}``) as parts of unknown value."""
    parts: list[Part] = []
    at = inner.start
    for match in _TEMPLATE.finditer(scalar.mapped.data, inner.start, inner.end):
        parts += _literal(scalar, Span(at, match.start()))
        parts.append(Part("", scalar.mapped.outer(Span(*match.span())), known=False))
        at = match.end()
    return [*parts, *_literal(scalar, Span(at, inner.end))]


def _literal(scalar: Scalar, span: Span) -> Iterator[Part]:
    if span.end > span.start:
        yield from scalar.mapped.parts(Part(decode(scalar.mapped.data[span.start : span.end]), span))
