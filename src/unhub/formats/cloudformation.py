"""CloudFormation and SAM templates, YAML or JSON, and what CDK writes (rules #48, #70)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats import _build
from unhub.formats._cloudformation_values import Template, variables
from unhub.formats._embed import embedded
from unhub.formats._format import Format
from unhub.formats._interpolated import shell
from unhub.formats._text import decode
from unhub.formats._yaml.mentions import Mention, Occupied, skip_mentions
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence, parse
from unhub.image.found import Class, Finding, Found, PulledBy, Skipped, Span
from unhub.image.source import Source

_VERSION = re.compile(rb"AWSTemplateFormatVersion|AWS::Serverless-2016-10-31")
_RESOURCE = re.compile(rb"[\"']?Type[\"']?[ \t]*:[ \t]*[\"']?AWS::\w+::\w+")


def _recognise(source: Source) -> bool:
    if _VERSION.search(source.data):
        return True
    return b"Resources" in source.data and _RESOURCE.search(source.data) is not None


FORMAT = Format(
    name="cloudformation",
    title="CloudFormation and SAM",
    tier="B",
    files=("*.yaml", "*.yml", "*.json", "*.template", "*.cfn", "*.cform"),
    positions=(
        "AWS::CodeBuild::Project: Environment.Image, inline BuildSpec",
        "AWS::ECS::TaskDefinition: ContainerDefinitions[].Image",
        "AWS::Batch::JobDefinition, AWS::Lightsail::Container, AWS::SageMaker::Model: containers",
        "AWS::AppRunner::Service: ImageRepository.ImageIdentifier; ImageUri of functions",
        "Ref and Sub of parameters with a default, If, FindInMap, Join",
        "UserData and cfn-init commands as shell scripts",
    ),
    gaps=(
        "parameters that another stack or a parameter file gives",
        "defaults of parameters with AllowedValues or AllowedPattern are reported, not moved",
        "transforms and macros other than SAM",
    ),
    order=35,
    needles=(b"aws::",),
    recognise=_recognise,
)

_IMAGES = re.compile(
    r"AWS::CodeBuild::Project:Environment\.Image"
    r"|AWS::AppRunner::Service:SourceConfiguration\.ImageRepository\.ImageIdentifier"
    r"|AWS::Lambda::Function:Code\.ImageUri|AWS::Serverless::Function:ImageUri"
    r"|[^.]*:(?:.*\.)?(?:ContainerDefinitions?|(?:Init|Primary)?Containers?|ContainerProperties)\.Image"
)
"""``Type:path`` of the properties that hold an image (CloudFormation resource reference, 2026-08)."""

_BUILDSPECS = re.compile(r"AWS::CodeBuild::Project:Source\.BuildSpec")
_SCRIPTS = re.compile(r"[^.]*:(?:.*\.)?UserData(?:\.Fn::Base64)?|[^.]*:AWS::CloudFormation::Init\..*\.commands\..*\.command")


class _At(Struct, frozen=True):
    """A value and the keys that lead to it inside its resource."""

    node: Node
    keys: tuple[str, ...]


def find(source: Source) -> Iterator[Finding]:
    """The images of every resource of a template, parameters followed to their defaults."""
    for document in parse(source.data):
        root = document.mapping(document.root)
        if root is not None and root.get("Resources") is not None:
            yield from _Reader(source, document, root).findings()


class _Reader:
    """Looks at one template."""

    def __init__(self, source: Source, document: Document, root: Mapping) -> None:
        self.source = source
        self.data = source.data
        self.document = document
        self.root = root
        self.template = Template(source.data, document, root)
        self._called: list[Span] = []

    def findings(self) -> Iterator[Finding]:
        found: list[Finding] = []
        resources = self.document.mapping(self.root.get("Resources"))
        for pair in resources.pairs if resources else ():
            resource = self.document.mapping(pair.value)
            if resource is not None:
                found += self._resource(pair.name or "", resource)
        yield from found
        spans = self._called + [one.span for one in found if isinstance(one, Found | Skipped)]
        spans += [part.span for one in found if isinstance(one, Found) for part in one.parts]
        yield from skip_mentions(self.data, self.root, _apart(spans), _explain)

    def _resource(self, name: str, resource: Mapping) -> Iterator[Finding]:
        type_ = resource.text("Type") or ""
        waiting = [_At(value, ()) for key in ("Properties", "Metadata") for value in self.document.lookup(resource, key)]
        visited: set[int] = set()
        while waiting:
            at = waiting.pop()
            node = self.document.resolve(at.node)
            if node is None or id(node) in visited:
                continue
            visited.add(id(node))
            path = ".".join(at.keys)
            taken = list(self._place(f"{type_}:{path}", node, f"{name}.{path}"))
            yield from taken
            if not taken:
                waiting.extend(reversed(list(self._children(_At(node, at.keys)))))

    def _children(self, at: _At) -> Iterator[_At]:
        called = self.template.function(at.node)
        if called and called[0] == "If":
            for option in self.template.options(at.node):
                yield _At(option, at.keys)
        elif isinstance(at.node, Sequence):
            yield from (_At(item, at.keys) for item in at.node.items)
        elif isinstance(at.node, Mapping):
            yield from (_At(pair.value, (*at.keys, pair.name or "")) for pair in self.document.pairs(at.node))

    def _place(self, place: str, node: Node, where: str) -> Iterator[Finding]:
        if _IMAGES.fullmatch(place):
            yield from self._images(node, where)
        elif _BUILDSPECS.fullmatch(place):
            text = self._text(node)
            if text is not None and b"phases" in text.mapped.data:
                from unhub.formats import buildspec

                yield from embedded(self.source, text.mapped, buildspec.find, where)
        elif _SCRIPTS.fullmatch(place):
            text = self._text(node)
            if text is not None:
                yield from shell(self.source, text.mapped, variables(text.mapped), where)

    def _text(self, node: Node) -> Scalar | None:
        """A text, whatever functions it is given to."""
        for _ in range(10):
            called = self.template.function(node)
            if called is None or isinstance(node, Scalar):
                break
            argument = self.document.resolve(called[1])
            items = argument.items if isinstance(argument, Sequence) else []
            if argument is None or argument is node:
                node = items[0] if items else node
                break
            node = items[0] if items and called[0] == "Sub" else argument
        return self.document.scalar(node)

    def _images(self, node: Node, where: str) -> Iterator[Found | Skipped]:
        if self.template.function(node):
            self._called.append(node.span)
        for option in self.template.options(node):
            spelling = self.template.spell(option)
            if spelling is None:
                continue
            text = decode(self.data[spelling.span.start : spelling.span.end])
            skip = spelling.skip or self._stays(spelling.node, text)
            if skip:
                yield Skipped(spelling.span, text, where, *skip, PulledBy.PLATFORM)
            else:
                yield _build.build(self.data, spelling.span, spelling.parts, where=where, pulled_by=PulledBy.PLATFORM)

    def _stays(self, node: Node, text: str) -> tuple[Class, str] | None:
        if "{{resolve:" in text:
            return Class.VARIABLE, "a dynamic reference, whose value is kept elsewhere"
        if node.anchor is not None and any(self.document.resolve(alias) is node for alias in self.document.aliases):
            return Class.CONFLICT, f"the anchor &{node.anchor} shares this value with other places; change it by hand"
        return None


def _apart(spans: list[Span]) -> Occupied:
    """Spans without those that lie inside another."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return Occupied(kept)


def _explain(mention: Mention) -> tuple[str, str] | None:
    """Why a text that looks like an image is reported only."""
    path = [key for key in mention.path if key != "[]"]
    if path[0] in ("Description", "Outputs", "Conditions", "Rules") or "Description" in path[-1:]:
        return None
    where = ".".join(path[1:]) or path[0]
    if path[0] == "Parameters":
        return (
            (where, "a parameter's default; it moves where a container uses it, else change it by hand") if path[-1] == "Default" else None
        )
    if not mention.whole:
        return where, "inside a longer text, which is not read here"
    return where, "no property that is known to hold a container image; change it by hand if it is pulled"
