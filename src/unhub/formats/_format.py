"""What a format says of itself, and how formats are found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Protocol, cast

from msgspec import Struct

from unhub.image.found import Finding
from unhub.image.source import Source

NO_EXTENSION = "(no extension)"
"""Among the globs of a format: every name without a dot, of files that start with ``#!``."""


def _always(source: Source) -> bool:
    return True


class Format(Struct, frozen=True):
    """One kind of file that can hold image references.

    ``files`` are globs on the path, in lower case: one with a ``/`` is matched against the
    end of the path, any other against the file's name. ``recognise`` looks at the content
    where the name is not enough. Among the formats that want a file, the lowest ``order``
    gets it. ``needles``, in lower case, are texts of which at least one must occur
    (whatever its case) for the file to be worth parsing; empty means always. ``switch`` names the
    setting (a true or false of :class:`FormatSettings`) without which no file is wanted.
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
    switch: str | None = None
    recognise: Callable[[Source], bool] = _always


class Finder(Protocol):
    """``find`` of a format module: the findings of one file, in the order of their places.

    Raises :class:`unhub.image.errors.UnreadableError` for a file it cannot understand.
    """

    def __call__(self, source: Source) -> Iterator[Finding]: ...


class Head(Struct, frozen=True):
    """What has to be known of a format to tell that a file is none of its own: the fields of :class:`Format` of these names.

    ``module`` is the name of its module in this package.
    """

    module: str
    name: str
    order: int
    files: tuple[str, ...]
    needles: tuple[bytes, ...]
    switch: str | None = None


class Entry(Struct, frozen=True):
    """A format, whose module is imported when the rest of it is asked for."""

    head: Head

    @property
    def name(self) -> str:
        """Its name, known without its module."""
        return self.head.name

    @property
    def format(self) -> Format:
        """All it says of itself."""
        return _said_by(self.head.module)

    @property
    def find(self) -> Finder:
        """Its finder."""
        return cast(Finder, _module(self.head.module).find)


@cache
def entries() -> tuple[Entry, ...]:
    """Every format there is, found by looking: a module of this package that exports ``FORMAT`` and ``find``.

    Sorted by ``order`` and name. Modules whose name starts with ``_`` are helpers. A module that ``_index.py`` does not
    know yet is imported to be asked.
    """
    from unhub.formats._index import HEADS

    known = {head.module: head for head in HEADS}
    return _sorted([known.get(module) or head_of(module) for module in _modules()])


def heads_of_modules() -> tuple[Head, ...]:
    """What every format says itself, whatever ``_index.py`` says; imports them all."""
    return tuple(entry.head for entry in _sorted([head_of(module) for module in _modules()]))


@cache
def by_name(name: str) -> Entry | None:
    """The format called ``name``, or ``None``."""
    return next((entry for entry in entries() if entry.name == name), None)


def head_of(module: str) -> Head:
    """The head of a format as its module has it."""
    said = _said_by(module)
    return Head(module, said.name, said.order, said.files, said.needles, said.switch)


def _sorted(heads: Sequence[Head]) -> tuple[Entry, ...]:
    return tuple(Entry(head) for head in sorted(heads, key=lambda head: (head.order, head.name)))


def _modules() -> list[str]:
    import unhub.formats as package

    return [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]


@cache
def _module(name: str) -> ModuleType:
    return importlib.import_module(f"unhub.formats.{name}")


def _said_by(module: str) -> Format:
    return cast(Format, _module(module).FORMAT)
