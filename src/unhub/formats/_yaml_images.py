"""Image positions of a YAML document: aliases, anchors and duplicates handled once for all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from unhub.formats import _build
from unhub.formats._text import decode
from unhub.formats._yaml import Alias, Document, Empty, Node, Scalar
from unhub.image.found import Class, Found, Part, PulledBy, Role, Skipped, Span, Wrap

Reader = Callable[[Scalar, Span], Sequence[Part]]
"""Splits the text of a scalar (the given inner span of its value) into parts."""


def plain_parts(scalar: Scalar, inner: Span) -> Sequence[Part]:
    """A text without variables: the bytes as they stand."""
    return _build.mapped(scalar.mapped, inner)


@dataclass(frozen=True, slots=True)
class Position:
    """A place that holds an image, with what :func:`unhub.formats._build.build` is to know of it."""

    node: Node
    where: str
    pulled_by: PulledBy
    note: str | None = None
    short_name: bool = False
    selected_as: str | None = None
    host_name: str | None = None
    host_wrap: Wrap | None = None
    strip_scheme: str = ""
    skip: tuple[Class, str] | None = None


class Images:
    """Collects the image positions of one document and turns them into findings.

    An anchored scalar is rewritten once, and only if every alias of it is an image
    position (rule #46). ``neutral`` tells whether the place of an anchored scalar, itself
    no image position, merely stores it (compose's ``x-…``, GitLab's hidden jobs).
    """

    def __init__(self, data: bytes, document: Document, parts: Reader = plain_parts) -> None:
        self.data = data
        self.document = document
        self.parts = parts
        self.positions: list[Position] = []
        self.stores: set[Span] = set()

    def add(self, position: Position) -> None:
        """Note an image position; the node may be an alias or have no value."""
        self.positions.append(position)

    def store(self, node: Node | None) -> None:
        """Note that ``node`` only stores what aliases use, so its place is no use of its own."""
        if node is not None:
            self.stores.add(node.span)

    def findings(self) -> Iterator[Found | Skipped]:
        """One finding a distinct scalar, in the order of the file, and one ``Skipped`` an alias."""
        results: dict[Span, Found | Skipped] = {}
        for position in self.positions:
            node = self.document.resolve(position.node)
            if node is None or isinstance(node, Empty):
                continue
            if not isinstance(node, Scalar):
                continue
            if node.span not in results:
                results[node.span] = self._finding(position, node)
            if isinstance(position.node, Alias):
                alias = position.node
                results[alias.span] = self._alias(position, alias, node)
        yield from sorted(results.values(), key=lambda finding: finding.span)

    def _alias(self, position: Position, alias: Alias, node: Scalar) -> Skipped:
        line = self.data.count(b"\n", 0, node.span.start) + 1
        reason = f"takes its value from the anchor &{alias.name}, line {line}"
        return Skipped(alias.span, decode(self.data[alias.span.start : alias.span.end]), position.where, Class.VARIABLE, reason, position.pulled_by)

    def _finding(self, position: Position, node: Scalar) -> Found | Skipped:
        text = node.mapped.data
        lead = len(text) - len(text.lstrip())
        inner = Span(lead, max(lead, len(text.rstrip())))
        scheme = position.strip_scheme.encode()
        if scheme and text[inner.start : inner.start + len(scheme)].lower() == scheme:
            inner = Span(inner.start + len(scheme), inner.end)
        span = node.mapped.outer(inner)
        if position.skip:
            class_, reason = position.skip
            return Skipped(span, decode(self.data[span.start : span.end]), position.where, class_, reason, position.pulled_by)
        blocked = self._shared_elsewhere(node)
        if blocked:
            return Skipped(span, decode(self.data[span.start : span.end]), position.where, Class.CONFLICT, blocked, position.pulled_by)
        return _build.build(
            self.data, span, self.parts(node, inner),
            where=position.where, pulled_by=position.pulled_by, note=position.note,
            short_name=position.short_name, selected_as=position.selected_as,
            host_name=position.host_name, host_wrap=position.host_wrap,
        )  # fmt: skip

    def _shared_elsewhere(self, node: Scalar) -> str | None:
        if node.anchor is None:
            return None
        used = {position.node.span for position in self.positions}
        for alias in self.document.aliases:
            if self.document.resolve(alias) is node and alias.span not in used:
                line = self.data.count(b"\n", 0, alias.span.start) + 1
                return f"the anchor &{node.anchor} is also used at line {line}, which is no image position"
        if node.span not in used and node.span not in self.stores:
            line = self.data.count(b"\n", 0, node.span.start) + 1
            return f"the anchored value is itself used at line {line}, which is no image position"
        return None


def tag_part(scalar: Scalar) -> Part:
    """A scalar that holds a tag in a field of its own."""
    return Part(scalar.text, scalar.content, Role.TAG)
