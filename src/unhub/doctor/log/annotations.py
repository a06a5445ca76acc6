"""A report as GitHub Actions workflow commands, which GitHub shows on the page of the run.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Iterator

from unhub.doctor.log.explaining import Explained, Report


def render(report: Report) -> Iterator[str]:
    """One command a cause and a warning; what is unknown is one notice."""
    for cause in report.causes:
        yield _command("error", cause)
    for warning in report.warnings:
        yield _command("warning", warning)
    if not report.causes and report.unknown:
        lines = "\n".join(f"{line.line}: {line.text}" for line in report.unknown)
        yield f"::notice title=unhub: unknown errors::{_data(lines)}\n"


def _command(level: str, cause: Explained) -> str:
    moves = [f"{image.label} {image.reference} -> {image.target}" for image in cause.images if image.target]
    steps = [text for step in cause.steps for text in (step.do, step.run) if text]
    text = "\n".join([f"{cause.text} (line {cause.line})", cause.why, *([cause.where] if cause.where else []), *moves, *steps])
    return f"::{level} title={_property(f'unhub: {cause.title}')}::{_data(text)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
