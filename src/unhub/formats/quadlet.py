"""Podman quadlets: systemd units of containers, volumes and images (podman-systemd.unit(5); rule #44)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from unhub.formats import _build
from unhub.formats._format import Format
from unhub.formats._text import Mapped, Piece, decode
from unhub.image.found import Class, Finding, Part, PulledBy, Skipped, Span
from unhub.image.source import BYTE_ORDER_MARK, Source

_SECTION = re.compile(rb"^[ \t]*\[(?:Container|Volume|Image|Build|Kube|Pod|Artifact)\]", re.MULTILINE)


def _recognise(source: Source) -> bool:
    return _SECTION.search(source.data.removeprefix(BYTE_ORDER_MARK)) is not None


FORMAT = Format(
    name="quadlet",
    title="Podman quadlets",
    tier="B",
    files=("*.container", "*.volume", "*.image", "*.build", "*.artifact", "*.container.d/*.conf", "*.volume.d/*.conf", "*.image.d/*.conf"),
    positions=(
        "[Container] Image=",
        "[Volume] Image=",
        "[Image] Image=",
        "[Container] Mount=type=image,source=",
        "[Build] ImageTag= as an output",
    ),
    gaps=("the manifests that a .kube unit names are looked at as what they are", "podman commands in ExecStartPre= and its like"),
    order=30,
    needles=(b"image",),
    recognise=_recognise,
)

_LINE = re.compile(rb"[^\n]*\n?")
_HEADER = re.compile(rb"[ \t]*\[([^\]]*)\]")
_KEY = re.compile(rb"[ \t]*([A-Za-z][\w-]*)[ \t]*=[ \t]*")
_SPECIFIER = re.compile(rb"%%|%[A-Za-z]|\$\{\w+\}|\$\w+")
_UNITS = (".image", ".build")
_MOUNTED = re.compile(rb"(?:^|,)(?:source|src)=([^,]*)")


class _Entry(Struct, frozen=True):
    """An assignment: its section, its key, and its value with continuation lines joined."""

    section: str
    key: str
    value: Mapped


def find(source: Source) -> Iterator[Finding]:
    """The images that units run, mount or fetch; a bare name is podman's to complete (rule #44)."""
    for entry in _entries(source.data):
        place = f"[{entry.section}] {entry.key}"
        inner = _unquoted(entry.value.data)
        if inner.start == inner.end:
            continue
        if (entry.section, entry.key) in (("Container", "Image"), ("Volume", "Image"), ("Image", "Image")):
            yield _image(source, entry, inner, place)
        elif (entry.section, entry.key) == ("Build", "ImageTag"):
            yield _skip(source, entry, inner, Class.BUILD_OUTPUT, "names what is built, not what is pulled")
        elif entry.key == "Mount" and b"type=image" in entry.value.data:
            mounted = _MOUNTED.search(entry.value.data)
            if mounted:
                yield _image(source, entry, Span(*mounted.span(1)), place)


def _image(source: Source, entry: _Entry, inner: Span, place: str) -> Finding:
    text = decode(entry.value.data[inner.start : inner.end])
    if text.endswith(_UNITS) and "/" not in text:
        return _skip(source, entry, inner, Class.STAGE, f"names the unit {text}, which says what image it is")
    span = entry.value.outer(inner)
    return _build.build(source.data, span, _parts(entry.value, inner), where=place, pulled_by=PulledBy.PLATFORM, short_name=True)


def _skip(source: Source, entry: _Entry, inner: Span, class_: Class, reason: str) -> Skipped:
    place = f"[{entry.section}] {entry.key}"
    span = entry.value.outer(inner)
    return Skipped(span, decode(source.data[span.start : span.end]), place, class_, reason, PulledBy.PLATFORM)


def _parts(value: Mapped, inner: Span) -> list[Part]:
    """The value with systemd's specifiers (``%i``) and variables as parts of unknown value."""
    parts: list[Part] = []
    at = inner.start
    for match in _SPECIFIER.finditer(value.data, inner.start, inner.end):
        parts += _build.mapped(value, Span(at, match.start())) if match.start() > at else ()
        parts.append(Part("", value.outer(Span(*match.span())), known=False))
        at = match.end()
    return [*parts, *(_build.mapped(value, Span(at, inner.end)) if at < inner.end else ())]


def _unquoted(data: bytes) -> Span:
    start, end = len(data) - len(data.lstrip()), len(data.rstrip())
    if end - start > 1 and data[start : start + 1] in b"\"'" and data[start : start + 1] == data[end - 1 : end]:
        return Span(start + 1, end - 1)
    return Span(start, max(start, end))


def _entries(data: bytes) -> Iterator[_Entry]:
    """The assignments of a unit file (systemd.syntax(7)): a backslash at the end goes on, comments between are left out."""
    section = ""
    key: str | None = None
    pieces: list[tuple[int, bytes]] = []
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    for line in _LINE.finditer(data, start):
        text = line[0].rstrip(b"\r\n")
        stripped = text.strip()
        if stripped[:1] in (b"#", b";") or (not stripped and key is None):
            continue
        at = line.start()
        if key is None:
            header, assignment = _HEADER.match(text), _KEY.match(text)
            if header:
                section = decode(header[1])
            if header or assignment is None:
                continue
            key, at, text = decode(assignment[1]), at + assignment.end(), text[assignment.end() :]
        goes_on = text.endswith(b"\\")
        pieces.append((at, text[:-1] if goes_on else text))
        if not goes_on:
            yield _Entry(section, key, _joined(pieces))
            key, pieces = None, []
    if key is not None:
        yield _Entry(section, key, _joined(pieces))


def _joined(lines: list[tuple[int, bytes]]) -> Mapped:
    """Lines with a blank in the place of each backslash."""
    data = bytearray()
    placed: list[Piece] = []
    for number, (at, text) in enumerate(lines):
        if number:
            placed.append(Piece(len(data), at, 1, literal=False, width=0))
            data += b" "
        if text:
            placed.append(Piece(len(data), at, len(text)))
            data += text
    return Mapped(bytes(data), tuple(placed))
