"""Entries of Kustomize's ``images``: selectors, and the names they give (rule #52)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats import _build
from unhub.formats._helm.fields import is_set
from unhub.formats._helm.images import trimmed
from unhub.formats._yaml.parse import Document, Empty, Mapping, Node, Pair, Scalar
from unhub.image.found import Declared, DeclaredKind, Found, Part, PulledBy, Role, Skipped, Span

_LINE_END = re.compile(rb"\r\n|\n|\r")


class Entries:
    """Reads the entries of one document; ``scope`` is what their selectors reach."""

    def __init__(self, data: bytes, document: Document, scope: tuple[str, ...]) -> None:
        self.data = data
        self.document = document
        self.scope = scope

    def entry(self, entry: Mapping, key: str) -> Iterator[Found | Skipped | Declared]:
        """The selector and the image of one entry under ``key`` (``images``)."""
        pairs = {pair.name: pair for pair in self.document.pairs(entry)}
        name = pairs.get("name")
        scalar = self.document.scalar(name.value) if name else None
        if name is None or scalar is None or not scalar.text.strip():
            return
        where = f"{key}[{scalar.text.strip()}]"
        yield Declared(DeclaredKind.SELECTOR, scalar.text.strip(), self._span(scalar), where, self.scope)
        new = pairs.get("newName")
        spelled = self.document.scalar(new.value) if new else None
        if new is not None and spelled is not None and is_set(spelled):
            span = self._span(spelled) if spelled is new.value else new.value.span
            parts, note = self._field(spelled, Role.REPOSITORY), self._shared(spelled)
        else:
            span = self._span(scalar) if scalar is name.value else name.value.span
            parts = [self._missing(entry, name, new, scalar)]
            note = "adds newName and leaves name, which selects the image in the manifests"
        for field, role in (("newTag", Role.TAG), ("digest", Role.DIGEST)):
            value = self.document.scalar(pairs[field].value) if field in pairs else None
            if value is not None and is_set(value):
                parts += self._field(value, role)
        # what this entry gives may be selected again by a kustomization built on this one
        given = "".join(part.text for part in parts if part.role is Role.REPOSITORY)
        yield _build.build(self.data, span, parts, where=where, pulled_by=PulledBy.PLATFORM, note=note, selected_as=given)

    def _span(self, scalar: Scalar) -> Span:
        return scalar.mapped.outer(trimmed(scalar))

    def _field(self, scalar: Scalar, role: Role) -> list[Part]:
        return [
            Part(part.text, part.span, role, literal=part.literal and not self._shared(scalar))
            for part in _build.mapped(scalar.mapped, trimmed(scalar))
        ]

    def _shared(self, scalar: Scalar) -> str | None:
        """Why an anchored ``newName`` is not changed: its other uses are not known to be names (rule #46)."""
        if scalar.anchor is None or not any(self.document.resolve(alias) is scalar for alias in self.document.aliases):
            return None
        return f"the anchor &{scalar.anchor} is used elsewhere too"

    def _missing(self, entry: Mapping, name: Pair, new: Pair | None, scalar: Scalar) -> Part:
        """Where ``newName`` is to stand; until then ``name`` is the name."""
        text = scalar.text.strip()
        if new is not None:
            return self._unset(self.document.resolve(new.value), text)
        quote = b'"' if isinstance(name.key, Scalar) and name.key.style == '"' else b""
        key = quote + b"newName" + quote + b": " + quote
        if entry.flow:
            place = name.span.end
            return Part(text, Span(place, place), Role.REPOSITORY, before=b", " + key, after=quote)
        place, line_end = self._end_of_line(name.span.end)
        start = self.data.rfind(b"\n", 0, name.span.start) + 1
        indent = re.sub(rb"[^ \t]", b" ", self.data[start : name.span.start])
        return Part(text, Span(place, place), Role.REPOSITORY, before=line_end + indent + key, after=quote)

    def _unset(self, value: Node | None, text: str) -> Part:
        if isinstance(value, Empty):
            return Part(text, value.span, Role.REPOSITORY, before=b" ")
        if isinstance(value, Scalar) and value.content.start == value.content.end:
            return Part(text, value.content, Role.REPOSITORY)
        span = value.span if value else Span(0, 0)
        return Part(text, span, Role.REPOSITORY, literal=False)

    def _end_of_line(self, place: int) -> tuple[int, bytes]:
        here = _LINE_END.search(self.data, place)
        if here is not None:
            return here.start(), here[0]
        any_line = _LINE_END.search(self.data)
        return len(self.data), any_line[0] if any_line else b"\n"
