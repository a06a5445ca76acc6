"""Texts in which another language fills in values (Groovy, HCL), read as what they are to become."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from unhub.formats._format import Finder
from unhub.formats._helm.set import values_images
from unhub.formats._kubernetes_places import builtin_places
from unhub.formats._template.mask import Masked, Region
from unhub.formats._text import Mapped, Piece, decode
from unhub.formats._yaml.images import Images, Position
from unhub.formats._yaml.parse import parse
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Finding, Found, PulledBy, Skipped, Span
from unhub.image.source import Source

_MASKED = re.compile(r"\$\{_*\}|\$_+")
_SHOWN = re.compile(r"\$(?:\{[^}]*\}|[\w.]+)")


def shell(source: Source, text: Mapped, variables: Sequence[Span], where: str) -> Iterator[Finding]:
    """The commands of a script. ``variables`` are the inner spans of what is filled in; the shell
    cannot know them, so they are variables without a value to it."""
    from unhub.formats import shell as format_

    yield from _masked(source, text, variables, format_.find, where)


def build_options(source: Source, text: Mapped, variables: Sequence[Span], where: str) -> Iterator[Finding]:
    """Options that are handed to ``docker build``."""
    from unhub.formats import shell as format_

    before = b"docker build "
    shifted = [Span(span.start + len(before), span.end + len(before)) for span in variables]
    yield from _masked(source, _around(text, before, b" ."), shifted, format_.find, where)


def _around(text: Mapped, before: bytes, after: bytes) -> Mapped:
    """A text between words that stand nowhere in the file."""
    pieces = [Piece(0, text.outer(Span(0, 0)).start, len(before), literal=False, width=0)]
    pieces += [replace(piece, inner=piece.inner + len(before)) for piece in text.pieces]
    end = text.outer(Span(len(text.data), len(text.data))).start
    pieces.append(Piece(len(before) + len(text.data), end, len(after), literal=False, width=0))
    return Mapped(before + text.data + after, tuple(pieces))


def _masked(source: Source, text: Mapped, variables: Sequence[Span], find: Finder, where: str) -> Iterator[Finding]:
    data = bytearray(text.data)
    for span in variables:
        width = span.end - span.start
        braced = data[span.start : span.end].endswith(b"}")
        data[span.start : span.end] = b"${" + b"_" * (width - 3) + b"}" if braced else b"$" + b"_" * (width - 1)
    masked = Mapped(bytes(data), text.pieces)
    try:
        for finding in masked.lift(find(replace(source, data=masked.data)), prefix=f"{where}: "):
            yield _unmasked(source, finding)
    except UnreadableError as error:
        yield _unreadable(source, text, where, f"cannot be read: {error.message}")


def _unmasked(source: Source, finding: Finding) -> Finding:
    """The finding with the variables as the user wrote them."""
    if not isinstance(finding, Found | Skipped):
        return finding
    raw = decode(source.data[finding.span.start : finding.span.end])
    name = _SHOWN.search(raw)
    shown = name[0] if name else raw
    text = raw if _MASKED.search(finding.text) else finding.text
    if isinstance(finding, Skipped):
        return replace(finding, text=text, reason=_MASKED.sub(lambda _: shown, finding.reason))
    return replace(finding, text=text, note=finding.note and _MASKED.sub(lambda _: shown, finding.note))


def _fill(text: Mapped, variables: Sequence[Span]) -> Masked:
    """The text as YAML can read it: a name in place of each value."""
    data = bytearray(text.data)
    for span in variables:
        data[span.start : span.end] = b"x" * (span.end - span.start)
    return Masked(text.data, bytes(data), tuple(Region(*span) for span in sorted(variables)))


def pods(source: Source, text: Mapped, variables: Sequence[Span], where: str) -> Iterator[Finding]:
    """The containers of pods that are written as YAML, with or without their ``kind``."""
    masked = _fill(text, variables)
    try:
        documents = parse(masked.data, shown=masked.original)
    except UnreadableError as error:
        yield _unreadable(source, text, where, f"its YAML cannot be read: {error.message}")
        return
    for document in documents:
        images = Images(masked.original, document, lambda scalar, inner: masked.parts(scalar.mapped, inner))
        for place in builtin_places(document, document.root):
            images.add(Position(place.node, place.where, PulledBy.PLATFORM))
        yield from text.lift(images.findings(), prefix=f"{where}: ")


def values(source: Source, text: Mapped, variables: Sequence[Span], where: str) -> Iterator[Finding]:
    """The images of a text of Helm values."""
    masked = _fill(text, variables)
    try:
        documents = parse(masked.data, shown=masked.original)
    except UnreadableError as error:
        yield _unreadable(source, text, where, f"its YAML cannot be read: {error.message}")
        return
    for document in documents:
        inner = replace(source, data=masked.original)
        yield from text.lift(values_images(inner, document, document.root, where, masked.regions))


def _unreadable(source: Source, text: Mapped, where: str, reason: str) -> Skipped:
    span = text.outer(Span(0, len(text.data)))
    return Skipped(span, decode(source.data[span.start : span.end]), where, Class.UNREADABLE, reason, PulledBy.BUILD)
