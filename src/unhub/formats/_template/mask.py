"""Template text in YAML, masked at the same length so that YAML's own parser can be used (rule #49).

Go templates (``{{ … }}``, ``text/template`` as Helm uses it) and Terraform's (``${ … }`` and
``%{ … }``, ``templatefile``). What a masked file spells at a span, the file spells there too.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import Struct

from unhub.formats._lazy import lazy
from unhub.formats._text import Mapped, decode
from unhub.image.found import Part, Role, Span
from unhub.image.source import BYTE_ORDER_MARK

FILLER = b"x"
"""Stands for every byte of an action inside a line: a plain scalar that is also a lawful name."""

_GO = re.compile(
    rb"\{\{(?:-?\s*/\*.*?\*/\s*-?\}\}"
    rb"|(?:\"(?:\\.|[^\"\\\n])*+\"|`[^`]*+`|'(?:\\.|[^'\\\n])*+'|[^\"`'{}]|\}(?!\}))*+\}\})",
    re.DOTALL,
)
_TERRAFORM = re.compile(rb"\$\$\{|%%\{|[$%]\{")
_BRACES = re.compile(rb"\"(?:\\.|[^\"\\\n])*+\"|[{}\n]")
_FAILURES_MAX = 100
"""Openings without an end after which the rest of a file is taken as it stands, to stay linear."""

_WHITE = b" \t\r\n"
_EMPTY_BRANCH = re.compile(rb"^[ \t]*\r?\n[ \t]*(\{\}|\[\])[ \t]*\r?\n(?=[ \t]*\r?$)", re.MULTILINE)
_BLANK_BELOW_HEAD = re.compile(rb"[|>][-+1-9]*[ \t]*(?:#[^\r\n]*)?\r?\n[ \t]*\r?\n")
_BLOCK_HEAD = re.compile(rb"^( *)(?:[^\r\n]*[:?-] +)?[|>][-+1-9]*[ \t]*(?:#[^\r\n]*)?\r?\n((?:[ \t]*\r?\n)+)( *)(?=\S)", re.MULTILINE)


class Region(NamedTuple):
    """Bytes of template text, braces included."""

    start: int
    end: int


class Masked(Struct, frozen=True, dict=True):
    """A file and its masked twin: same length, same line ends, no template text."""

    original: bytes
    data: bytes
    regions: tuple[Region, ...]

    @lazy
    def _ends(self) -> list[int]:
        return [region.end for region in self.regions]

    def regions_in(self, span: Span) -> Iterator[Region]:
        """The template texts that ``span`` touches."""
        for region in self.regions[bisect.bisect_right(self._ends, span.start) :]:
            if region.start >= span.end:
                return
            yield region

    def touches(self, span: Span) -> bool:
        """Whether any byte of ``span`` is template text."""
        return next(self.regions_in(span), None) is not None

    def parts(self, text: Mapped, inner: Span, evaluate: Callable[[Region], list[Part]] | None = None) -> list[Part]:
        """The parts that ``inner`` of a text of the masked file spells.

        ``evaluate`` says what an action stands for; without it, nothing is known of any.
        """
        parts: list[Part] = []
        done = -1
        for run, outer, literal in text.spans(inner):
            at = outer.start
            for region in self.regions_in(outer):
                parts += self._literal(text, run, outer, Span(at, region.start), literal=literal)
                if region.end > done:
                    parts += evaluate(region) if evaluate else [unknown(region)]
                    done = region.end
                at = region.end
            parts += self._literal(text, run, outer, Span(at, outer.end), literal=literal)
        return parts

    def _literal(self, text: Mapped, run: Span, outer: Span, span: Span, *, literal: bool) -> list[Part]:
        if span.end <= span.start:
            return []
        if not literal:
            return [Part(decode(text.data[run.start : run.end]), span, literal=False)]
        return [Part(decode(self.original[span.start : span.end]), span)]


def unknown(region: Region, role: Role = Role.TEXT) -> Part:
    """The part of an action whose value is not known."""
    return Part("", Span(region.start, region.end), role, known=False)


def go_regions(data: bytes) -> Iterator[Region]:
    """The actions and comments of a Go template (``text/template``, "Actions" and "Text and spaces")."""
    at = failures = 0
    while failures < _FAILURES_MAX and (at := data.find(b"{{", at)) >= 0:
        match = _GO.match(data, at)
        if match is None:
            failures += 1
            at += 2
            continue
        yield Region(at, match.end())
        at = match.end()


def terraform_regions(data: bytes) -> Iterator[Region]:
    """The interpolations and directives of a Terraform template; ``$${`` and ``%%{`` are none."""
    at = failures = 0
    while failures < _FAILURES_MAX and (match := _TERRAFORM.search(data, at)) is not None:
        at = match.end()
        if len(match[0]) == 3:
            continue
        end = _closing(data, at)
        if end is None:
            failures += 1
            continue
        yield Region(match.start(), end)
        at = end


def _closing(data: bytes, at: int) -> int | None:
    depth = 1
    for match in _BRACES.finditer(data, at):
        if match[0] == b"\n":
            return None
        depth += {b"{": 1, b"}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return None


def mask(data: bytes, *, terraform: bool = False) -> Masked:
    """Blank out the template text of ``data``.

    A line of nothing but actions becomes blank, which YAML allows anywhere, block scalars
    included (where a comment would end them). Any other action becomes a run of
    :data:`FILLER`; lines on which it goes on become blank.
    """
    regions = sorted(go_regions(data)) if b"{{" in data else []
    if terraform:
        regions = _apart([*regions, *terraform_regions(data)])
    if not regions:
        return Masked(data, data, ())
    out = bytearray(data)
    for region in regions:
        for start, end in _rows(data, region.start, region.end):
            out[start:end] = b" " * (end - start)
    if data.startswith(BYTE_ORDER_MARK) and b"{{" in data[:5]:
        out[:3] = b"   "
    blanked = bytes(out)
    stop, alone = -1, False
    for region in regions:
        if region.end > stop:
            line = blanked.rfind(b"\n", 0, region.start) + 1
            stop = blanked.find(b"\n", region.end)
            stop = len(blanked) if stop < 0 else stop
            alone = not blanked[line:stop].strip(_WHITE)
        if not alone:
            start, end = next(_rows(data, region.start, region.end))
            out[start:end] = FILLER * (end - start)
    return Masked(data, _fill_block_heads(data, _blank_empty_branches(blanked, out)), tuple(regions))


def _apart(regions: list[Region]) -> list[Region]:
    apart: list[Region] = []
    for region in sorted(regions):
        if not apart or region.start >= apart[-1].end:
            apart.append(region)
    return apart


def _rows(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The pieces of a span between line ends."""
    for match in re.compile(rb"[^\r\n]+").finditer(data, start, end):
        yield match.span()


def _blank_empty_branches(blanked: bytes, out: bytearray) -> bytes:
    """Blank ``{}`` and ``[]`` alone between lines of actions: the ``else`` of a branch that gives keys or items."""
    for match in _EMPTY_BRANCH.finditer(blanked):
        start, end = match.span(1)
        out[start:end] = b"  "
    return bytes(out)


def _fill_block_heads(data: bytes, masked: bytes) -> bytes:
    """Give masked lines that open a block scalar its indentation: blanks there must not be longer than it."""
    if _BLANK_BELOW_HEAD.search(masked) is None:
        return masked
    out = bytearray(masked)
    for head in _BLOCK_HEAD.finditer(masked):
        indent = len(head[3])
        if indent <= len(head[1]):
            continue
        for start, end in _rows(masked, head.start(2), head.end(2)):
            if end - start > indent and data[start:end].strip(_WHITE):
                out[start:end] = b" " * indent + FILLER * (end - start - indent)
    return bytes(out)
