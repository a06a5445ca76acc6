"""A Dockerfile in a text of a bake file, where variables are filled in before BuildKit reads it (rule #56)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from unhub.formats._hcl.nodes import Interpolation, Template
from unhub.formats._hcl.values import Values, interpolation_span
from unhub.formats._text import Mapped, Piece, decode, encode
from unhub.image.found import Class, Finding, Found, Part, Skipped, Span
from unhub.image.source import Source

_UNKNOWN = re.compile(r"\$?\{?BAKE_+\}?")


def inline_findings(source: Source, text: Template, values: Values, where: str) -> Iterator[Finding]:
    """What the Dockerfile names, at the places in the bake file that spell it.

    A finding stands where the Dockerfile names the image; its parts may be the defaults of variables.
    """
    from unhub.formats import dockerfile

    filled = _Filled(text, values)
    for finding in dockerfile.find(replace(source, data=filled.spelled.data)):
        span = filled.shown.outer(finding.span)
        lifted = next(iter(filled.spelled.lift([finding], prefix=f"{where}: ")))
        shown = decode(source.data[span.start : span.end])
        if isinstance(lifted, Found):
            yield replace(lifted, span=span, text=shown)
        elif isinstance(lifted, Skipped) and _UNKNOWN.search(finding.text if isinstance(finding, Skipped) else ""):
            yield replace(lifted, span=span, text=shown, class_=Class.VARIABLE, reason=f"the value of {shown} is not known here")
        elif isinstance(lifted, Skipped):
            yield replace(lifted, span=span, text=shown)
        else:
            yield replace(lifted, span=span)


class _Filled:
    """The text with its variables filled in: once with the places that spell it, once with those that show it."""

    def __init__(self, text: Template, values: Values) -> None:
        self.data = bytearray()
        self.spelling: list[Piece] = []
        self.showing: list[Piece] = []
        at = 0
        for interpolation in text.interpolations:
            inner = interpolation_span(text.mapped, interpolation.span)
            if inner is None or inner.start < at:
                continue
            self._copy(text.mapped, Span(at, inner.start))
            self._fill(interpolation, values)
            at = inner.end
        self._copy(text.mapped, Span(at, len(text.mapped.data)))
        self.spelled = Mapped(bytes(self.data), tuple(self.spelling))
        self.shown = Mapped(bytes(self.data), tuple(self.showing))

    def _copy(self, text: Mapped, inner: Span) -> None:
        if inner.end <= inner.start:
            return
        for run, outer, literal in text.spans(inner):
            piece = Piece(len(self.data), outer.start, run.end - run.start, literal, outer.end - outer.start)
            self.spelling.append(piece)
            self.showing.append(piece)
            self.data += text.data[run.start : run.end]

    def _fill(self, interpolation: Interpolation, values: Values) -> None:
        parts: list[Part] = values.parts(interpolation.value) if interpolation.value is not None else []
        outer = interpolation.span
        start = len(self.data)
        if parts and all(part.known and part.path is None for part in parts):
            for part in parts:
                text = encode(part.text)
                self.spelling.append(Piece(len(self.data), part.span.start, len(text), part.literal, part.span.end - part.span.start))
                self.data += text
        else:
            text = b"${BAKE_" + b"_" * (outer.end - outer.start) + b"}"
            self.spelling.append(Piece(start, outer.start, len(text), literal=False, width=outer.end - outer.start))
            self.data += text
        if len(self.data) > start:
            self.showing.append(Piece(start, outer.start, len(self.data) - start, literal=False, width=outer.end - outer.start))
