"""Images in a template line by line, where its masked text is no YAML: the last resort (rule #49)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unhub.formats._template.mask import Masked
from unhub.formats._text import Mapped
from unhub.image.found import Span

_LINE = re.compile(rb"(?P<indent>[ \t]*)(?P<dashes>(?:-[ \t]+)*)(?P<rest>[^\r\n]*)")
_IMAGE = re.compile(rb"(?:\"image\"|'image'|image)[ \t]*:[ \t]+(?P<value>\"[^\"]*\"|'[^']*'|[^\s#\"'][^\r\n]*?)[ \t]*(?:[ \t]#.*|,)?$")
_BLOCK = re.compile(rb"(?:^|.*[:?-][ \t]+)[|>][-+1-9]*[ \t]*(?:#.*)?$")
_AFTER_ACTION = re.compile(rb"\}\}[ \t]*(?:-[ \t]+)?image[ \t]*:[ \t]+(?P<value>\"[^\"\r\n]*\"|'[^'\r\n]*'|[^\s{#\"'][^\s{]*)")


def _unquoted(data: bytes, start: int, end: int) -> tuple[Mapped, Span]:
    if data[start : start + 1] in (b'"', b"'"):
        start, end = start + 1, end - 1
    return Mapped.plain(data, start, end), Span(0, end - start)


def image_lines(masked: Masked) -> Iterator[tuple[Mapped, Span]]:
    """The value of every line ``image: …`` that does not lie in a block scalar."""
    block: int | None = None
    at = 0
    data = masked.data
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = _LINE.match(data, at, end)
        at = end + 1
        if line is None or not line["rest"].strip():
            continue
        indent = len(line["indent"])
        if block is not None and indent > block:
            continue
        block = indent if _BLOCK.fullmatch(line["rest"]) else None
        image = _IMAGE.match(data, line.start("rest"), line.end("rest"))
        if image and not image["value"].startswith((b"{", b"[", b"&", b"*", b"|", b">")):
            yield _unquoted(data, *image.span("value"))


def behind_actions(masked: Masked) -> Iterator[tuple[Mapped, Span]]:
    """The value of every ``image: …`` that stands behind an action on the same line (``{{ if .x }}image: node``)."""
    for match in _AFTER_ACTION.finditer(masked.original):
        yield _unquoted(masked.data, *match.span("value"))
