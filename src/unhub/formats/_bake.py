"""The targets of a bake file: what they start from, what they are called, what they inherit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._bake_dockerfile import inline_findings
from unhub.formats._build_arguments import LIKELY_IMAGE, Use, is_stage, use_in
from unhub.formats._hcl.images import images, known_text, skipped, starts_with
from unhub.formats._hcl.nodes import Call, Other, Reference, Template
from unhub.formats._hcl.values import Value, Values, children, is_empty
from unhub.formats._lazy import lazy
from unhub.formats._text import Mapped, Piece, decode
from unhub.formats._yaml.nodes import Document, Mapping, Node, Pair, Scalar, Sequence
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Declared, DeclaredKind, Finding, PulledBy, Skipped, Span
from unhub.image.reference import Reference as ImageReference
from unhub.image.source import Source

_SCHEME = "docker-image://"
_SCRATCH = (Class.STAGE, "scratch is an empty image that is never pulled")
_NAMED = (Class.BUILD_OUTPUT, "a name that is given to what is built, not a pull")
_FIELD = {name: re.compile(rb"(?:^|,)[ \t]*\"?" + name.encode() + rb"=([^,\"]*)") for name in ("type", "ref", "name")}
_REMOTE = re.compile(r"[a-z+]+://|git@|github\.com/|[^/]*\.git(?:#|$)")
_DEPTH_MAX = 20


class Target(Struct):
    """A target: its name and the bodies that were written for it, one after another."""

    name: str
    bodies: list[Mapping]

    def lookup(self, key: str) -> Iterator[Node]:
        """Every value of a key."""
        return (value for body in self.bodies for value in body.values(key))


class Bake:
    """One bake file, HCL or JSON."""

    def __init__(self, source: Source, document: Document) -> None:
        self.source = source
        self.root = document.root if isinstance(document.root, Mapping) else Mapping(span=Span(0, 0), pairs=[])
        self.targets = self._targets()

    def findings(self) -> Iterator[Finding]:
        """Everything found, in no special order."""
        for target in self.targets.values():
            yield from _Reader(self, target).findings()

    def _targets(self) -> dict[str, Target]:
        targets: dict[str, Target] = {}
        for block in self.root.values("target"):
            for pair in block.pairs if isinstance(block, Mapping) else ():
                bodies = pair.value.items if isinstance(pair.value, Sequence) else [pair.value]
                target = targets.setdefault(pair.name or "", Target(pair.name or "", []))
                target.bodies += [body for body in bodies if isinstance(body, Mapping)]
        return targets

    @lazy
    def variables(self) -> dict[str, Node]:
        """The defaults of variables, and other attributes at the top, which are variables too."""
        found = {pair.name or "": pair.value for pair in self.root.pairs if not isinstance(pair.value, Mapping)}
        for block in self.root.values("variable"):
            for pair in block.pairs if isinstance(block, Mapping) else ():
                default = pair.value.get("default") if isinstance(pair.value, Mapping) else None
                if default is not None:
                    found[pair.name or ""] = default
        return found

    def line_of(self, name: str) -> list[Target]:
        """A target and everything it inherits from, the nearest first."""
        line: list[Target] = []
        waiting = [name]
        while waiting and len(line) < _DEPTH_MAX:
            target = self.targets.get(waiting.pop())
            if target is not None and target not in line:
                line.append(target)
                waiting += [node.text for node in target.lookup("inherits") for node in _texts(node)]
        return line

    @lazy
    def heirs(self) -> dict[str, list[str]]:
        """For each target its own name and the names of those that inherit from it."""
        heirs: dict[str, list[str]] = {name: [] for name in self.targets}
        for name in self.targets:
            for ancestor in self.line_of(name):
                heirs[ancestor.name].append(name)
        return heirs


class _Reader:
    """Looks at one target."""

    def __init__(self, bake: Bake, target: Target) -> None:
        self.bake = bake
        self.data = bake.source.data
        self.target = target
        self.where = f"target.{target.name}"
        self.matrix = {pair.name or "": pair.value for node in target.lookup("matrix") for pair in _pairs(node)}
        self.values = Values(self._lookup)

    def findings(self) -> Iterator[Finding]:
        for node in self.target.lookup("dockerfile-inline"):
            for text in _texts(node):
                yield from inline_findings(self.bake.source, text, self.values, f"{self.where}.dockerfile-inline")
        for pair in self._all_pairs("contexts"):
            yield from self._context(pair)
        for pair in self._all_pairs("args"):
            yield from self._argument(pair)
        for key in ("tags", "cache-to", "output", "cache-from"):
            for node in self.target.lookup(key):
                yield from self._names(key, node)

    def _lookup(self, name: str) -> Value | None:
        node = self.bake.variables.get(name) if name not in self.matrix else None
        return Value(node) if node is not None else None

    def _all_pairs(self, key: str) -> Iterator[Pair]:
        for node in self.target.lookup(key):
            yield from self._mapping_pairs(node)

    def _mapping_pairs(self, node: Node, depth: int = 0) -> Iterator[Pair]:
        """The pairs of a mapping, of both mappings of a condition, or of all that ``merge`` puts together."""
        if depth > _DEPTH_MAX:
            return
        for option in self.values.options(node):
            value = self.values.resolve(option)
            if isinstance(option, Call) and option.name == "merge":
                for inner in option.arguments:
                    yield from self._mapping_pairs(inner, depth + 1)
            elif value is not None:
                yield from _pairs(value.node)

    def _each(self, node: Node) -> Iterator[Node]:
        """The values that an expression may have; a key of the matrix has every value of its list."""
        for option in self.values.options(node):
            first, _, rest = option.name.partition(".") if isinstance(option, Reference) else ("", "", "")
            if first in self.matrix:
                for item in _items(self.matrix[first]):
                    value = item.get(rest) if rest and isinstance(item, Mapping) else item
                    if value is not None:
                        yield value
            else:
                yield option

    def _context(self, pair: Pair) -> Iterator[Finding]:
        name, where = pair.name or "", f"{self.where}.contexts.{pair.name}"
        inline = [self.bake.source.path for _ in self._inline_dockerfiles][:1]
        yield Declared(DeclaredKind.CONTEXT, name, pair.key.span, where, (*self._dockerfiles, *inline))
        for option in self._each(pair.value):
            parts = self.values.parts(option)
            if not starts_with(parts, _SCHEME):
                continue
            if known_text(parts) == f"{_SCHEME}scratch":
                yield skipped(self.data, option, where, *_SCRATCH)
            else:
                yield from images(self.data, self.values, option, where, PulledBy.BUILD, scheme=_SCHEME)

    def _argument(self, pair: Pair) -> Iterator[Finding]:
        """An argument takes the place of an ``ARG``'s default, in the Dockerfile of every target that inherits it."""
        name, where = pair.name or "", f"{self.where}.args.{pair.name}"
        if name == "BUILDKIT_SYNTAX":
            for option in self._each(pair.value):
                yield from images(self.data, self.values, option, where, PulledBy.BUILD)
            return
        dockerfiles: list[bytes | None] = [text.mapped.data for text in self._inline_dockerfiles]
        dockerfiles += [self.bake.source.read(path) for path in self._dockerfiles]
        uses = {use_in(data, name): data for data in dockerfiles or [None]}
        for option in self._each(pair.value):
            text = known_text(self.values.parts(option))
            if is_empty(option) or text == "":
                continue
            if Use.WHOLE in uses and text and is_stage(uses[Use.WHOLE], text):
                yield skipped(self.data, option, where, Class.STAGE, "names a stage of the Dockerfile")
            elif Use.WHOLE in uses and text == "scratch":
                yield skipped(self.data, option, where, *_SCRATCH)
            elif Use.WHOLE in uses:
                yield from images(self.data, self.values, option, where, PulledBy.BUILD)
            elif Use.PREFIX in uses:
                reason = "starts the name in a FROM of the Dockerfile; where that is Docker Hub's, change it by hand together with the name"
                yield skipped(self.data, option, where, Class.VARIABLE, reason)
            elif Use.UNKNOWN in uses and LIKELY_IMAGE.fullmatch(name) and _is_reference(text):
                reason = "an argument of a Dockerfile that cannot be read here; if a FROM uses it, change it by hand"
                yield skipped(self.data, option, where, Class.VARIABLE, reason)

    @lazy
    def _inline_dockerfiles(self) -> list[Template]:
        found: list[Template] = []
        for heir in self.bake.heirs[self.target.name]:
            nearest = next((node for target in self.bake.line_of(heir) for node in target.lookup("dockerfile-inline")), None)
            found += _texts(nearest) if nearest is not None else ()
        return found

    @lazy
    def _dockerfiles(self) -> list[str]:
        """The paths of the Dockerfiles that this target and its heirs build."""
        paths: list[str] = []
        for heir in self.bake.heirs[self.target.name]:
            line = self.bake.line_of(heir)
            found = [next((node for target in line for node in target.lookup(key)), None) for key in ("context", "dockerfile")]
            context, name = (self._text(node, default) for node, default in zip(found, (".", "Dockerfile"), strict=True))
            if any(True for target in line for _ in target.lookup("dockerfile-inline")):
                continue
            if context and name and not _REMOTE.match(context) and not context.startswith("/") and not name.startswith("/"):
                paths.append(self.bake.source.beside(f"{context}/{name}"))
        return list(dict.fromkeys(paths))

    def _text(self, node: Node | None, default: str) -> str | None:
        return default if node is None else known_text(self.values.parts(node))

    def _names(self, key: str, node: Node) -> Iterator[Finding]:
        """Tags, caches and outputs (rule #72); a cache is pulled from what ``cache-from`` names."""
        where = f"{self.where}.{key}"
        for text in _texts(node):
            inner = _named(text, key)
            if inner is None or inner.start == inner.end:
                continue
            span = text.mapped.outer(inner)
            if key != "cache-from":
                yield Skipped(span, decode(self.data[span.start : span.end]), where, *_NAMED, PulledBy.BUILD)
                name = known_text(self.values.parts(text, inner))
                if key == "tags" and name and _is_reference(name):
                    yield Declared(DeclaredKind.OUTPUT, name, span, where)
            else:
                part = Template(
                    span=text.span, data=text.data, style=text.style, unquoted=_cut(text.mapped, inner), interpolations=text.interpolations
                )
                yield from images(self.data, self.values, part, where, PulledBy.BUILD)


