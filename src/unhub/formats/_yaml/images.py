"""Image positions of a YAML document: aliases, anchors and duplicates handled once for all formats."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._lazy import lazy
from unhub.formats._text import decode
from unhub.formats._yaml.parse import Alias, Document, Node, Scalar
from unhub.image.found import Class, Found, Part, PulledBy, Role, Safety, Skipped, Span, Wrap

ESCAPED = "written with escapes, so its bytes cannot be replaced safely"
"""Why a double-quoted text is shown and not changed (rule #47)."""

Reader = Callable[[Scalar, Span], Sequence[Part]]
"""Splits the text of a scalar (the given inner span of its value) into parts."""


def plain_parts(scalar: Scalar, inner: Span) -> Sequence[Part]:
    """A text without variables: the bytes as they stand."""
    return _build.mapped(scalar.mapped, inner)


class Position(Struct, frozen=True):
    """A place that holds an image, with what :func:`unhub.formats._build.build` is to know of it.

    ``parts`` overrides the document's reader at this place, where the same variable may
    stand for something else than at the next. ``in_text`` says that the value is put into
    a longer text, where a number serves as well.
    """

    node: Node
    where: str
    pulled_by: PulledBy
    note: str | None = None
    short_name: bool = False
    selected_as: str | None = None
    host_name: str | None = None
    host_wrap: Wrap | None = None
    host_replaced: str | None = None
    parts: Reader | None = None
    in_text: bool = False
    strip_scheme: str = ""
    within: Span | None = None
    skip: tuple[Class, str] | None = None


class Images:
    """Collects the image positions of one document and turns them into findings.

    An anchored scalar is rewritten once, and only if every alias of it is an image
    position (rule #46); so is one that merge keys bring to several places. The place of an
    anchored scalar may be no image position itself and merely store it (compose's ``x-…``,
    GitLab's hidden jobs): :meth:`store` says so.
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
        uses: dict[Span, list[Position]] = {}
        nodes: dict[Span, Scalar] = {}
        for position in self.positions:
            node = self.document.resolve(position.node)
            if not isinstance(node, Scalar) or node.is_null:
                continue
            nodes[node.span] = node
            uses.setdefault(node.span, []).append(position)
            if isinstance(position.node, Alias):
                results[position.node.span] = self._alias(position, position.node, node)
        for span, positions in uses.items():
            results[span] = self._finding(_deciding(positions), nodes[span], positions)
        yield from sorted(results.values(), key=lambda finding: finding.span)

    def _alias(self, position: Position, alias: Alias, node: Scalar) -> Skipped:
        reason = f"takes its value from the anchor &{alias.name}, line {self._line(node.span.start)}"
        return Skipped(alias.span, self._text(alias.span), position.where, Class.VARIABLE, reason, position.pulled_by)

    def _finding(self, position: Position, node: Scalar, uses: Sequence[Position]) -> Found | Skipped:
        text = node.mapped.data
        start, end = position.within or Span(0, len(text))
        lead = start + len(text[start:end]) - len(text[start:end].lstrip())
        inner = Span(lead, max(lead, start + len(text[start:end].rstrip())))
        scheme = position.strip_scheme.encode()
        if scheme and text[inner.start : inner.start + len(scheme)].lower() == scheme:
            inner = Span(inner.start + len(scheme), inner.end)
        span = node.mapped.outer(inner)
        if not node.is_text and not position.in_text:
            reason = f"{node.text} without quotes is no text but a number or a boolean"
            return Skipped(span, self._text(span), position.where, Class.INVALID, reason, position.pulled_by)
        if position.skip:
            class_, reason = position.skip
            return Skipped(span, self._text(span), position.where, class_, reason, position.pulled_by)
        blocked = _shared_with_kept(uses) or self._shared_elsewhere(node)
        if blocked:
            return Skipped(span, self._text(span), position.where, Class.CONFLICT, blocked, position.pulled_by)
        read = position.parts or self.parts
        built = _build.build(
            self.data, span, read(node, inner),
            where=position.where, pulled_by=position.pulled_by, note=position.note,
            short_name=position.short_name, selected_as=position.selected_as,
            host_name=position.host_name, host_wrap=position.host_wrap,
        )  # fmt: skip
        if not isinstance(built, Found):
            return built
        if node.style == '"' and not all(literal for _, _, literal in node.mapped.spans(inner)):
            built = replace(built, safety=Safety.SHOWN, note=ESCAPED)
        return replace(built, host_replaced=position.host_replaced)

    def _shared_elsewhere(self, node: Scalar) -> str | None:
        if node.anchor is None:
            return None
        for alias in self._aliases.get(id(node), ()):
            if alias.span not in self._used and alias.span not in self.stores:
                return f"the anchor &{node.anchor} is also used at line {self._line(alias.span.start)}, which is no image position"
        if node.span not in self._used and node.span not in self.stores:
            return f"the anchored value is itself used at line {self._line(node.span.start)}, which is no image position"
        return None

    def _text(self, span: Span) -> str:
        return decode(self.data[span.start : span.end])

    @lazy
    def _used(self) -> set[Span]:
        return {position.node.span for position in self.positions}

    @lazy
    def _aliases(self) -> dict[int, list[Alias]]:
        """The aliases of every node, by its identity."""
        aliases: dict[int, list[Alias]] = {}
        for alias in self.document.aliases:
            aliases.setdefault(id(self.document.resolve(alias)), []).append(alias)
        return aliases

    @lazy
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer(rb"\n", self.data)]

    def _line(self, at: int) -> int:
        return bisect.bisect_left(self._line_ends, at) + 1


def _deciding(positions: Sequence[Position]) -> Position:
    """The use that a shared value is judged by: a pull before what stays, and of pulls a
    service's, whose host name must survive."""
    return min(positions, key=lambda position: (position.skip is not None, position.host_name is None))


def _shared_with_kept(positions: Sequence[Position]) -> str | None:
    """Why a value with several uses cannot move: one of them is no pull."""
    for position in positions:
        if position.skip:
            return f"the same value is used at {position.where}, which is to stay: {position.skip[1]}"
    return None


def tag_part(scalar: Scalar) -> Part:
    """A scalar that holds a tag in a field of its own."""
    return Part(scalar.text, scalar.content, Role.TAG)
