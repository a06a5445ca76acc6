"""Where a CI file uses its variables: a new value must suit every one of these places."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence

from unhub.formats._text import decode, encode
from unhub.formats._variables import Variable
from unhub.formats._yaml.parse import Document, Mapping, Node, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.errors import InvalidReference
from unhub.image.found import Found, Span
from unhub.image.reference import Reference, written_name_length

_COMPARED_BEFORE = re.compile(rb"(?:[\w\"'}\])]\s*[=!]=\s*[\"']?|startsWith\(\s*)\Z")
_COMPARED_AFTER = re.compile(rb"\}?[\"']?\s*(?:[=!]=|=~|(?<=\s)=(?=\s))(?!\s*(?:null\b|''|\"\"))")
_NEAR = 20
"""Bytes before a use in which the operator of a comparison must stand."""


def scalars(root: Node) -> Iterator[Scalar]:
    """Every text of a document that is no key; what aliases stand for is seen at its anchor."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, List):
            pending.extend(reversed(node.items))
        elif isinstance(node, Mapping):
            pending.extend(pair.value for pair in reversed(node.pairs))


class Spans:
    """Spans that do not overlap, asked for the one that holds a byte."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(set(spans))
        self._starts = [span.start for span in self._spans]

    def at(self, place: int) -> Span | None:
        """The span that holds the byte at ``place``; one without width holds its own start."""
        index = bisect.bisect_right(self._starts, place) - 1
        if index < 0:
            return None
        span = self._spans[index]
        return span if place < span.end or place == span.start else None


class VariableUses:
    """Every mention of a variable in a document. ``prefixes`` are the ways in which the system writes one."""

    def __init__(self, data: bytes, document: Document, prefixes: Sequence[str]) -> None:
        self._data = data
        self._mentions: dict[str, list[Span]] = {}
        opening = "|".join(re.escape(prefix) for prefix in sorted(prefixes, key=len, reverse=True))
        pattern = re.compile(encode(rf"(?:{opening})((?:[\w-]+\.)*[\w-]+)"))
        for scalar in scalars(document.root):
            for match in pattern.finditer(data, scalar.span.start, scalar.span.end):
                word = decode(match[1]).rpartition(".")[2]
                self._mentions.setdefault(word, []).append(Span(match.start(), match.end()))

    def of(self, variable: Variable) -> list[Span]:
        """The mentions of a variable, within its reach."""
        word = variable.name.lstrip("$").rpartition(".")[2]
        reach = variable.reach
        return [
            span
            for span in self._mentions.get(word, ())
            if reach is None or (reach.start <= span.start < reach.end and self._data[span.start : span.end] == encode(variable.name))
        ]

    def compared(self, variable: Variable) -> int | None:
        """Where a condition compares the variable with a text."""
        for span in self.of(variable):
            near = self._data[max(0, span.start - _NEAR) : span.start]
            if _COMPARED_AFTER.match(self._data, span.end) or _COMPARED_BEFORE.search(near):
                return span.start
        return None


class Outputs:
    """The names that a file gives what it builds or pushes, by their repository."""

    def __init__(self, texts: Iterable[tuple[str, int]]) -> None:
        self._tags: dict[str, list[tuple[str, int]]] = {}
        for text, place in texts:
            output = text.strip("\"'")
            name = output[: written_name_length(output)]
            tag = output[len(name) :].partition("@")[0].removeprefix(":")
            try:
                self._tags.setdefault(Reference.parse(name).name, []).append((tag or "latest", place))
            except InvalidReference:
                continue

    def place_of(self, found: Found) -> int | None:
        """Where the image that is ``found`` is built or pushed; a tag that is not known may be any."""
        if found.reference.digest:
            return None
        open_ = any(not part.known for part in found.parts)
        for tag, place in self._tags.get(found.reference.name, ()):
            if open_ or "$" in tag or tag == (found.reference.tag or "latest"):
                return place
        return None
