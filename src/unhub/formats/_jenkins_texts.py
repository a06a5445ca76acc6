"""Texts of other languages in the strings of a pipeline: shell, pod manifests, options of a build."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from unhub.formats._format import Finder
from unhub.formats._groovy import Text
from unhub.formats._kubernetes_places import builtin_places
from unhub.formats._scripts import commands
from unhub.formats._template import Masked, Region
from unhub.formats._text import Mapped, Piece, decode
from unhub.formats._yaml import parse
from unhub.formats._yaml_images import Images, Position
from unhub.image.errors import UnreadableError
from unhub.image.found import Class, Finding, Found, PulledBy, Skipped, Span
from unhub.image.source import Source

_MASKED = re.compile(r"\$\{_*\}|\$_+")


def script(source: Source, text: Text, where: str, language: str) -> Iterator[Finding]:
    """The commands of a step. ``language`` names one that is not read here, empty means shell."""
    if language:
        for span in commands(text.mapped.data):
            reason = f"a command in a {language} script, which is not read here; change it by hand"
            yield _skip(source, text.mapped.outer(span), where, Class.UNREADABLE, reason)
        return
    from unhub.formats import shell

    yield from _shell(source, text, text.mapped, shell.find, where)


def arguments_of_build(source: Source, text: Text, where: str) -> Iterator[Finding]:
    """Options that are handed to ``docker build``."""
    from unhub.formats import shell

    yield from _shell(source, text, _around(text.mapped, b"docker build ", b" ."), shell.find, where)


def _around(text: Mapped, before: bytes, after: bytes) -> Mapped:
    """A text between words that stand nowhere in the file."""
    pieces = [Piece(0, text.outer(Span(0, 0)).start, len(before), literal=False, width=0)]
    pieces += [replace(piece, inner=piece.inner + len(before)) for piece in text.pieces]
    end = text.outer(Span(len(text.data), len(text.data))).start
    pieces.append(Piece(len(before) + len(text.data), end, len(after), literal=False, width=0))
    return Mapped(before + text.data + after, tuple(pieces))


def _shell(source: Source, text: Text, mapped: Mapped, find: Finder, where: str) -> Iterator[Finding]:
    """What the shell finds, where Groovy's variables are shell variables of unknown value (rule #68)."""
    shift = len(mapped.data) - len(text.mapped.data)
    shift = mapped.data.find(text.mapped.data) if shift else 0
    data = bytearray(mapped.data)
    for variable in text.variables:
        span = Span(variable.start + shift, variable.end + shift)
        width = span.end - span.start
        braced = mapped.data.startswith(b"${", span.start)
        data[span.start : span.end] = b"${" + b"_" * (width - 3) + b"}" if braced else b"$" + b"_" * (width - 1)
    masked = Mapped(bytes(data), mapped.pieces)
    for finding in masked.lift(find(replace(source, data=masked.data)), prefix=f"{where}: "):
        yield _unmasked(source, finding)


def _unmasked(source: Source, finding: Finding) -> Finding:
    """The finding with Groovy's variables as the user wrote them."""
    if not isinstance(finding, Found | Skipped):
        return finding
    raw = decode(source.data[finding.span.start : finding.span.end])
    name = re.search(r"\$(?:\{[^}]*\}|[\w.]+)", raw)
    shown = name[0] if name else raw
    text = raw if _MASKED.search(finding.text) else finding.text
    if isinstance(finding, Skipped):
        return replace(finding, text=text, reason=_MASKED.sub(lambda _: shown, finding.reason))
    return replace(finding, text=text, note=finding.note and _MASKED.sub(lambda _: shown, finding.note))


def pod_images(source: Source, text: Text, where: str) -> Iterator[Finding]:
    """The containers of a pod that is written as YAML, with or without its ``kind``."""
    regions = tuple(Region(*variable) for variable in text.variables)
    data = bytearray(text.mapped.data)
    for region in regions:
        data[region.start : region.end] = b"x" * (region.end - region.start)
    masked = Masked(text.mapped.data, bytes(data), regions)
    try:
        documents = parse(masked.data, shown=masked.original)
    except UnreadableError as error:
        yield _skip(source, text.content, where, Class.UNREADABLE, f"its YAML cannot be read: {error.message}")
        return
    for document in documents:
        images = Images(masked.original, document, lambda scalar, inner: masked.parts(scalar.mapped, inner))
        for place in builtin_places(document, document.root):
            images.add(Position(place.node, place.where, PulledBy.PLATFORM))
        yield from text.mapped.lift(images.findings(), prefix=f"{where}: ")


def _skip(source: Source, span: Span, where: str, class_: Class, reason: str) -> Skipped:
    return Skipped(span, decode(source.data[span.start : span.end]), where, class_, reason, PulledBy.BUILD)
