"""Pinning: a verified digest written behind the tag, ``node:20@sha256:…``, where that can be done without a guess."""

from __future__ import annotations

from unhub.image.found import Found, Part, Role


def can_pin(found: Found) -> str | None:
    """Why no digest can be written behind a reference, ``None`` where it can.

    The bytes that spell its end must spell the tag (or, without one, the name) whole, and nothing else: a tag that is
    a variable of its own has other users, and a tag in a field of its own is a label to many charts.
    """
    if any(part.role is not Role.TEXT for part in found.parts):
        return "its tag stands in a field of its own"
    if found.together is not None:
        return "other commands use the image by this name"
    last = found.parts[-1] if found.parts else None
    if last is None or not last.known or not last.literal or last.span.start == last.span.end:
        return "its end is not spelled out"
    end = f":{found.reference.tag}" if found.reference.tag is not None else found.reference.repository.rpartition("/")[2]
    return None if last.text.endswith(end) else "its tag is the value of a variable"


def end_of(found: Found) -> Part:
    """The part that spells the end of a reference for which :func:`can_pin` finds no obstacle."""
    return found.parts[-1]
