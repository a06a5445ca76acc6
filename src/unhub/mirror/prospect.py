"""What a flight knows of its end, and what it learned of those whom it asked: so that waiting can be promised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from unhub.mirror.sources import Fallback

LOOK_AGAIN: Final = 5.0
"""Seconds between two free looks at an upstream whose pulls are used up."""

FIRST_LOOK: Final = 0.5
"""Seconds before the first look after a fault, doubled at each."""


@dataclass(slots=True)
class Prospect:
    """What a flight knows of its end: ``at`` is a time of the clock, ``None`` where it cannot be told."""

    at: float | None = None
    cause: str = ""
    limited: bool = False


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
