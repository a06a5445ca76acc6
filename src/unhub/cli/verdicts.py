"""The verdicts of checks, for people and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from unhub.cli.output import printable, styled
from unhub.doctor.verdict import Checked, Status

COLOURS: Final = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red", Status.SKIPPED: "dim"}
PROSE_COLUMNS: Final = 100


@dataclass(frozen=True, slots=True)
class Sheet:
    """How to write verdicts: in how many columns, with colours or not, with the evidence of what is well or not."""

    columns: int | None = None
    colours: bool = False
    everything: bool = False

    def lines(self, checked: Sequence[Checked]) -> Iterator[str]:
        """A block a check, then what it comes to."""
        longest = max(len(one.title) for one in checked)
        for one in checked:
            yield from self._check(one, longest)
        counts = Counter(one.verdict.status for one in checked)
        yield ""
        yield styled(", ".join(f"{counts[status]} {status}" for status in Status if counts[status]), "bold", on=self.colours)

    def _check(self, one: Checked, longest: int) -> Iterator[str]:
        verdict = one.verdict
        word = styled(verdict.status.ljust(8), COLOURS[verdict.status], on=self.colours)
        indent = " " * (11 + longest)
        first, *rest = self._wrapped(verdict.says, indent)
        yield f"{word} {one.title.ljust(longest)}  {first.strip()}"
        yield from rest
        if self.everything or verdict.status in (Status.WARNING, Status.FAILED):
            for line in verdict.evidence:
                yield from self._wrapped(line, indent)
        for remedy in verdict.remedies:
            yield from self._wrapped(f"-> {remedy.do}", indent)
            if remedy.run:
                yield f"{indent}     {styled(printable(remedy.run), 'bold', on=self.colours)}"

    def _wrapped(self, text: str, indent: str) -> list[str]:
        columns = max(min(self.columns or PROSE_COLUMNS, PROSE_COLUMNS + len(indent)), len(indent) + 20)
        return textwrap.wrap(
            printable(text), columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
        ) or [indent]


def render_json(checked: Sequence[Checked]) -> str:
    """One object with ``"schema": 1``."""
    counts = Counter(one.verdict.status for one in checked)
    rows = [_row(one) for one in checked]
    summary = {str(status): counts[status] for status in Status}
    return json.dumps({"schema": 1, "checks": rows, "summary": summary}, indent=1, ensure_ascii=False) + "\n"


def _row(one: Checked) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "status": str(one.verdict.status),
        "says": one.verdict.says,
        "evidence": list(one.verdict.evidence),
        "do": [{"text": remedy.do, "command": remedy.run} for remedy in one.verdict.remedies],
    }
