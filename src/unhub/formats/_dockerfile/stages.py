"""The stages of a Dockerfile, and what a name means among them (rules #15 to #20).

Source: ``addState``, ``findStateByName`` and ``toCommand`` in ``frontend/dockerfile/dockerfile2llb/convert.go`` of
moby/buildkit.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

from unhub.formats._dockerfile.value import Value

SCRATCH = "scratch"
_INTEGER = re.compile(r"[+-]?[0-9]+")


class Stages(Struct):
    """The names of all stages, in lower case, with the numbers of the stages that bear them."""

    count: int = 0
    by_name: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def add(self, name: str | None) -> None:
        """Count one more stage."""
        if name:
            self.by_name.setdefault(name.lower(), []).append(self.count)
        self.count += 1

    def base(self, value: Value, stage: int) -> str | None:
        """Why the name in the ``FROM`` of ``stage`` is no image, or ``None``.

        Compared as written: a stage's own name is kept in lower case, and only stages above count.
        A name with an unknown part that fits stages above is taken for theirs: the usual way
        to choose a stage by platform.
        """
        if value.known:
            if value.text == SCRATCH:
                return "scratch is the empty image, nothing is pulled"
            return f"{value.text} is a stage above" if self._is_above(value.text, stage) else None
        if not value.text:
            return None
        pattern = re.compile("".join(re.escape(part.text) if part.known else ".*" for part in value.parts))
        fitting = [name for name in self.by_name if self._is_above(name, stage) and pattern.fullmatch(name)]
        return f"{value.reason}; stages above fit: {', '.join(fitting[:4])}{' …' * (len(fitting) > 4)}" if fitting else None

    def _is_above(self, name: str, stage: int) -> bool:
        return name in self.by_name and self.by_name[name][0] < stage

    def source(self, name: str, stage: int) -> str | None:
        """Why a name in ``COPY --from`` or a mount of ``stage`` is no image, or ``None``: it may be any stage's, in any case."""
        if is_integer(name):
            above = 0 <= int(name) < stage
            return "the number of a stage above, counted from 0" if above else f"there is no stage {name} above; BuildKit refuses that"
        if name == SCRATCH:
            return "scratch is the empty image, nothing is pulled"
        numbers = self.by_name.get(name.lower())
        if numbers is None:
            return None
        return f"{name} is a stage above" if numbers[0] < stage else f"{name} is this very stage or a later one; BuildKit refuses that"


def is_integer(text: str) -> bool:
    """Whether Go's ``strconv.Atoi`` reads the text as a number."""
    return _INTEGER.fullmatch(text) is not None
