"""A small line plot for the terminal: braille where the output can show it, ASCII elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unhub.cli.output import styled, width

ROWS: Final = 8
"""Lines of the plot's area."""

WIDEST: Final = 100
"""Columns that a plot takes at most."""

_BRAILLE: Final = 0x2800
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille character: four rows of two (Unicode, Braille Patterns)."""

_MARKS: Final = "*o+x"


@dataclass(frozen=True, slots=True)
class Series:
    """A line: what it is called, its values from left to right, its colour."""

    label: str
    values: Sequence[int]
    colour: str


@dataclass(frozen=True, slots=True)
class Look:
    """How to draw: over so many columns, in braille or ASCII, with colours or without."""

    columns: int
    unicode: bool
    colours: bool = False


def plot(series: Sequence[Series], limit: int | None, ends: tuple[str, str], look: Look) -> list[str]:
    """The lines of a plot of ``series`` over one window, with a line at ``limit`` and labels below both ``ends``.

    The lines are told apart by the labels at their right ends, not by colour alone.
    """
    top = max([1, limit or 0, *(max(one.values, default=0) for one in series)])
    names = _names(series, top, marked=not look.unicode)
    left = max(len(f"{number:,}") for number in (top, limit or 0))
    right = max((width(name) for name in names.values()), default=0)
    columns = max(10, min(look.columns, WIDEST) - left - right - 3)
    cells = _Cells(series, top, columns, look.unicode)
    at_limit = None if limit is None else _row(limit, top)
    lines: list[str] = []
    for row in range(ROWS - 1, -1, -1):
        number = limit if limit is not None and row == at_limit else top if row == ROWS - 1 else 0 if row == 0 else None
        label = "" if number is None else f"{number:,}"
        tick = "|" if not look.unicode else "┤" if label else "│"
        area = "".join(_cell(cells, row, column, limited=row == at_limit, look=look) for column in range(columns))
        lines.append(f"{label.rjust(left)} {tick}{area} {names.get(row, '')}".rstrip())
    rule = ("└" + "─" * columns) if look.unicode else "+" + "-" * columns
    start, end = ends
    lines.append(f"{' ' * left} {rule}")
    lines.append(f"{' ' * left}  {start}{end.rjust(columns - len(start))}")
    return lines


def points(look: Look) -> int:
    """How many values a line needs so that no step of it is lost."""
    return 2 * min(look.columns, WIDEST)


class _Cells:
    """Which dots of which character are set, and by which series."""

    def __init__(self, series: Sequence[Series], top: int, columns: int, fine: bool) -> None:
        self.dots: dict[tuple[int, int], int] = {}
        self.owners: dict[tuple[int, int], list[int]] = {}
        self.series = series
        across, up = (2 * columns, 4 * ROWS) if fine else (columns, ROWS)
        for number, one in enumerate(series):
            heights = [_scaled(value, top, up) for value in _resampled(one.values, across)]
            for x, (before, y) in enumerate(zip(heights[:1] + heights, heights, strict=False)):
                for step in range(min(before, y), max(before, y) + 1):
                    self._set(x, step, number, fine=fine)

    def _set(self, x: int, y: int, number: int, *, fine: bool) -> None:
        place = (y // 4, x // 2) if fine else (y, x)
        self.dots[place] = self.dots.get(place, 0) | (_DOTS[3 - y % 4][x % 2] if fine else 1)
        owners = self.owners.setdefault(place, [])
        if number not in owners:
            owners.append(number)


def _resampled(values: Sequence[int], number: int) -> list[int]:
    """As many values as there are dots, each the last of those that it stands for."""
    return [values[max(0, (place + 1) * len(values) // number - 1)] for place in range(number)] if values else []


def _cell(cells: _Cells, row: int, column: int, *, limited: bool, look: Look) -> str:
    owners = cells.owners.get((row, column))
    if not owners:
        return styled("┄" if look.unicode else "-", "red", on=look.colours) if limited else " "
    mark = chr(_BRAILLE | cells.dots[row, column]) if look.unicode else _MARKS[owners[-1]] if len(owners) == 1 else "#"
    return styled(mark, cells.series[owners[-1]].colour, on=look.colours)


def _names(series: Sequence[Series], top: int, *, marked: bool) -> dict[int, str]:
    """The labels at the right end, by row; lines that end in one row share it."""
    found: dict[int, list[str]] = {}
    for number, one in enumerate(series):
        if one.values:
            found.setdefault(_row(one.values[-1], top), []).append(f"{_MARKS[number]} {one.label}" if marked else one.label)
    return {row: ", ".join(labels) for row, labels in found.items()}


def _row(value: int, top: int) -> int:
    return _scaled(value, top, ROWS)


def _scaled(value: int, top: int, rows: int) -> int:
    """The row, from 0 below, of a value: the highest is in the last one."""
    return min(rows - 1, value * rows // top)
