"""The JSON of findings (docs/contracts.md, section 4): one object, one finding a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from unhub.migrate.look import SkippedFile
from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import SCHEMA, Record, record, summary


def render(plan: Plan, run: str | None = None) -> Iterator[str]:
    r"""The object in pieces, so that a large one need not be held twice.

    ``skipped`` holds the files that were not looked at; ``unreadable`` says whether they should
    have been (a link need not be: its target is looked at where it lies). Pure ASCII; a byte of
    a name that is not UTF-8 is a lone surrogate (``\udcff`` for FF), as Python's
    ``surrogateescape`` reads it.
    """
    findings = (record(item, file.format) for file in plan.files for item in file.items)
    skipped = (_skipped(file) for file in plan.skipped)
    yield f'{{"schema": {SCHEMA},\n "findings": ['
    yield from _rows(findings)
    yield '],\n "skipped": ['
    yield from _rows(skipped)
    yield f'],\n "summary": {json.dumps(summary(plan, run))}}}\n'


def _skipped(file: SkippedFile) -> Record:
    return {"path": file.path, "format": file.format, "reason": file.reason, "unreadable": file.unreadable}


def _rows(rows: Iterable[Record]) -> Iterator[str]:
    separator = "\n  "
    for row in rows:
        yield separator + json.dumps(row)
        separator = ",\n  "
