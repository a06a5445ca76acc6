"""From the parts that spell a reference to a finding: evaluate, parse, judge."""

from __future__ import annotations

from collections.abc import Sequence

from unhub.formats._text import Mapped, decode
from unhub.image.errors import InvalidReference
from unhub.image.found import Class, Found, Part, PulledBy, Role, Safety, Skipped, Span, Wrap
from unhub.image.reference import Reference, written_name_length

_FIELDS = (Role.REGISTRY, Role.REPOSITORY, Role.TAG, Role.DIGEST)


def written(parts: Sequence[Part]) -> str:
    """The reference that parts spell, as far as they are known."""
    if not any(part.role is Role.REPOSITORY for part in parts):
        return "".join([part.text for part in parts])
    registry, repository, tag, digest = ("".join(part.text for part in parts if part.role is role) for role in _FIELDS)
    name = f"{registry}/{repository}" if registry else repository
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _known_head(parts: Sequence[Part]) -> str | None:
    """What stands before the first unknown part, or ``None`` where every part is known."""
    head: list[Part] = []
    for part in parts:
        if not part.known:
            return written(head)
        head.append(part)
    return None


def literal(data: bytes, start: int, end: int) -> tuple[Part, ...]:
    """The one part of a reference written out at ``start`` to ``end``."""
    return (Part(decode(data[start:end]), Span(start, end)),)


def mapped(text: Mapped, span: Span) -> tuple[Part, ...]:
    """The parts of a reference that is spelled by a span of a mapped text."""
    whole = Part(decode(text.data[span.start : span.end]), span)
    return tuple(text.parts(whole))


def build(
    data: bytes,
    span: Span,
    parts: Sequence[Part],
    *,
    where: str,
    pulled_by: PulledBy,
    note: str | None = None,
    safety: Safety = Safety.SAFE,
    short_name: bool = False,
    context_name: str | None = None,
    selected_as: str | None = None,
    host_name: str | None = None,
    host_wrap: Wrap | None = None,
) -> Found | Skipped:
    """Judge the reference that ``parts`` spell and ``span`` shows in ``data``.

    Yields ``Skipped`` with class ``variable`` where the name is not fully known, and
    ``invalid`` where the text is no reference. A known name with an unknown tag is
    ``Found`` and ``unsafe``; its reference then has no tag.
    """
    text = decode(data[span.start : span.end])

    def skip(class_: Class, reason: str) -> Skipped:
        return Skipped(span, text, where, class_, reason, pulled_by)

    head = _known_head(parts)
    evaluated = written(parts)
    if head is not None:
        unknown = next(part for part in parts if not part.known)
        by_field = any(part.role is Role.REPOSITORY for part in parts)
        name_known = unknown.role in (Role.TAG, Role.DIGEST) if by_field else written_name_length(head) < len(head)
        variable = decode(data[unknown.span.start : unknown.span.end]) if unknown.path is None else unknown.text
        if not name_known:
            return skip(Class.VARIABLE, f"the value of {variable or text} is not known here")
        evaluated = (head if by_field else head[: written_name_length(head)]).partition("@")[0]
        if by_field:
            evaluated = evaluated[: written_name_length(evaluated)]
        safety = Safety.UNSAFE if safety is Safety.SAFE else safety
        note = note or f"the value of {variable} is not known here"
    try:
        reference = Reference.parse(evaluated)
    except InvalidReference as error:
        if not evaluated.strip():
            return skip(Class.INVALID, "the reference is empty")
        return skip(Class.INVALID, f"not an image reference: {error.reason}")
    if not _name_is_literal(parts):
        safety = Safety.SHOWN
        note = note or "the name is written with escapes, so its bytes cannot be replaced"
    return Found(
        span=span,
        text=text,
        where=where,
        pulled_by=pulled_by,
        parts=tuple(parts),
        reference=reference,
        safety=safety,
        note=note,
        short_name=short_name,
        context_name=context_name,
        selected_as=selected_as,
        host_name=host_name,
        host_wrap=host_wrap,
    )


def _name_is_literal(parts: Sequence[Part]) -> bool:
    """Whether every part that spells some of the name can be replaced; tag and digest are never written."""
    if any(part.role is Role.REPOSITORY for part in parts):
        return all(part.literal for part in parts if part.role in (Role.TEXT, Role.REGISTRY, Role.REPOSITORY))
    head = _known_head(parts)
    end = written_name_length(written(parts) if head is None else head)
    place = 0
    for part in parts:
        if place < end and not part.literal:
            return False
        place += len(part.text)
    return True
