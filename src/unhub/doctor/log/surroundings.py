"""The lines around a line: what its build step said before, and what went by lately. Bounded."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from unhub.data.symptoms import Place
from unhub.doctor.log.cleaning import Line
from unhub.doctor.log.images import Mention, mentions, place_of

LATELY: Final = 60
"""Lines that are remembered, whatever they belong to."""

STEP_LINES: Final = 20
"""Lines that are remembered of each build step."""

STEPS_MAX: Final = 256
"""Build steps that are remembered, the latest ones."""

TEXT_MAX: Final = 1_000
"""Characters of a remembered line."""


@dataclass(frozen=True)
class Seen:
    """A line that went by; what it speaks of is worked out only when it matters."""

    number: int
    text: str
    step: str | None

    @classmethod
    def of(cls, line: Line) -> Seen:
        """What is to be remembered of a line."""
        return cls(line.number, line.text[:TEXT_MAX], line.step)

    @cached_property
    def images(self) -> tuple[Mention, ...]:
        """The images that the line names."""
        return mentions(self.text)

    @cached_property
    def place(self) -> Place | None:
        """The registry that the line speaks of."""
        return place_of(self.text, self.images)


class Surroundings:
    """What went by, newest last."""

    def __init__(self) -> None:
        self._lately: deque[Seen] = deque(maxlen=LATELY)
        self._steps: OrderedDict[str, deque[Seen]] = OrderedDict()

    def add(self, seen: Seen) -> None:
        """Remember a line, and forget one that is too old."""
        self._lately.append(seen)
        if seen.step is not None:
            self._steps.setdefault(seen.step, deque(maxlen=STEP_LINES)).append(seen)
            self._steps.move_to_end(seen.step)
            if len(self._steps) > STEPS_MAX:
                self._steps.popitem(last=False)

    def before(self, step: str | None) -> Iterator[Seen]:
        """The lines before, nearest first: those of the step, then those that went by lately."""
        own = self._steps.get(step, ()) if step else ()
        yield from reversed(own)
        yield from reversed(self._lately)

    def joined(self, line: Line) -> str:
        """The last lines of the line's step and the line, as one text; lines without a step count as one step."""
        if line.step:
            texts = [seen.text for seen in self._steps.get(line.step, ())]
        else:
            texts = [seen.text for seen in list(self._lately)[-STEP_LINES:] if seen.step is None]
        return "\n".join([*texts, line.text[:TEXT_MAX]])
