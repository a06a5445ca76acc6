"""Compose files: docker compose's services, and what they build from."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from unhub.formats import _build
from unhub.formats._compose.build import Build
from unhub.formats._compose.services import Service, builds, is_built, is_compose, old_services, services
from unhub.formats._compose.values import Values
from unhub.formats._format import Format
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.mentions import Mention, Occupied, skip_mentions
from unhub.formats._yaml.parse import Alias, Document, Mapping, Node, Scalar, parse
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Declared, DeclaredKind, Finding, Found, PulledBy, Span
from unhub.image.source import Source

_NAMES = ("compose.y*ml", "compose.*.y*ml", "compose-*.y*ml", "*.compose.y*ml", "*docker-compose*.y*ml", "*docker-compose*.json")
_SERVICES_LINE = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?[\"']?services[\"']?[ \t]*:")


def _recognise(source: Source) -> bool:
    named = any(fnmatch.fnmatchcase(source.name.lower(), name) for name in _NAMES)
    if not named and b"services" not in source.data:
        return False
    try:
        documents = parse(source.data)
    except UnreadableError:
        # a broken file is Compose's only if its name says so; any other format may know better
        return named and (b"{{" not in source.data or _SERVICES_LINE.search(source.data) is not None)
    if any(is_compose(document) for document in documents):
        return True
    return named and any(services(document) or old_services(document) for document in documents)


FORMAT = Format(
    name="compose",
    title="Compose files",
    tier="A",
    files=("*.yaml", "*.yml", "*.json"),
    positions=(
        "services.*.image",
        "services.*.volumes[] of type image",
        "services.*.build.additional_contexts (docker-image://)",
        "services.*.build.args that a FROM of the Dockerfile uses",
        "services.*.build.cache_from",
        "services.*.build.dockerfile_inline",
        "defaults in ${NAME:-default}, and values in .env",
    ),
    gaps=(
        "an argument that is only the start of a name in a FROM is reported, not moved",
        "what the caller's environment or --env-file sets is not known",
        "several files given with -f are looked at one by one",
    ),
    order=40,
    needles=(b"image", b"build"),
    recognise=_recognise,
)


def find(source: Source) -> Iterator[Finding]:
    """The images of every service, and what else looks like an image."""
    for document in parse(source.data):
        found = services(document)
        if not found:
            found = old_services(document) if fnmatch.fnmatchcase(source.name.lower(), "*compose*") else []
        if found:
            yield from _Project(source, document, found).findings()


class _Project:
    """The services of one document."""

    def __init__(self, source: Source, document: Document, found: list[Service]) -> None:
        self.source = source
        self.document = document
        self.services = found
        self.values = Values(source)
        self.images = Images(source.data, document, self.values.parts)
        self.others: list[Finding] = []
        self.built = {service.where for service in found if is_built(source, document, service)}
        self.outputs = {} if source.settings.build_outputs else self._outputs()

    def findings(self) -> Iterator[Finding]:
        """Everything in the order of the file."""
        for service in self.services:
            self._service(service)
        self._store_fragments()
        found: list[Finding] = [*self.images.findings(), *self.others]
        taken = Occupied(finding.span for finding in found if not isinstance(finding, Declared))
        found += self._defaults(found)
        found += skip_mentions(self.source.data, self.document.root, taken, _explain)
        yield from sorted(dict.fromkeys(found), key=lambda finding: finding.span)

    def _outputs(self) -> dict[str, str]:
        """The names that services give to what they build, and which service does."""
        names: dict[str, str] = {}
        for service in self.services:
            for scalar in self._scalars(service, "image") if service.where in self.built else ():
                for name in (self.values.text(scalar), scalar.text.strip()):
                    if name:
                        names.setdefault(name, service.where)
        return names

    def _scalars(self, service: Service, key: str) -> Iterator[Scalar]:
        for node in self.document.lookup(service.mapping, key):
            scalar = self.document.scalar(node)
            if scalar is not None and not scalar.is_null:
                yield scalar

    def _service(self, service: Service) -> None:
        for node in self.document.lookup(service.mapping, "image"):
            self._image(service, node)
        for node in builds(self.document, service):
            build = Build(self.source, self.document, self.values, self.images, node, f"{service.where}.build")
            build.look()
            self.others += build.others
        for node in self.document.lookup(service.mapping, "volumes"):
            self._volumes(service, node)

    def _image(self, service: Service, node: Node) -> None:
        scalar = self.document.scalar(node)
        if scalar is None or scalar.is_null:
            return
        where = f"{service.where}.image"
        skip = self._kept(service, scalar)
        note = self.values.note(scalar, Span(0, len(scalar.mapped.data)))
        if service.where in self.built:
            note = note or "also the name of what is built here: the image that is built gets the new name"
            name = self.values.text(scalar)
            if skip and name:
                self.others.append(Declared(DeclaredKind.OUTPUT, name, scalar.content, where))
        self.images.add(Position(node, where, PulledBy.BUILD, note=note, skip=skip))

    def _kept(self, service: Service, scalar: Scalar) -> tuple[Class, str] | None:
        """Why an image is not pulled from a registry, or not in the first place (rule #53)."""
        policy = next((self.values.text(policy) for policy in self._scalars(service, "pull_policy")), None)
        if service.where in self.built and not self.source.settings.build_outputs:
            reason = "beside build it is the name of what is built"
            if policy in ("build", "never"):
                return Class.BUILD_OUTPUT, f"{reason}; with pull_policy: {policy} it is never pulled"
            tried = f"with pull_policy: {policy}" if policy else "without pull_policy"
            return Class.BUILD_OUTPUT, f"{reason}, though {tried} Compose tries to pull it first; build_outputs = true treats it as a pull"
        builder = self.outputs.get(self.values.text(scalar) or scalar.text.strip())
        if builder and service.where not in self.built:
            return Class.BUILD_OUTPUT, f"the name of what {builder} builds"
        if self.values.text(scalar) == "" and scalar.text:
            return Class.VARIABLE, f"nothing, unless {scalar.text.strip()} is set"
        if policy == "never":
            return Class.NO_TARGET, "pull_policy: never says that it is there already, under this name"
        return None

    def _volumes(self, service: Service, node: Node) -> None:
        volumes = self.document.sequence(node)
        for item in volumes.items if volumes else ():
            volume = self.document.mapping(item)
            if volume is None or volume.text("type") != "image":
                continue
            for image in self.document.lookup(volume, "source"):
                self.images.add(Position(image, f"{service.where}.volumes[{volume.text('target') or ''}].source", PulledBy.BUILD))

    def _store_fragments(self) -> None:
        """What stands in ``x-…`` is only used where an alias or a merge key takes it (rule #46)."""
        root = self.document.mapping(self.document.root)
        fragments = [pair.value for pair in root.pairs if (pair.name or "").startswith("x-")] if root else []
        waiting: list[Node] = fragments
        while waiting:
            node = waiting.pop()
            if isinstance(node, Scalar | Alias):
                self.images.store(node)
            elif isinstance(node, Mapping):
                waiting.extend(pair.value for pair in node.pairs)
            elif isinstance(node, List):
                waiting.extend(node.items)

    def _defaults(self, found: list[Finding]) -> Iterator[Finding]:
        """The defaults that a ``.env`` overrides: where there is none, they are what is pulled (rule #55)."""
        if not self.values.dotenv:
            return
        done = {finding.span for finding in found if isinstance(finding, Found)}
        for position in self.images.positions:
            scalar = self.document.scalar(position.node)
            if scalar is None or position.skip or b"$" not in scalar.mapped.data:
                continue
            inner = position.within or Span(0, len(scalar.mapped.data))
            parts = self.values.defaults.parts(scalar, inner)
            usual = self.values.parts(scalar, inner)
            first = next((part for part in parts if part not in usual), None)
            if first is None or not first.known or first.span in done or not self.values.comes_from_dotenv(scalar, inner):
                continue
            done.add(first.span)
            where = f"{position.where} (default)"
            yield _build.build(
                self.source.data, first.span, parts, where=where, pulled_by=PulledBy.BUILD, note=self.values.defaults.note(scalar, inner)
            )


def _explain(mention: Mention) -> tuple[str, str] | None:
    """Why a text that looks like an image is none that Compose pulls."""
    path = mention.path
    if path[0].startswith("x-"):
        return mention.dotted, "in a fragment, at a place that no service uses"
    if "environment" in path:
        return mention.dotted, "the value of an environment variable, which Compose does not pull"
    if "args" in path:
        return mention.dotted, "an argument that no FROM of the Dockerfile is seen to use"
    if "command" in path or "entrypoint" in path:
        return mention.dotted, "an argument of a command, which Compose does not pull"
    return mention.dotted, "no image position of Compose"
