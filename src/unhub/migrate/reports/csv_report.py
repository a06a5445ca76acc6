"""Findings as CSV (RFC 4180), for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import FIELDS, record

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(plan: Plan) -> str:
    """One line a finding, the fields of the JSON in its order; absent values are empty."""
    rows = (record(item, file.format) for file in plan.files for item in file.items)
    return table(FIELDS, (list(row.values()) for row in rows))


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV text whose cells no spreadsheet takes for a formula: a quote mark stands before such a text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heading)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
