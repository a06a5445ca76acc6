"""Proof before writing: the edited file says exactly what was planned, and nothing else changed."""

from __future__ import annotations

from collections.abc import Sequence

from unhub.formats._format import by_name
from unhub.image.errors import SelfCheckFailed
from unhub.image.found import Class, Found, Skipped
from unhub.image.source import FormatSettings, Source
from unhub.migrate.edits import Edit, apply, moved, reverse
from unhub.migrate.look import SkippedFile, look
from unhub.migrate.mapping import Mapper
from unhub.migrate.plan import FilePlan, Item, Plan, Read


def check(plan: Plan, mapper: Mapper, settings: FormatSettings, read: Read) -> None:
    """Check every file that changes, or that reads from one that changes.

    Raises :class:`SelfCheckFailed` with the file and the place of the first disagreement.
    """
    for path, edits in plan.edits.items():
        if apply(plan.after[path], reverse(plan.before[path], edits)) != plan.before[path]:
            raise SelfCheckFailed(f"cannot migrate {path}: undoing the edits does not give the file back")

    def read_after(path: str) -> bytes | None:
        return plan.after[path] if path in plan.after else read(path)

    for file in plan.files:
        if any(item.fix is not None for item in file.items):
            source = Source(file.path, plan.after.get(file.path, file.data), settings, read_after)
            _check_file(file, source, plan.edits.get(file.path, []), mapper)


def _check_file(file: FilePlan, source: Source, edits: Sequence[Edit], mapper: Mapper) -> None:
    again = look(source, by_name(file.format))
    if again is None or isinstance(again, SkippedFile):
        reason = again.reason if again else "its format no longer wants it"
        raise SelfCheckFailed(f"cannot migrate {file.path}: the edited file cannot be read back ({reason})")
    if len(again.references) != len(file.items):
        raise SelfCheckFailed(f"cannot migrate {file.path}: the edited file has {len(again.references)} references, not {len(file.items)}")
    for item, now in zip(file.items, again.references, strict=True):
        if item.fix is None and now.span.start != moved(item.finding.span.start, edits):
            raise SelfCheckFailed(f"cannot migrate {_place(item)}: {item.finding.text!r} is no longer where it was")
        _check_item(item, now, mapper)


def _place(item: Item) -> str:
    return f"{item.path}:{item.line}:{item.column}"


def _check_item(item: Item, now: Found | Skipped, mapper: Mapper) -> None:
    place = _place(item)
    was = item.finding
    if isinstance(was, Found) != isinstance(now, Found):
        raise SelfCheckFailed(f"cannot migrate {place}: {was.text!r} is no longer read in the same way")
    if not isinstance(was, Found) or not isinstance(now, Found):
        return
    planned = item.decision.target if item.fix is not None else was.reference
    if planned is None or now.reference != planned:
        raise SelfCheckFailed(f"cannot migrate {place}: {was.text!r} would become {now.reference}, not {planned}")
    if item.fix is not None and mapper.decide(now, item.path).class_ is Class.MIGRATABLE:
        raise SelfCheckFailed(f"cannot migrate {place}: {now.reference} would be moved once more")
