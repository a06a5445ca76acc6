"""Findings as GitHub Actions workflow commands, which GitHub shows beside the line of a pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions (2026-11-23).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from unhub.image.found import Class
from unhub.migrate.item import Item
from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import class_of, target

LEVELS: Final = {
    Class.MIGRATABLE: "warning",
    Class.CONFLICT: "warning",
    Class.MIGRATED: "notice",
    Class.NO_TARGET: "notice",
    Class.VARIABLE: "notice",
    Class.SHORT_NAME: "notice",
    Class.INVALID: "notice",
}
"""What is worth a mark; the other classes need nothing done."""


def render(plan: Plan, *, everything: bool = False) -> Iterator[str]:
    """One command a reference that needs something, then one a file that could not be read."""
    for item in plan.items:
        level = LEVELS.get(class_of(item), "notice" if everything else None)
        if level:
            yield _command(level, item)
    for file in plan.skipped:
        if file.unreadable:
            yield f"::warning file={_property(file.path)},title=unhub: unreadable::{_data(file.reason)}\n"


def _command(level: str, item: Item) -> str:
    return annotation(level, item, f"unhub: {class_of(item)}", message(item))


def annotation(level: str, item: Item | None, title: str, text: str) -> str:
    """One command: at the place of a reference, or, for ``None``, at no place."""
    if item is None:
        return f"::{level} title={_property(title)}::{_data(text)}\n"
    place = f"file={_property(item.path)},line={item.line},col={item.column}"
    if "\n" not in item.finding.text:
        place += f",endColumn={item.column + len(item.finding.text)}"
    return f"::{level} {place},title={_property(title)}::{_data(text)}\n"


def message(item: Item) -> str:
    """What is to be said of a reference, in one sentence."""
    said = f"{item.finding.text} ({item.finding.where})"
    where_to = target(item)
    if item.applied:
        said += f" is now {where_to}"
    elif item.decision.class_ is Class.MIGRATABLE:
        said += f" can move to {where_to}"
    evidence = item.decision.evidence
    if evidence is not None and where_to is not None and item.fix is not None:
        said += f" (verified: {evidence.verdict})"
    return f"{said}: {item.decision.reason}" if item.decision.reason else said


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
