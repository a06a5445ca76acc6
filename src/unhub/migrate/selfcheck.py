"""Proof before writing: the edited file says exactly what was planned, and nothing else changed."""

from __future__ import annotations

from collections.abc import Sequence

from unhub.formats._format import by_name
from unhub.image.errors import SelfCheckFailed
from unhub.image.found import Class, Found, Skipped
from unhub.image.source import FormatSettings, Source
from unhub.migrate.edits import Edit, apply, moved, reverse
from unhub.migrate.item import FilePlan, Item
from unhub.migrate.look import SkippedFile, look
from unhub.migrate.mapping import Mapper
from unhub.migrate.parallel import spread
from unhub.migrate.plan import Plan, Read, Refusal, refuse


def prove(plan: Plan, mapper: Mapper, settings: FormatSettings, read: Read, *, cores: int = 1) -> None:
    """Check every file with edits, and leave out of the plan what does not stand the check.

    Leaving one file out may leave another alone, so this goes on until nothing more is refused.
    """
    while refusals := _refusals(plan, mapper, settings, read, cores):
        refuse(plan, refusals, read)


def _refusals(plan: Plan, mapper: Mapper, settings: FormatSettings, read: Read, cores: int) -> list[Refusal]:
    for path, edits in plan.edits.items():
        if apply(plan.after[path], reverse(plan.before[path], edits)) != plan.before[path]:
            return [Refusal(path, "undoing the edits does not give the file back")]
    by_path = {file.path: file for file in plan.files if any(item.fix is not None for item in file.items)}

    def read_after(path: str) -> bytes | None:
        return plan.after[path] if path in plan.after else read(path)

    def refusal(path: str) -> Refusal | None:
        file = by_path[path]
        source = Source(path, plan.after.get(path, file.data), settings, read_after)
        try:
            _check_file(file, source, plan.edits.get(path, []), mapper)
        except SelfCheckFailed as error:
            return Refusal(path, error.message)
        return None

    return spread(refusal, list(by_path), cores=cores, done=lambda count: None)


def _check_file(file: FilePlan, source: Source, edits: Sequence[Edit], mapper: Mapper) -> None:
    again = look(source, by_name(file.format))
    if again is None or isinstance(again, SkippedFile):
        reason = again.reason if again else "its format no longer wants it"
        raise SelfCheckFailed(f"the edited file cannot be read back ({reason})")
    if len(again.references) != len(file.items):
        raise SelfCheckFailed(f"the edited file has {len(again.references)} references, not {len(file.items)}")
    for item, now in zip(file.items, again.references, strict=True):
        if item.fix is None and now.span.start != moved(item.finding.span.start, edits):
            raise SelfCheckFailed(f"line {item.line}, column {item.column}: {item.finding.text!r} is no longer where it was")
        _check_item(item, now, mapper)


def _check_item(item: Item, now: Found | Skipped, mapper: Mapper) -> None:
    place = f"line {item.line}, column {item.column}"
    was = item.finding
    if isinstance(was, Found) != isinstance(now, Found):
        raise SelfCheckFailed(f"{place}: {was.text!r} is no longer read in the same way")
    if not isinstance(was, Found) or not isinstance(now, Found):
        return
    planned = item.decision.target if item.fix is not None else was.reference
    if planned is None or now.reference != planned:
        raise SelfCheckFailed(f"{place}: {was.text!r} would become {now.reference}, not {planned}")
    if item.fix is not None and mapper.decide(now, item.path).class_ is Class.MIGRATABLE:
        raise SelfCheckFailed(f"{place}: {now.reference} would be moved once more")
