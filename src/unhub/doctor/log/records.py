"""A report as one JSON object (docs/reference/symptoms.md names the ids)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from unhub.doctor.log.explaining import Explained, Report, Sign


def render(report: Report) -> str:
    """The object, with ``"schema": 1``."""
    return json.dumps(record(report), indent=1, ensure_ascii=False) + "\n"


def record(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "schema": 1,
        "causes": [_cause(cause) for cause in report.causes],
        "warnings": [_cause(warning) for warning in report.warnings],
        "unknown": [dataclasses.asdict(line) for line in report.unknown],
        "summary": {
            "lines": report.lines,
            "causes": len(report.causes),
            "warnings": len(report.warnings),
            "unknown": report.unknown_count,
            "consequences": report.consequences,
            "left_out": report.left_out,
        },
    }


def _cause(cause: Explained) -> dict[str, Any]:
    return {
        "id": cause.id,
        "title": cause.title,
        "why": cause.why,
        "where": cause.where,
        "do": [{"text": step.do, "command": step.run} for step in cause.steps],
        "images": [dataclasses.asdict(image) for image in cause.images],
        "line": cause.line,
        "text": cause.text,
        "lines": list(cause.lines),
        "count": cause.count,
        "signs": [_sign(sign) for sign in cause.signs],
        "follow_ups": [_sign(sign) for sign in cause.follow_ups],
        "source": cause.source,
        "confidence": cause.confidence,
        "date": cause.date.isoformat(),
    }


def _sign(sign: Sign) -> dict[str, Any]:
    return dataclasses.asdict(sign)
