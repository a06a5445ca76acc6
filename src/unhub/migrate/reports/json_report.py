"""The JSON of findings (docs/contracts.md, section 4): one object, one finding a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import SCHEMA, Record, record, summary


def render(plan: Plan, run: str | None = None) -> Iterator[str]:
    r"""The object in pieces, so that a large one need not be held twice.

    Pure ASCII; a byte of a name that is not UTF-8 is a lone surrogate (``\udcff`` for FF),
    as Python's ``surrogateescape`` reads it.
    """
    findings = (record(item, file.format) for file in plan.files for item in file.items)
    skipped = ({"path": file.path, "format": file.format, "reason": file.reason} for file in plan.skipped)
    yield f'{{"schema": {SCHEMA},\n "findings": ['
    yield from _rows(findings)
    yield '],\n "skipped": ['
    yield from _rows(skipped)
    yield f'],\n "summary": {json.dumps(summary(plan, run))}}}\n'


def _rows(rows: Iterator[Record] | Iterator[dict[str, str | None]]) -> Iterator[str]:
    separator = "\n  "
    for row in rows:
        yield separator + json.dumps(row)
        separator = ",\n  "
