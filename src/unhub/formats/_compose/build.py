"""The ``build`` section of a service: contexts, arguments, caches, tags, a Dockerfile inside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from unhub.formats import dockerfile
from unhub.formats._build_arguments import LIKELY_IMAGE, Use, is_stage, use_in
from unhub.formats._compose.values import Values
from unhub.formats._embed import embedded
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar, Sequence
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Declared, DeclaredKind, Finding, PulledBy, Span
from unhub.image.reference import Reference
from unhub.image.source import Source

_IMAGE_CONTEXT = "docker-image://"
_REMOTE = re.compile(r"[a-z+]+://|git@|github\.com/|[^/]*\.git(?:#|$)")
_REFERENCE_FIELD = re.compile(rb"(?:^|,)[ \t]*\"?ref=([^,\"]*)")
_TYPE_FIELD = re.compile(rb"(?:^|,)[ \t]*\"?type=([^,\"]*)")


class Item(Struct, frozen=True):
    """An entry of a list or a mapping: ``name`` and where its value stands in ``scalar``."""

    name: str
    name_span: Span
    node: Node
    scalar: Scalar | None
    within: Span


class Build(Struct):
    """One ``build`` section. ``where`` names it (``services.web.build``)."""

    source: Source
    document: Document
    values: Values
    images: Images
    node: Node
    where: str
    others: list[Finding] = field(default_factory=list)

    def look(self) -> None:
        """Note the images of the section in ``images``, and everything else in ``others``."""
        section = self.node if isinstance(self.node, Mapping) else None
        if section is None:
            return
        inline = [scalar for node in self.document.lookup(section, "dockerfile_inline") if (scalar := self.document.scalar(node))]
        for scalar in inline:
            found = embedded(self.source, self.values.mapped(scalar), dockerfile.find, f"{self.where}.dockerfile_inline")
            self.others.extend(found)
        path = None if inline else self._dockerfile_path(section)
        text = self.values.mapped(inline[-1]).data if inline else self.source.read(path) if path else None
        self._each(section, "additional_contexts", lambda item: self._context(item, self.source.path if inline else path))
        self._each(section, "args", lambda item: self._argument(item, text))
        self._list(section, "cache_from", self._cache)
        self._list(section, "cache_to", self._output)
        self._list(section, "tags", self._output)

    def _dockerfile_path(self, section: Mapping) -> str | None:
        context_node, file_node = section.get("context"), section.get("dockerfile")
        context = self.values.text(self.document.scalar(context_node)) if context_node else "."
        name = self.values.text(self.document.scalar(file_node)) if file_node else "Dockerfile"
        if not context or not name or _REMOTE.match(context) or context.startswith(("/", "~")) or name.startswith("/"):
            return None
        return self.source.beside(f"{context}/{name}")

    def _each(self, section: Mapping, key: str, use: Callable[[Item], None]) -> None:
        for node in self.document.lookup(section, key):
            value = self.document.resolve(node)
            if isinstance(value, Mapping):
                for item in self._of_mapping(value):
                    use(item)
            elif isinstance(value, Sequence):
                for item in self._of_sequence(value):
                    use(item)

    def _of_mapping(self, mapping: Mapping) -> Iterator[Item]:
        for pair in self.document.pairs(mapping):
            scalar = self.document.scalar(pair.value)
            within = Span(0, len(scalar.mapped.data)) if scalar else Span(0, 0)
            yield Item(pair.name or "", pair.key.span, pair.value, None if scalar and scalar.is_null else scalar, within)

    def _of_sequence(self, sequence: Sequence) -> Iterator[Item]:
        for node in sequence.items:
            scalar = self.document.scalar(node)
            if scalar is None:
                continue
            text = scalar.mapped.data
            name, equals, _ = text.partition(b"=")
            name_span = scalar.mapped.outer(Span(0, len(name)))
            within = Span(len(name) + 1, len(text))
            yield Item(name.decode("utf-8", "replace").strip(), name_span, node, scalar if equals else None, within)

    def _list(self, section: Mapping, key: str, use: Callable[[Node, Scalar, str], None]) -> None:
        for node in self.document.lookup(section, key):
            sequence = self.document.sequence(node)
            for item in sequence.items if sequence else [node]:
                scalar = self.document.scalar(item)
                if scalar is not None:
                    use(item, scalar, f"{self.where}.{key}")

    def _context(self, item: Item, dockerfile_path: str | None) -> None:
        where = f"{self.where}.additional_contexts.{item.name}"
        scope = (dockerfile_path,) if dockerfile_path else ()
        self.others.append(Declared(DeclaredKind.CONTEXT, item.name, item.name_span, where, scope))
        if item.scalar is None:
            return
        text = item.scalar.mapped.data[item.within.start : item.within.end].strip()
        if text.lower().startswith(_IMAGE_CONTEXT.encode()):
            skip = (Class.STAGE, "scratch is an empty image that is never pulled") if text[len(_IMAGE_CONTEXT) :] == b"scratch" else None
            self._add(item, where, skip, scheme=_IMAGE_CONTEXT)
        elif (self._text(item) or "").startswith(_IMAGE_CONTEXT):
            self._add(item, where, (Class.VARIABLE, "docker-image:// itself stands in a variable"))

    def _text(self, item: Item) -> str | None:
        parts = self.values.parts(item.scalar, item.within) if item.scalar else ()
        return "".join(part.text for part in parts) if all(part.known for part in parts) else None

    def _add(self, item: Item, where: str, skip: tuple[Class, str] | None = None, *, scheme: str = "", note: str | None = None) -> None:
        self.images.add(Position(item.node, where, PulledBy.BUILD, strip_scheme=scheme, within=item.within, skip=skip, note=note))

    def _argument(self, item: Item, text: bytes | None) -> None:
        """A build argument takes the place of the default of an ``ARG``: where a ``FROM`` uses it, it is what is pulled."""
        if item.scalar is None:
            return
        where, use = f"{self.where}.args.{item.name}", use_in(text, item.name)
        value = self._text(item)
        if use is Use.WHOLE:
            skip = (Class.STAGE, "names a stage of the Dockerfile") if value and is_stage(text, value) else None
            skip = skip or ((Class.STAGE, "scratch is an empty image that is never pulled") if value == "scratch" else None)
            self._add(item, where, skip)
        elif use is Use.PREFIX:
            reason = "starts the name in a FROM of the Dockerfile; where that is Docker Hub's, change it by hand together with the name"
            self._add(item, where, (Class.VARIABLE, reason))
        elif use is Use.UNKNOWN and LIKELY_IMAGE.fullmatch(item.name) and _is_reference(value):
            reason = "an argument of a Dockerfile that cannot be read here; if a FROM uses it, change it by hand"
            self._add(item, where, (Class.VARIABLE, reason))

    def _cache(self, node: Node, scalar: Scalar, where: str) -> None:
        within = _cached(scalar)
        if within is not None:
            self.images.add(Position(node, where, PulledBy.BUILD, within=within))

    def _output(self, node: Node, scalar: Scalar, where: str) -> None:
        within = _cached(scalar)
        if within is None:
            return
        skip = (Class.BUILD_OUTPUT, "a name that is given to what is built, not a pull")
        self.images.add(Position(node, where, PulledBy.BUILD, within=within, skip=skip))
        text = self.values.text(scalar)
        if where.endswith(".tags") and text:
            self.others.append(Declared(DeclaredKind.OUTPUT, text, scalar.content, where))


def _cached(scalar: Scalar) -> Span | None:
    """Where a cache or output names an image: it is a reference, or ``type=registry,ref=…``."""
    data = scalar.mapped.data
    if b"=" not in data:
        return Span(0, len(data))
    kind, reference = _TYPE_FIELD.search(data), _REFERENCE_FIELD.search(data)
    return Span(*reference.span(1)) if reference and kind and kind[1].strip() == b"registry" else None


def _is_reference(text: str | None) -> bool:
    try:
        Reference.parse(text or "")
    except InvalidReference:
        return False
    return True
