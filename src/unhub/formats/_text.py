"""Bytes and the text they spell, with the way back from the text to the bytes."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from unhub.image.found import Finding, Found, Part, Span


def decode(data: bytes) -> str:
    """Text of bytes; a byte that is not UTF-8 becomes a lone surrogate and comes back unchanged."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes :func:`decode` was given."""
    return text.encode("utf-8", "surrogateescape")


class Piece(Struct, frozen=True):
    """``length`` bytes of the inner text that stand at ``outer`` in the file.

    ``literal`` is false where the file spells them in another way (an escape); ``width``
    is then the number of bytes in the file.
    """

    inner: int
    outer: int
    length: int
    literal: bool = True
    width: int = 0

    @property
    def outer_end(self) -> int:
        """End of the piece in the file."""
        return self.outer + (self.length if self.literal else self.width)


class Mapped(Struct, frozen=True):
    """Text taken out of a file (unquoted, dedented, joined) and where each byte of it stands."""

    data: bytes
    pieces: tuple[Piece, ...]

    @classmethod
    def plain(cls, data: bytes, start: int, end: int) -> Mapped:
        """The bytes ``start`` to ``end`` of ``data``, spelled as they are."""
        return cls(data[start:end], (Piece(0, start, end - start),))

    def outer(self, span: Span) -> Span:
        """The bytes of the file from the first to the last byte of an inner span."""
        only = self._only
        if only is not None:
            shift, end = only.outer - only.inner, only.outer + only.length
            return Span(min(span.start + shift, end), min(span.start + shift, end) if span.start == span.end else span.end + shift)
        if span.start == span.end:
            place = self._place(span.start)
            return Span(place, place)
        first = self._place(span.start)
        return Span(first, self._last(span.end - 1))

    def spans(self, span: Span) -> Iterator[tuple[Span, Span, bool]]:
        """Each contiguous run under an inner span: (inner span, outer span, literal)."""
        if span.start == span.end:
            yield span, self.outer(span), True
            return
        only = self._only
        if only is not None:
            start, end = max(span.start, only.inner), min(span.end, only.inner + only.length)
            if start < end:
                yield Span(start, end), Span(start + only.outer - only.inner, end + only.outer - only.inner), True
            return
        run: tuple[Span, Span, bool] | None = None
        for piece in self.pieces[self._index(span.start) :]:
            if piece.inner >= span.end:
                break
            start = max(piece.inner, span.start)
            end = min(piece.inner + piece.length, span.end)
            if start >= end:
                continue
            if piece.literal:
                here = Span(piece.outer + start - piece.inner, piece.outer + end - piece.inner)
            else:
                here = Span(piece.outer, piece.outer_end)
            if run and run[2] == piece.literal and run[1].end == here.start:
                run = (Span(run[0].start, end), Span(run[1].start, here.end), piece.literal)
                continue
            if run:
                yield run
            run = (Span(start, end), here, piece.literal)
        if run:
            yield run

    @property
    def _only(self) -> Piece | None:
        """The one literal piece that most texts are made of."""
        return self.pieces[0] if len(self.pieces) == 1 and self.pieces[0].literal else None

    @property
    def is_whole_file(self) -> bool:
        """Whether every place in the text is the same place in the file."""
        only = self._only
        return only is not None and only.inner == only.outer == 0 and only.length == len(self.data)

    def _index(self, inner: int) -> int:
        return max(0, bisect.bisect_right(self.pieces, inner, key=lambda piece: piece.inner) - 1)

    def _place(self, inner: int) -> int:
        if not self.pieces:
            return 0
        piece = self.pieces[self._index(inner)]
        if not piece.literal:
            return piece.outer
        return piece.outer + min(inner - piece.inner, piece.length)

    def _last(self, inner: int) -> int:
        piece = self.pieces[self._index(inner)]
        return piece.outer + inner - piece.inner + 1 if piece.literal else piece.outer_end

    def parts(self, part: Part) -> Iterator[Part]:
        """A part of the inner text as parts of the file: split where the bytes are not together."""
        if part.path is not None:
            yield part
            return
        raw = self.data
        runs = list(self.spans(part.span))
        if len(runs) == 1 or not part.literal or not part.known:
            literal = part.literal and all(run[2] for run in runs)
            yield replace(part, span=self.outer(part.span), literal=literal)
            return
        for inner, outer, literal in runs:
            yield replace(part, text=decode(raw[inner.start : inner.end]), span=outer, literal=literal)

    def lift(self, findings: Iterable[Finding], prefix: str = "") -> Iterator[Finding]:
        """Findings made on the inner text, moved to their places in the file.

        ``prefix`` is put before each ``where`` (``services.web.build.dockerfile_inline: ``).
        """
        for finding in findings:
            span, where = self.outer(finding.span), prefix + finding.where
            if isinstance(finding, Found):
                parts = tuple(outer for part in finding.parts for outer in self.parts(part))
                wrap = finding.host_wrap and replace(finding.host_wrap, span=self.outer(finding.host_wrap.span))
                yield replace(finding, span=span, where=where, parts=parts, host_wrap=wrap)
            else:
                yield replace(finding, span=span, where=where)
