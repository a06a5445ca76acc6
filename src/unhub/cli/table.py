"""The table of references for people: one block a file, then what it all comes to."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from unhub.cli.output import printable, styled, width
from unhub.image.found import Class
from unhub.migrate.item import FilePlan, Item
from unhub.migrate.plan import Plan
from unhub.migrate.reports.records import by_class, by_registry, class_of, target

QUIET = frozenset({Class.STAGE, Class.BUILD_OUTPUT})
"""Classes that are only counted, unless everything is asked for: nobody pulls them."""

LONG = 80
"""Characters of a reason above which it becomes a note below the table, said once."""

_COLOURS = {
    Class.MIGRATABLE: "yellow",
    Class.MIGRATED: "green",
    Class.CONFLICT: "red",
    Class.INVALID: "red",
    Class.ALREADY_MIRRORED: "green",
}


@dataclass(slots=True)
class Table:
    """How to draw: in how many columns (``None`` = as many as it takes), with colours or not, everything or not."""

    columns: int | None = None
    colours: bool = False
    everything: bool = False
    _notes: dict[str, int] = field(default_factory=dict)

    def files(self, plan: Plan) -> Iterator[str]:
        """The lines about references, file by file, and the notes that several of them share."""
        for file in plan.files:
            items = [item for item in file.items if self.everything or item.decision.class_ not in QUIET]
            if items:
                yield from self._file(file, items)
                yield ""
        for note, number in self._notes.items():
            yield from self._wrapped(f"({number}) ", printable(note))
        if self._notes:
            yield ""

    def _file(self, file: FilePlan, items: list[Item]) -> Iterator[str]:
        yield f"{self._paint(printable(file.path), 'bold')}  {self._paint(file.format, 'dim')}"
        places = [f"{item.line}:{item.column}" for item in items]
        wheres = [printable(item.finding.where) for item in items]
        texts = [printable(item.finding.text) for item in items]
        spread = (max(map(len, places)), min(max(map(width, wheres)), 32), min(max(map(width, texts)), 56))
        for item, *cells in zip(items, places, wheres, texts, strict=True):
            yield from self._row(item, cells, spread)

    def _row(self, item: Item, cells: list[str], spread: tuple[int, int, int]) -> Iterator[str]:
        place, where, text = cells
        left = f"  {place.rjust(spread[0])}  {_padded(where, spread[1])}  {_padded(text, spread[2])}"
        verdict = self._verdict(item)
        colour = _COLOURS.get(class_of(item))
        if self.columns is None or width(left) + 2 + width(verdict) <= self.columns:
            yield f"{left}  {self._paint(verdict, colour)}"
            return
        yield left.rstrip()
        indent = " " * (spread[0] + 6)
        for line in textwrap.wrap(verdict, max(self.columns - len(indent), 20), break_on_hyphens=False):
            yield indent + self._paint(line, colour)

    def _verdict(self, item: Item) -> str:
        class_, reason = class_of(item), item.decision.reason
        moves = class_ in (Class.MIGRATABLE, Class.MIGRATED)
        verdict = f"-> {target(item)}" if moves else str(class_)
        if not reason:
            return printable(verdict)
        if moves or len(reason) > LONG:
            return printable(f"{verdict} ({self._notes.setdefault(reason, len(self._notes) + 1)})")
        return printable(f"{verdict}: {reason}")

    def summary(self, plan: Plan) -> Iterator[str]:
        """What it comes to: classes, registries, and everything that was not looked at."""
        counts = by_class(plan)
        total = sum(counts.values())
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        headline = f"{_count(total, 'reference')} in {_count(len(plan.files), 'file')}" + (f": {said}" if said else "")
        for line in self._wrapped("", headline):
            yield self._paint(line, "bold")
        registries = by_registry(plan)
        longest = max((width(name) for name in registries), default=0)
        for name, numbers in registries.items():
            yield f"  {_padded(printable(name), longest)}  {numbers['references']:5} references  {numbers['images']:5} images"
        unseen = sum(count for name, count in counts.items() if name in QUIET)
        if unseen and not self.everything:
            yield f"{unseen} of them are stages or build outputs that nobody pulls; --all lists them"
        yield from self._left_out(plan)

    def _left_out(self, plan: Plan) -> Iterator[str]:
        unreadable = [file for file in plan.skipped if file.unreadable]
        if unreadable:
            yield self._paint(f"{_count(len(unreadable), 'file')} could not be read:", "red")
        for file in unreadable:
            yield from self._wrapped("  ", f"{printable(file.path)}: {printable(file.reason)}")
        links = len(plan.skipped) - len(unreadable)
        if links:
            yield f"{_count(links, 'symbolic link')} not followed: the targets are looked at where they lie"
        if plan.ignored_files:
            yield f"{_count(plan.ignored_files, 'path')} that git ignores not looked at; --no-ignore does"

    def _wrapped(self, start: str, text: str) -> Iterator[str]:
        if self.columns is None:
            yield start + text
            return
        yield from textwrap.wrap(text, self.columns, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False)

    def _paint(self, text: str, name: str | None) -> str:
        return styled(text, name, on=self.colours) if name else text


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
