"""What becomes of an image that a log names: the decision of ``unhub migrate``, for a reference without a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unhub.doctor.log.images import Mention
from unhub.image.found import Class, Found, PulledBy, Span
from unhub.migrate.mapping import Mapper


@dataclass(frozen=True, slots=True)
class Moved:
    """An image as a file names it (``label`` is the word before it), its new name or ``None``, and the reason."""

    label: str
    reference: str
    target: str | None
    reason: str | None


Target = Callable[[Mention], Moved]
"""Tells what becomes of an image."""


def target_by(mapper: Mapper) -> Target:
    """The decisions of a mapper, with rules and targets as the user's settings have them."""

    def moved(mention: Mention) -> Moved:
        text = mention.reference.familiar()
        found = Found(Span(0, len(text)), text, "log", PulledBy.BUILD, (), mention.reference)
        decision = mapper.decide(found, "")
        movable = decision.class_ is Class.MIGRATABLE and decision.target is not None
        target = str(decision.target) if movable else None
        return Moved(mention.label or "FROM", text, target, None if movable else decision.reason)

    return moved
