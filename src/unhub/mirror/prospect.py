"""What a flight knows of its end, and what it learned of those whom it asked: so that waiting can be promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from unhub.mirror.sources import Fallback

NEAR: Final = 1.0
"""Seconds before the end in which nobody is sent away any more: coming again would take longer."""

LOOK_AGAIN: Final = 5.0
"""Seconds between two free looks at an upstream whose pulls are used up."""

FIRST_LOOK: Final = 0.5
"""Seconds before the first look after a fault, doubled at each."""


def _nobody_knows() -> None:
    return None


@dataclass(slots=True)
class Prospect:
    """What a flight knows of its end: ``due`` tells the seconds until then as they are now, ``None`` where nobody can tell.

    ``landed`` says that the content is here already, and is only being stored.
    """

    due: Callable[[], float | None] = _nobody_knows
    cause: str = ""
    limited: bool = False
    landed: bool = False

    @property
    def left(self) -> float | None:
        """Seconds until the end, or ``None``."""
        return self.due()

    @property
    def is_near(self) -> bool:
        """Whether it ends so soon that who waits had better wait a little longer."""
        left = self.left
        return self.landed or (left is not None and left <= NEAR)


@dataclass(slots=True)
class Tried:
    """What a flight learned of its fallbacks, by name: who does not have the digest, and who failed and rests until the next look.

    A fallback that failed once is asked once more at once: one broken connection says nothing about the next.
    """

    lacking: set[str] = field(default_factory=set[str])
    resting: set[str] = field(default_factory=set[str])
    failed: set[str] = field(default_factory=set[str])
    looks: int = 0

    def may_ask(self, fallback: Fallback) -> bool:
        """Whether it may have the digest, and may be asked now."""
        return fallback.rules.name not in self.lacking and fallback.rules.name not in self.resting

    def note_failure(self, fallback: Fallback) -> None:
        """It did not answer, or with what cannot be used."""
        name = fallback.rules.name
        if name in self.failed:
            self.resting.add(name)
        self.failed.add(name)

    def pause(self) -> float:
        """Seconds until the next look: few at first. Those who rest may be asked after it."""
        self.resting.clear()
        self.failed.clear()
        self.looks += 1
        return min(LOOK_AGAIN, FIRST_LOOK * 2 ** (self.looks - 1))