def _cut(text: Mapped, inner: Span) -> Mapped:
    """A piece of a text as a text of its own."""
    pieces = tuple(
        Piece(run.start - inner.start, outer.start, run.end - run.start, literal, outer.end - outer.start)
        for run, outer, literal in text.spans(inner)
    )
    return Mapped(text.data[inner.start : inner.end], pieces)


def _named(text: Template, key: str) -> Span | None:
    """Where a tag, cache or output names an image: all of it, or ``ref`` or ``name`` among options."""
    data = text.mapped.data
    if key == "tags":
        return Span(0, len(data))
    kind = _FIELD["type"].search(data)
    if kind is None and b"=" not in data:
        return Span(0, len(data)) if key in ("cache-from", "cache-to") else None
    field = _FIELD["ref" if key.startswith("cache") else "name"].search(data)
    wanted = (b"registry",) if key.startswith("cache") else (b"image", b"registry", b"docker", b"oci")
    return Span(*field.span(1)) if field and kind and kind[1].strip() in wanted else None


def _pairs(node: Node) -> list[Pair]:
    return node.pairs if isinstance(node, Mapping) else []


def _items(node: Node) -> list[Node]:
    return node.items if isinstance(node, Sequence) else [node]


def _texts(node: Node) -> Iterator[Template]:
    """Every text in a value, in its order, whatever functions and conditions stand around it.

    Of a mapping (a cache with ``type`` and ``ref`` of its own) the text of ``ref`` or ``name``.
    """
    waiting: list[Node] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Template):
            yield current
        elif isinstance(current, Mapping):
            named = current.get("ref") or current.get("name")
            waiting += [named] if named is not None else []
        elif isinstance(current, Sequence | Call | Other) or not isinstance(current, Scalar):
            waiting.extend(reversed(children(current)))


def _is_reference(text: str | None) -> bool:
    try:
        ImageReference.parse(text or "")
    except InvalidReference:
        return False
    return True
