"""Bytes, times and shares as people read them."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def amount(size: float) -> str:
    """Bytes in the unit that gives them one to three digits before the point: ``3.2 GB``."""
    for unit in _UNITS[:-1]:
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def period(seconds: float) -> str:
    """A time in its largest unit: ``45 s``, ``12 min``, ``5 h``, ``3 d``."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent; a dash where there is no whole."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 image``, ``3 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
