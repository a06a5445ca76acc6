"""From the fields of an image in Helm values to a finding (rules #46, #50, #51)."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._helm.chart import Chart
from unhub.formats._helm.fields import is_set, may_be_image
from unhub.formats._helm.walk import ImageAt, PrefixAt, TextAt, dotted
from unhub.formats._lazy import lazy
from unhub.formats._template.mask import Masked
from unhub.formats._text import decode
from unhub.formats._yaml.parse import Alias, Document, Empty, Mapping, Node, Pair, Scalar
from unhub.image.found import Class, Found, Part, PulledBy, Role, Safety, Skipped, Span
from unhub.image.source import Source

_FRACTION = re.compile(r"[0-9]+\.[0-9]*0")
_LONG = re.compile(r"[1-9][0-9]{6,}")
_STORE = re.compile(r"(?i)x-.*|[._].*|anchors|aliases|definitions")
_HEX = re.compile(r"[0-9a-f]{64}")


def trimmed(scalar: Scalar) -> Span:
    """The inner span of a scalar's value without blanks around it."""
    text = scalar.mapped.data
    start = len(text) - len(text.lstrip())
    return Span(start, max(start, len(text.rstrip())))


class _Use(Struct, frozen=True):
    """One place of use: its span, the nodes that give its name and registry as written, and its parts."""

    span: Span
    where: str
    nodes: tuple[Node, ...]
    parts: tuple[Part, ...]
    note: str | None = None
    alias: Alias | None = None
    key: str | None = None


