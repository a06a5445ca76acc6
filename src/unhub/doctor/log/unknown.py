"""Lines that look like errors and match nothing: told as unknown, never as explained."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from unhub.data.symptoms import Consequence, loose
from unhub.doctor.log.cleaning import Line

KEPT: Final = 5
"""How many of the first, and of the last, such lines are kept."""

LOOKED_AT: Final = 2_000
"""Characters of a line that are looked at."""

_WORDS = (
    "err", "fail", "fatal", "denied", "refused", "cannot", "can't", "unable", "exception", "panic", "traceback", "not found",
    "no such", "unauthor", "forbidden", "timed out", "exit", "returned", "non-zero", "***", "phase", "canceled", "------",
)  # fmt: skip
"""One of these is in every line that matters here, in lower case."""

_ERROR = re.compile(
    r"""
      \b(?:error|fatal|panic|traceback|exception)\b(?!\s{0,3}[=:]\s{0,3}(?:0|none|null|false)\b)(?!_)
    | \w(?:Error|Exception)\b
    | \b(?:failed|failure|cannot|can't|unable\ to|denied|refused|unauthorized|forbidden|timed\ out)\b
    | \b(?:exit(?:ed)?|returned)\b.{0,30}?\b(?:status|code)\b.{0,5}?[1-9]
    | \bERR!\ | \bcommand\ not\ found\b | \bNo\ such\ file\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_HARMLESS = re.compile(r"\b0 (?:errors|failed|failures)\b|\bno errors?\b|--?fail\b|\bfailed: 0\b|error(?:s)?: 0\b", re.IGNORECASE)


class Unknown:
    """Collects error-like lines, the first and the last ones, and counts the lines that always follow a failure."""

    def __init__(self, consequences: Iterable[Consequence]) -> None:
        self._consequences = tuple(consequences)
        self._first: list[Line] = []
        self._last: deque[Line] = deque(maxlen=KEPT)
        self.count = 0
        self.follow_ups = 0
        self.first_follow_up: Line | None = None

    def add(self, line: Line) -> None:
        """Look at a line that shows no symptom."""
        text = line.text[:LOOKED_AT]
        lowered = text.lower()
        for word in _WORDS:
            if word in lowered:
                self._judge(line, text)
                return

    def _judge(self, line: Line, text: str) -> None:
        if any(loose(consequence.pattern).search(text) for consequence in self._consequences):
            self.follow_ups += 1
            self.first_follow_up = self.first_follow_up or line
        elif _ERROR.search(text) and not _HARMLESS.search(text):
            self._keep(line)

    def _keep(self, line: Line) -> None:
        self.count += 1
        if len(self._first) < KEPT:
            self._first.append(line)
        else:
            self._last.append(line)

    def lines(self) -> list[Line]:
        """The lines to show, in their order."""
        return [*self._first, *self._last]
