"""The image positions of a Terraform file: resources, modules, and what else says that it is an image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats._container_definitions import definitions
from unhub.formats._embed import embedded
from unhub.formats._hcl.images import images, known_text, skipped
from unhub.formats._hcl.nodes import Call, Choice, Interpolation, Other, Template
from unhub.formats._hcl.values import Values, children, interpolation_span, shown_span
from unhub.formats._helm.fields import is_image_key, may_be_image
from unhub.formats._helm.set import nested, values_images
from unhub.formats._interpolated import pods, shell
from unhub.formats._interpolated import values as helm_values
from unhub.formats._template.mask import Region
from unhub.formats._terraform_values import Names, mapping
from unhub.formats._yaml.nodes import Document, Mapping, Node, Sequence
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Finding, Found, PulledBy, Skipped, Span
from unhub.image.reference import Reference
from unhub.image.source import Source

_IMAGES: tuple[tuple[re.Pattern[str], PulledBy], ...] = tuple(
    (re.compile(pattern), pulled_by)
    for pattern, pulled_by in (
        (r"aws_codebuild_project:environment\.image", PulledBy.PLATFORM),
        (r"[^:]*:(?:.*\.)?image_repository\.image_identifier", PulledBy.PLATFORM),
        (r"aws_lambda_function:image_uri", PulledBy.PLATFORM),
        (r"docker_(?:image|registry_image):name", PulledBy.BUILD),
        (r"docker_container:image", PulledBy.BUILD),
        (r"google_cloudbuild_trigger:build\.step\.name", PulledBy.PLATFORM),
        (r"[^:]*:(?:.*\.)?(?:init_|primary_)?[cC]ontainers?(?:_spec|_definitions?)?\.image", PulledBy.PLATFORM),
        (r"[^:]*:(?:.*\.)?(?:initC|ephemeralC|c)ontainers\.image", PulledBy.PLATFORM),
        (r"module:(?:.*\.)?container_definitions?\.[^.]+\.image", PulledBy.PLATFORM),
    )
)
"""``type:path`` of the arguments that hold one image (registry.terraform.io's providers, 2026-08), and who pulls it."""

_DEFINITIONS = re.compile(r"aws_ecs_task_definition:container_definitions|aws_batch_job_definition:(?:container|ecs|node)_properties")
_MANIFESTS = re.compile(r"kubectl_(?:manifest|server_version):yaml_body|kubernetes_manifest:manifest|kubectl_manifest:yaml_incluster")
_BUILDSPECS = re.compile(r"aws_codebuild_project:(?:secondary_)?sources?\.buildspec|module:buildspec")
_JOBS = re.compile(r"nomad_job:jobspec")
_SCRIPTS = re.compile(
    r"[^:]*:(?:.*\.)?(?:provisioner\.local-exec\.command|provisioner\.remote-exec\.inline|user_data(?:_base64)?|custom_data"
    r"|(?:metadata_)?startup_script|metadata\.(?:startup-script|user-data))"
)
_MODULE_IMAGE = re.compile(r"(?:.*_)?(?:build|container|docker|task|sidecar|codebuild)_image(?:_(?:name|uri|url))?")
_MACHINES = re.compile(
    r".*(?:_instance|_instance_template|_server|_droplet|_machine|_scale_set|_disk|_vm|_domain|_volume|_ami.*|_compute_.*)"
)


class _At(Struct, frozen=True):
    """A value with the keys that lead to it inside its block."""

    node: Node
    keys: tuple[str, ...]

    @property
    def path(self) -> str:
        return ".".join(self.keys)


class Terraform:
    """One file of a module, in either spelling."""

    def __init__(self, source: Source, document: Document) -> None:
        self.source = source
        self.data = source.data
        self.document = document
        self.root = mapping(document)
        self.values = Values(Names(source, self.root).lookup)

    def findings(self) -> Iterator[Finding]:
        """Everything found, in no special order."""
        found: list[Finding] = []
        unsure: list[Skipped] = []
        for kind in ("resource", "data", "ephemeral"):
            for type_, name, body in self._labelled(kind):
                found += self._block(type_, name, body, unsure)
        for name, body in self._named("module"):
            found += self._block("module", name, body, unsure)
        for name, body in self._named("variable"):
            default = body.get("default")
            unsure += self._mentions(_At(default, (name,)), f"variable.{name}", "the default of a variable") if default else ()
        for block in self.root.values("locals"):
            unsure += self._mentions(_At(block, ("locals",)), "locals", "a local value")
        for pair in self.root.pairs if self.source.name.lower().endswith(".tfvars") else ():
            unsure += self._mentions(_At(pair.value, (pair.name or "",)), pair.name or "", "the value of a variable")
        yield from found
        yield from _not_taken(unsure, found)

    def _named(self, kind: str) -> Iterator[tuple[str, Mapping]]:
        for block in self.root.values(kind):
            for pair in block.pairs if isinstance(block, Mapping) else ():
                for body in pair.value.items if isinstance(pair.value, Sequence) else [pair.value]:
                    if isinstance(body, Mapping):
                        yield pair.name or "", body

    def _labelled(self, kind: str) -> Iterator[tuple[str, str, Mapping]]:
        for type_, named in self._named(kind):
            for pair in named.pairs:
                for body in pair.value.items if isinstance(pair.value, Sequence) else [pair.value]:
                    if isinstance(body, Mapping):
                        yield type_, pair.name or "", body

    def _block(self, type_: str, name: str, body: Mapping, unsure: list[Skipped]) -> Iterator[Finding]:
        where = f"{type_}.{name}"
        if type_ == "helm_release":
            yield from self._helm(body, where)
            return
        waiting = [_At(body, ())]
        while waiting:
            at = waiting.pop()
            taken = list(self._place(type_, at, where, body))
            yield from taken
            if not taken:
                waiting.extend(reversed(list(self._children(at))))
        if _MACHINES.fullmatch(type_) is None:
            unsure += self._mentions(_At(body, ()), where, "an argument that is not known to hold one")

    def _children(self, at: _At) -> Iterator[_At]:
        if not isinstance(at.node, Mapping):
            yield from (_At(child, at.keys) for child in children(at.node))
            return
        for pair in at.node.pairs:
            name = pair.name or ""
            if name == "dynamic" and isinstance(pair.value, Mapping):
                for inner in pair.value.pairs:
                    content = inner.value.get("content") if isinstance(inner.value, Mapping) else None
                    yield _At(content or inner.value, (*at.keys, inner.name or ""))
            else:
                yield _At(pair.value, (*at.keys, name))

    def _place(self, type_: str, at: _At, where: str, body: Mapping) -> Iterator[Finding]:
        """What a value holds, if its place is one for images."""
        place, where = f"{type_}:{at.path}", f"{where}.{at.path}"
        if _DEFINITIONS.fullmatch(place):
            yield from definitions(self.source, self.values, at.node, where)
            return
        if not at.keys or isinstance(at.node, Sequence | Other):
            return
        pulled_by = next((by for pattern, by in _IMAGES if pattern.fullmatch(place)), None)
        if pulled_by and not isinstance(at.node, Mapping):
            yield from self._image(at.node, where, pulled_by, built=type_.startswith("docker_") and body.get("build") is not None)
        elif type_ == "module" and len(at.keys) == 1 and is_image_key(at.keys[-1]):
            yield from self._module_image(at, where)
        else:
            yield from self._embedded(place, at.node, where)

    def _image(self, node: Node, where: str, pulled_by: PulledBy, *, built: bool) -> Iterator[Finding]:
        if built:
            yield skipped(self.data, node, where, Class.BUILD_OUTPUT, "names what the build block makes, not what is pulled")
        else:
            yield from images(self.data, self.values, node, where, pulled_by)

    def _module_image(self, at: _At, where: str) -> Iterator[Finding]:
        """An input of a module that says it is an image, if its value leaves no doubt."""
        for option in self.values.options(at.node):
            text = known_text(self.values.parts(option)) or ""
            tagged = ":" in text.rpartition("/")[2] or "@" in text
            if may_be_image(text) and _is_reference(text) and (tagged or _MODULE_IMAGE.fullmatch(at.keys[-1])):
                yield from images(self.data, self.values, option, where, PulledBy.PLATFORM)

    def _embedded(self, place: str, node: Node, where: str) -> Iterator[Finding]:
        text = _text(node)
        if text is None:
            return
        variables = [span for one in text.interpolations if (span := interpolation_span(text.mapped, one.span))]
        if _MANIFESTS.fullmatch(place):
            yield from pods(self.source, text.mapped, variables, where)
        elif _BUILDSPECS.fullmatch(place) and b"phases" in text.mapped.data:
            from unhub.formats import buildspec

            yield from embedded(self.source, text.mapped, buildspec.find, where)
        elif _JOBS.fullmatch(place):
            yield from embedded(self.source, text.mapped, _job, where)
        elif _SCRIPTS.fullmatch(place):
            yield from shell(self.source, text.mapped, variables, where)

    def _helm(self, body: Mapping, where: str) -> Iterator[Finding]:
        """What a release hands to its chart: ``values``, ``set`` blocks, or a list of them."""
        pairs: list[tuple[str, Node]] = []
        for key in ("set", "set_sensitive", "dynamic"):
            for node in body.values(key):
                for item in _mappings(node):
                    name, value = item.get("name"), item.get("value")
                    text = known_text(self.values.parts(name)) if name is not None else None
                    if text and value is not None:
                        pairs.append((text, value))
        regions = [Region(*one.span) for _, value in pairs for one in _interpolations(value)]
        yield from values_images(self.source, self.document, nested(body, pairs), f"{where}.set", regions)
        for node in body.values("values"):
            for item in node.items if isinstance(node, Sequence) else [node]:
                yield from self._helm_values(item, f"{where}.values")

    def _helm_values(self, item: Node, where: str) -> Iterator[Finding]:
        text = _text(item)
        if isinstance(item, Mapping):
            regions = [Region(*one.span) for one in _interpolations(item)]
            yield from values_images(self.source, self.document, item, where, regions)
        elif text is not None and text.interpolations[:1] != () and _is_all(text):
            inner = text.interpolations[0].value
            if inner is not None:
                yield from self._helm_values(inner, where)
        elif text is not None:
            variables = [span for one in text.interpolations if (span := interpolation_span(text.mapped, one.span))]
            yield from helm_values(self.source, text.mapped, variables, where)

    def _mentions(self, top: _At, where: str, what: str) -> Iterator[Skipped]:
        """Literals whose name says that they are images, at places that are not known to be pulled."""
        waiting = [top]
        while waiting:
            at = waiting.pop()
            key = at.keys[-1] if at.keys else ""
            if isinstance(at.node, Template) and is_image_key(key) and not _is_variable_text(at.node):
                text = at.node.text.strip()
                if may_be_image(text) and _is_reference(text) and (":" in text or "/" in text):
                    path = ".".join(at.keys[1:] if where.endswith(at.keys[0]) else at.keys)
                    place = f"{where}.{path}" if path else where
                    reason = f"{what}; it moves where a place that is known to hold an image uses it, else change it by hand"
                    yield skipped(self.data, at.node, place, Class.VARIABLE, reason, pulled_by=None)
            waiting.extend(reversed(list(self._children(at))))


def _job(source: Source) -> Iterator[Finding]:
    """A Nomad job in HCL, whatever the file around it is called."""
    from unhub.formats import nomad

    yield from nomad.find(replace(source, path=source.beside("job.nomad")))


def _not_taken(unsure: list[Skipped], found: list[Finding]) -> Iterator[Skipped]:
    """Mentions that are no value of a finding already."""
    spans: set[Span] = set()
    for finding in found:
        spans.add(finding.span)
        if isinstance(finding, Found):
            spans |= {part.span for part in finding.parts if part.path is None}
    starts = {span.start for span in spans}
    yield from (skip for skip in unsure if skip.span.start not in starts)


def _text(node: Node) -> Template | None:
    """A text, or the one that a function such as ``base64encode`` or ``yamldecode`` is given."""
    if isinstance(node, Call) and len(node.arguments) == 1 and node.name in ("base64encode", "base64gzip", "yamldecode", "jsondecode"):
        node = node.arguments[0]
    return node if isinstance(node, Template) else None


def _is_all(text: Template) -> bool:
    """Whether a text is one interpolation and nothing else."""
    return len(text.interpolations) == 1 and text.interpolations[0].span == shown_span(text)


def _is_variable_text(text: Template) -> bool:
    return bool(text.interpolations)


def _mappings(node: Node) -> Iterator[Mapping]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            yield current
        elif isinstance(current, Sequence | Choice | Other | Call):
            waiting.extend(reversed(children(current)))


def _interpolations(node: Node) -> Iterator[Interpolation]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Template):
            yield from current.interpolations
        waiting.extend(children(current))


def _is_reference(text: str) -> bool:
    try:
        Reference.parse(text)
    except InvalidReference:
        return False
    return True