class ValuesImages:
    """Collects the images of one document of values and turns them into findings."""

    def __init__(self, source: Source, masked: Masked, document: Document, chart: Chart, where: str = "") -> None:
        self.source = source
        self.masked = masked
        self.document = document
        self.chart = chart
        self.where = where
        self.uses: list[_Use] = []
        self.prefixes: list[PrefixAt] = []
        self._blocked: dict[Span, str | None] = {}

    def place(self, where: str) -> str:
        """The name of a place of this document in the whole file."""
        return f"{self.where}.{where}" if self.where else where

    def text(self, at: TextAt) -> None:
        """Note a text that is a whole reference."""
        self._whole(at.place.node, at.place.where)

    def image(self, at: ImageAt) -> None:
        """Note an image spelled by fields: every pair that gives its name is one."""
        names = at.group.names
        for number, pair in enumerate(names):
            where = at.place.where
            if at.group.key or not where:
                where = f"{where}.{pair.name}" if where else str(pair.name)
            scalar = self.document.scalar(pair.value)
            if scalar is None or not may_be_image(scalar.text.strip()):
                continue
            if not at.group.is_split(pair):
                self._whole(pair.value, where)
            else:
                self._split(at, pair, scalar, where, number)
        if not names:
            self._overlay(at)

    def _whole(self, node: Node, where: str) -> None:
        scalar = self.document.scalar(node)
        if scalar is None or not may_be_image(scalar.text.strip()):
            return
        parts = self._parts(scalar, Role.TEXT)
        alias = node if isinstance(node, Alias) else None
        inner = scalar.mapped.outer(trimmed(scalar))
        if alias and self._is_stored(scalar):
            self.uses.append(_Use(inner, where, (scalar,), tuple(parts)))
        self.uses.append(_Use(alias.span if alias else inner, where, (node,), tuple(parts), alias=alias))

    def _is_stored(self, scalar: Scalar) -> bool:
        """Whether an anchored value merely waits for its aliases, under a top-level key made for that."""
        at = bisect.bisect_right(self._stores, scalar.span.start, key=lambda span: span.start) - 1
        return at >= 0 and scalar.span.start < self._stores[at].end

    def _split(self, at: ImageAt, pair: Pair, scalar: Scalar, where: str, number: int) -> None:
        count = len(at.group.names)
        registry, tag, digest = (at.group.get(name, number, count) for name in ("registry", "tag", "digest"))
        parts = self._registry(registry.value) if registry else self._registry_below(at)
        parts = [*parts, *self._parts(scalar, Role.REPOSITORY), *self._suffix(tag, digest)]
        nodes = (pair.value, registry.value) if registry else (pair.value,)
        span = scalar.mapped.outer(trimmed(scalar))
        if isinstance(pair.value, Alias):
            span = pair.value.span
        elif not at.mapping.span.start <= span.start < at.mapping.span.end:
            span = next((node.span for node in at.mapping.values("<<")), at.mapping.span)
        self.uses.append(
            _Use(span, where, nodes, tuple(parts), self._note(scalar, tag, digest), key=dotted((*at.place.path, str(pair.name))))
        )

    def _overlay(self, at: ImageAt) -> None:
        """An image whose name stands in a file below: here it gets another registry, tag or digest."""
        given = [pair for name in ("registry", "tag", "digest") if (pair := at.group.get(name)) and is_set(pair.value)]
        scalar = self.document.scalar(given[0].value) if given else None
        if scalar is None:
            return
        span = given[0].value.span if isinstance(given[0].value, Alias) else scalar.mapped.outer(trimmed(scalar))
        registry, tag, digest = (at.group.get(name) for name in ("registry", "tag", "digest"))
        for below in self.chart.below(at.place.path, at.group.key):
            name = pair.value if (pair := below.group.get("repository")) else None
            base = below.document.scalar(name)
            if base is None or "repository" not in below.group.fields:
                continue
            parts = self._registry(registry.value) if registry else self._registry_below(at)
            theirs = _roles(below.masked.parts(base.mapped, trimmed(base)), Role.REPOSITORY, below.path)
            parts = [*parts, *theirs, *self._suffix(tag, digest)]
            nodes = (registry.value,) if registry else ()
            note = f"the repository stands in {below.path}"
            self.uses.append(_Use(span, f"{at.place.where}.{given[0].name}", nodes, tuple(parts), note))
            return

    def _registry(self, node: Node) -> list[Part]:
        resolved = self.document.resolve(node)
        quote = b'"' if self.source.name.lower().endswith(".json") else b""
        if resolved is None or isinstance(resolved, Empty):
            return [Part("", (resolved or node).span, Role.REGISTRY, before=b" " + quote, after=quote)]
        if not isinstance(resolved, Scalar):
            return []
        if not is_set(resolved):
            quote = quote if resolved.style == "plain" else b""
            return [Part("", resolved.content, Role.REGISTRY, before=quote, after=quote)]
        inner = trimmed(resolved)
        text = resolved.mapped.data[inner.start : inner.end]
        return self._parts(resolved, Role.REGISTRY, Span(inner.start, inner.start + len(text.rstrip(b"/"))))

    def _registry_below(self, at: ImageAt) -> list[Part]:
        """The registry that a file below gives and this one leaves as it is."""
        for below in self.chart.below(at.place.path, at.group.key):
            pair = below.group.get("registry")
            scalar = below.document.scalar(pair.value) if pair else None
            if scalar is not None and is_set(scalar):
                return _roles(below.masked.parts(scalar.mapped, trimmed(scalar)), Role.REGISTRY, below.path)
        return []

    def _suffix(self, tag: Pair | None, digest: Pair | None) -> list[Part]:
        parts: list[Part] = []
        scalar = self.document.scalar(tag.value) if tag else None
        if scalar is not None and is_set(scalar):
            parts += self._parts(scalar, Role.TAG)
        scalar = self.document.scalar(digest.value) if digest else None
        if scalar is not None and is_set(scalar):
            found = self._parts(scalar, Role.DIGEST)
            if len(found) == 1 and _HEX.fullmatch(found[0].text):
                found = [replace(found[0], text=f"sha256:{found[0].text}", literal=False)]
            parts += found
        return parts

    def _parts(self, scalar: Scalar, role: Role, inner: Span | None = None) -> list[Part]:
        return _roles(self.masked.parts(scalar.mapped, inner or trimmed(scalar)), role)

    def _note(self, name: Scalar, tag: Pair | None, digest: Pair | None) -> str | None:
        scalar = self.document.scalar(tag.value) if tag else None
        if scalar is not None and scalar.style == "plain" and (rendered := _as_number(scalar.text)):
            return f"the tag {scalar.text} is a number without quotes, which Helm renders as {rendered}"
        given = any(pair and is_set(self.document.resolve(pair.value)) for pair in (tag, digest))
        if given or ":" in name.text.rpartition("/")[2] or "@" in name.text:
            return None
        return "no tag is set here, so the chart's default applies, often its appVersion"

    def findings(self) -> Iterator[Found | Skipped]:
        """What was collected: one finding a place of use, and one a registry that stands for all."""
        used = {node.span for use in self.uses for node in use.nodes}
        prefix = self.prefixes[0] if self.prefixes else None
        seen: set[Span] = set()
        for use in sorted(self.uses, key=lambda use: use.span):
            if use.span in seen:
                continue
            seen.add(use.span)
            yield self._finding(use, used, prefix)
        for at in self.prefixes:
            span = at.scalar.mapped.outer(trimmed(at.scalar))
            reason = "may take the place of the registry of every image, or be put before it; change it by hand, with the repositories"
            yield Skipped(span, self._shown(span), self.place(at.place.where), Class.CONFLICT, reason, PulledBy.PLATFORM)

    def _finding(self, use: _Use, used: set[Span], prefix: PrefixAt | None) -> Found | Skipped:
        if use.alias is not None:
            scalar = self.document.scalar(use.alias)
            line = self._line(scalar.span.start if scalar else 0)
            reason = f"takes its value from the anchor &{use.alias.name}, line {line}"
            if scalar is None or scalar.span in used:
                return Skipped(use.span, self._shown(use.span), self.place(use.where), Class.VARIABLE, reason, PulledBy.PLATFORM)
        where, data = self.place(use.where), self.masked.original
        found = _build.build(data, use.span, use.parts, where=where, pulled_by=PulledBy.PLATFORM, note=use.note)
        if not isinstance(found, Found):
            return found
        found = replace(found, values_key=use.key or where)
        if prefix is not None:
            note = f"{prefix.place.where} is set at line {self._line(prefix.scalar.span.start)}, and may take the place of this registry"
            return replace(found, safety=Safety.SHOWN, note=note)
        shared = next((reason for node in use.nodes if (reason := self._shared(node, used))), None)
        return replace(found, safety=Safety.SHOWN, note=shared) if shared else found

    def _shared(self, node: Node, used: set[Span]) -> str | None:
        """Why an anchored value cannot be changed for the sake of this use (rule #46)."""
        scalar = self.document.resolve(node)
        if scalar is None or scalar.anchor is None:
            return None
        if scalar.span not in self._blocked:
            others = [scalar, *self._aliases.get(scalar.span, [])]
            other = next((node for node in others if node.span not in used), None)
            line = self._line(other.span.start) if other else 0
            reason = f"the anchor &{scalar.anchor} is also used at line {line}, which is no image position"
            self._blocked[scalar.span] = reason if other else None
        return self._blocked[scalar.span]

    @lazy
    def _aliases(self) -> dict[Span, list[Alias]]:
        """The aliases of each anchored node."""
        aliases: dict[Span, list[Alias]] = {}
        for alias in self.document.aliases:
            node = self.document.resolve(alias)
            if node is not None:
                aliases.setdefault(node.span, []).append(alias)
        return aliases

    @lazy
    def _stores(self) -> list[Span]:
        """The values of top-level keys that are there to hold anchors."""
        root = self.document.root
        pairs = root.pairs if isinstance(root, Mapping) else []
        return [pair.span for pair in pairs if _STORE.fullmatch(pair.name or "")]

    @lazy
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer(rb"\n", self.masked.original)]

    def _line(self, place: int) -> int:
        return bisect.bisect_left(self._line_ends, place) + 1

    def _shown(self, span: Span) -> str:
        return decode(self.masked.original[span.start : span.end])


def _as_number(text: str) -> str | None:
    """How Helm renders a tag that YAML reads as a number (Go's ``%v`` of a float64), where that differs."""
    if _FRACTION.fullmatch(text):
        return text.rstrip("0").rstrip(".")
    if _LONG.fullmatch(text):
        digits = text.rstrip("0")
        return f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e+{len(text) - 1:02}"
    return None


def _roles(parts: list[Part], role: Role, path: str | None = None) -> list[Part]:
    return [replace(part, role=role, path=path) for part in parts]
