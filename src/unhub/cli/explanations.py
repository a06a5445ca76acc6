"""The explanation of a log for people: the cause, the line, why, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from unhub.cli.output import printable, styled
from unhub.doctor.log.explaining import Explained, Report, Sign

LINE_MAX: Final = 300
"""Characters of a log's line that are shown."""

PROSE_COLUMNS: Final = 100
"""Columns of prose where nobody's terminal tells."""


@dataclass(frozen=True, slots=True)
class Pages:
    """How to write: in how many columns, with colours or not."""

    columns: int | None = None
    colours: bool = False

    def report(self, report: Report) -> Iterator[str]:
        """Every line about a log."""
        for cause in report.causes:
            yield from self._cause(cause, "red")
            yield ""
        for warning in report.warnings:
            yield from self._cause(warning, "yellow")
            yield ""
        if not report.causes:
            yield from self._unknown(report)
        yield from self._wrapped("", _summary(report))

    def _cause(self, cause: Explained, colour: str) -> Iterator[str]:
        times = "" if cause.count == 1 else f", {cause.count} times"
        yield f"{self._paint(printable(cause.title), 'bold', colour)}  {self._paint(f'line {cause.line}{times}', 'dim')}"
        yield f"  {self._paint(_shown(cause.text), 'cyan')}"
        yield ""
        yield from self._wrapped("  Why    ", printable(cause.why))
        if cause.where:
            yield from self._wrapped("  Where  ", printable(cause.where))
        yield from self._do(cause)
        if cause.follow_ups:
            yield from self._wrapped("  Then   ", f"follows from this: {'; '.join(map(_sign, cause.follow_ups))}")
        yield from self._wrapped("  From   ", printable(_from(cause)))

    def _do(self, cause: Explained) -> Iterator[str]:
        start = "  Do     "
        for image in cause.images:
            text = printable(f"{image.label} {image.reference}")
            if image.target:
                yield f"{start}{text} -> {self._paint(printable(image.target), 'green')}"
            else:
                yield from self._wrapped(start, f"{text} stays: {printable(image.reason or 'it has no copy')}")
            start = " " * len(start)
        for step in cause.steps:
            yield from self._wrapped(start, printable(step.do))
            start = " " * len(start)
            if step.run:
                yield f"{start}  {self._paint(printable(step.run), 'bold')}"

    def _unknown(self, report: Report) -> Iterator[str]:
        if not report.unknown:
            return
        yield self._paint("unhub does not know these errors:", "bold")
        for line in report.unknown:
            yield f"  {line.line}  {_shown(line.text)}"
        if report.unknown_count > len(report.unknown):
            yield f"  and {report.unknown_count - len(report.unknown)} more between the first and the last"
        yield ""

    def _wrapped(self, start: str, text: str) -> Iterator[str]:
        columns = min(self.columns or PROSE_COLUMNS, PROSE_COLUMNS)
        yield from textwrap.wrap(
            text, columns, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False, break_long_words=False
        )

    def _paint(self, text: str, *names: str) -> str:
        return styled(text, *names, on=self.colours)


def _shown(text: str) -> str:
    text = printable(text.strip())
    return text if len(text) <= LINE_MAX else f"{text[:LINE_MAX]} …"


def _sign(sign: Sign) -> str:
    times = "" if sign.count == 1 else f", {sign.count} times"
    return printable(f"{sign.title} (line {sign.line}{times})")


def _from(cause: Explained) -> str:
    ids = ", ".join(sign.id for sign in cause.signs)
    sure = "" if cause.confidence == "source" else f", {cause.confidence}"
    return f"{ids} (as of {cause.date.isoformat()}{sure})"


def _summary(report: Report) -> str:
    known = _count(len(report.causes), "cause") if report.causes else "no known cause"
    text = f"{known} in {_count(report.lines, 'line')}"
    if report.warnings:
        text += f"; {_count(len(report.warnings), 'warning')}"
    if report.causes and report.unknown_count:
        lines = (
            f"; {_count(report.unknown_count, 'other line')} looked like errors"
            if report.unknown_count > 1
            else "; 1 other line looked like an error"
        )
        text += f"{lines} and {'are' if report.unknown_count > 1 else 'is'} not explained, the first is line {report.unknown[0].line}"
    if report.left_out:
        text += f"; {report.left_out} signs of further causes were not kept"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
