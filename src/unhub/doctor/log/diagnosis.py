"""A log from its first byte to its causes, in one pass and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import BinaryIO, Final

from unhub.data.symptoms import Consequence, Symptom
from unhub.doctor.log.cleaning import Line, messages
from unhub.doctor.log.events import NEIGHBOURS, Event, innermost_first
from unhub.doctor.log.findings import Findings
from unhub.doctor.log.matching import Match, Matcher
from unhub.doctor.log.ranking import Ranked, ranked
from unhub.doctor.log.reading import RawLine, lines
from unhub.doctor.log.surroundings import STEP_LINES, Seen, Surroundings
from unhub.doctor.log.unknown import Unknown

OPEN_MAX: Final = 64
"""Events that wait for the lines behind them at the same time."""


class Diagnosis:
    """Looks at a log line by line; :meth:`end` then tells what it comes to.

    ``unknown`` holds the lines that look like errors and match nothing, ``lines`` the number of the last line.
    """

    def __init__(self, symptoms: Iterable[Symptom], consequences: Iterable[Consequence]) -> None:
        self._matcher = Matcher(symptoms)
        self._around = Surroundings()
        self._open: deque[Event] = deque()
        self._findings = Findings()
        self.unknown = Unknown(consequences)
        self.lines = 0

    def read(self, stream: BinaryIO) -> Ranked:
        """Everything of a stream, to its end. Raises :class:`OSError` where it cannot be read."""
        for raw in lines(stream):
            self.line(raw)
        return self.end()

    def line(self, raw: RawLine) -> None:
        """The next line, or the next piece of a long one."""
        self.lines = raw.number
        found = list(messages(raw))
        known = [self._message(message) for message in found]
        if not any(known):  # a logger's line may hold the cause and, beside it, words that only announce it
            for message in found:
                self.unknown.add(message)

    def end(self) -> Ranked:
        """The causes, after the last line."""
        while self._open:
            self._close(self._open.popleft())
        return ranked(self._findings.all())

    @property
    def left_out(self) -> int:
        """Signs of causes beyond the number that is kept."""
        return self._findings.left_out

    def _message(self, line: Line) -> bool:
        """Look at a message, and tell whether it shows a symptom."""
        seen = Seen.of(line)
        for event in self._open:
            event.behind.append(seen)
        while self._open and not self._open[0].is_open():
            self._close(self._open.popleft())
        matches = self._matches(line)
        if matches:
            before = tuple(dict.fromkeys(_nearest(self._around, line.step)))
            self._open.append(Event(line, innermost_first(matches), before))
            if len(self._open) > OPEN_MAX:
                self._close(self._open.popleft())
        self._around.add(seen)
        return bool(matches)

    def _matches(self, line: Line) -> list[Match]:
        return self._matcher.line(line.text) + (self._matcher.joined(self._around.joined(line)) if _may_span(line.text) else [])

    def _close(self, event: Event) -> None:
        event.matches = [match for match in event.matches if event.is_failure(match)]
        if event.matches:
            self._findings.add(event)


def _nearest(around: Surroundings, step: str | None) -> list[Seen]:
    return [seen for seen, _ in zip(around.before(step), range(STEP_LINES + NEIGHBOURS), strict=False)]


def _may_span(text: str) -> bool:
    """Whether a line may be the last of a symptom that spans several: all of them end in a 429 or its JSON."""
    lowered = text.lower()
    return "429" in lowered or "toomanyrequests" in lowered or "too many requests" in lowered or "get https://registry-1" in lowered
