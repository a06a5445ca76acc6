"""Image positions of HCL files, turned into findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from unhub.formats import _build
from unhub.formats._hcl.nodes import Template
from unhub.formats._hcl.values import Values, is_empty, shown_span
from unhub.formats._text import decode, encode
from unhub.formats._yaml.nodes import Node
from unhub.image.found import Class, Found, Part, PulledBy, Skipped, Span


def images(
    data: bytes, values: Values, node: Node, where: str, pulled_by: PulledBy, *, scheme: str = "", note: str | None = None
) -> Iterator[Found | Skipped]:
    """A finding for each value that an expression may have; none where it has none.

    ``scheme`` is what stands before the reference; it must be there already (:func:`starts_with`).
    """
    for option in values.options(node):
        if is_empty(option):
            continue
        inner = _trimmed(option) if isinstance(option, Template) else None
        parts = values.parts(option, inner)
        span = option.mapped.outer(inner) if isinstance(option, Template) and inner else option.span
        if scheme:
            here = decode(data[span.start : span.end]).startswith(scheme)
            span = Span(span.start + len(scheme), span.end) if here else span
            parts = without_scheme(parts, scheme)
        yield _build.build(data, span, parts, where=where, pulled_by=pulled_by, note=note)


def _trimmed(template: Template) -> Span:
    text = template.mapped.data
    start = len(text) - len(text.lstrip())
    return Span(start, max(start, len(text.rstrip())))


def skipped(data: bytes, node: Node, where: str, class_: Class, reason: str, *, pulled_by: PulledBy | None = PulledBy.BUILD) -> Skipped:
    """A value that is left as it is."""
    span = shown_span(node)
    return Skipped(span, decode(data[span.start : span.end]), where, class_, reason, pulled_by)


def known_text(parts: Sequence[Part]) -> str | None:
    """The text that parts spell, where all of them are known."""
    return "".join(part.text for part in parts) if all(part.known for part in parts) else None


def starts_with(parts: Sequence[Part], scheme: str) -> bool:
    """Whether what is known of a text begins with a scheme."""
    head = ""
    for part in parts:
        if not part.known:
            break
        head += part.text
    return head.lower().startswith(scheme)


def without_scheme(parts: Sequence[Part], scheme: str) -> list[Part]:
    """The parts behind a scheme."""
    left = len(scheme)
    rest: list[Part] = []
    for part in parts:
        cut = min(left, len(part.text))
        left -= cut
        if not part.known or cut < len(part.text) or not left:
            width = len(encode(part.text[:cut])) if part.literal else 0
            kept = replace(part, text=part.text[cut:], span=Span(part.span.start + width, part.span.end))
            if kept.text or not part.text:
                rest.append(kept)
    return rest
