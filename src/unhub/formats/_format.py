"""What a format says of itself, and how formats are found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, cast

from unhub.image.found import Finding
from unhub.image.source import Source

NO_EXTENSION = "(no extension)"
"""Among the globs of a format: every name without a dot, of files that start with ``#!``."""


def _always(source: Source) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file that can hold image references.

    ``files`` are globs on the path, in lower case: one with a ``/`` is matched against the
    end of the path, any other against the file's name. ``recognise`` looks at the content
    where the name is not enough. Among the formats that want a file, the lowest ``order``
    gets it. ``needles``, in lower case, are texts of which at least one must occur
    (whatever its case) for the file to be worth parsing; empty means always.
    ``positions`` and ``gaps`` are for people: what is understood, and what is known to be missing.
    """

    name: str
    title: str
    tier: str
    files: tuple[str, ...]
    positions: tuple[str, ...]
    gaps: tuple[str, ...] = ()
    order: int = 50
    needles: tuple[bytes, ...] = ()
    recognise: Callable[[Source], bool] = field(default=_always, repr=False)


class Finder(Protocol):
    """``find`` of a format module: the findings of one file, in the order of their places.

    Raises :class:`unhub.image.errors.UnreadableError` for a file it cannot understand.
    """

    def __call__(self, source: Source) -> Iterator[Finding]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A format together with its finder."""

    format: Format
    find: Finder


@cache
def entries() -> tuple[Entry, ...]:
    """Every format there is, found by looking: a module of this package that exports ``FORMAT``.

    Sorted by ``order`` and name. Modules whose name starts with ``_`` are helpers.
    """
    import unhub.formats as package

    found: list[Entry] = []
    for module_info in pkgutil.iter_modules(package.__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        found.append(Entry(cast(Format, module.FORMAT), cast(Finder, module.find)))
    return tuple(sorted(found, key=lambda entry: (entry.format.order, entry.format.name)))


@cache
def by_name(name: str) -> Entry | None:
    """The format called ``name``, or ``None``."""
    return next((entry for entry in entries() if entry.format.name == name), None)
