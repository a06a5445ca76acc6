"""Write docs/reference/symptoms.md from src/unhub/data/symptoms.toml; with ``--check`` only say whether it is current."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from scripts.written import write_or_check

from unhub.data.symptoms import Case, Symptom, symptoms

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "symptoms.md"
HEAD = """\
# Symptoms

<!-- Written by `python -m scripts.symptoms` from src/unhub/data/symptoms.toml; do not edit. -->

What `unhub doctor` knows ([how to use it](../howto/doctor.md)). Each entry has its id, a line that shows it, what it
means and what to do. Letter case does not matter, nor whether two words have a hyphen between them. *Unverified* means
that nobody has seen that text with the service itself.

Your own data file may replace an entry by its id, or add one ([settings](configuration.md)).
"""
CHAPTERS = {
    1: "Docker Hub's limits",
    16: "ECR Public's limits",
    20: "Logins and stored credentials",
    39: "AWS: command line and permissions",
    51: "Names, platforms, network",
}


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *_chapters()]).rstrip() + "\n"


def _chapters() -> Iterator[str]:
    for start, rows in groupby(symptoms(), key=lambda symptom: max(number for number in CHAPTERS if number <= symptom.number)):
        yield f"## {CHAPTERS[start]}\n"
        for symptom in rows:
            yield from _entry(symptom)


def _entry(symptom: Symptom) -> Iterator[str]:
    yield f"### {symptom.id}\n"
    yield f"{_text(symptom.title)}. Printed by {symptom.emitter}.\n"
    if symptom.sample:
        yield f"```text\n{symptom.sample}\n```\n"
    yield from _meaning(symptom)
    for case in symptom.case:
        yield f"*{_text(case.title)}:*\n"
        yield from _meaning(case)
    if symptom.notes:
        yield f"{symptom.notes}\n"
    yield f"As of {symptom.date}, {symptom.confidence}. Source: {symptom.source}.\n"


def _meaning(row: Symptom | Case) -> Iterator[str]:
    yield f"{_text(row.cause)}\n"
    for step in row.fix:
        yield f"- {_text(step.do)}"
        if step.run:
            yield f"  `{_text(step.run)}`"
    yield ""


def _text(text: str) -> str:
    """A text with the words that stand where a log gives no value."""
    return re.sub(r" {2,}", " ", re.sub(r"\{[a-z_]+\|([^}]*)\}", r"\1", text)).strip()


def main() -> int:
    """Write the page, or compare it with ``--check``."""
    return write_or_check(PAGE, page(), "symptoms")


if __name__ == "__main__":
    sys.exit(main())
