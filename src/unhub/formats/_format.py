"""What a format says of itself, and how a file finds its format."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
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


@cache
def _pattern(files: tuple[str, ...]) -> re.Pattern[str]:
    alternatives: list[str] = []
    for glob in files:
        if glob == NO_EXTENSION:
            alternatives.append(r"(?:.*/)?[^/.]+\Z")
            continue
        translated = fnmatch.translate(glob)
        alternatives.append(f"(?:.*/)?{translated}" if "/" in glob else rf"(?:.*/)?(?![^/]*/){translated}")
    return re.compile("|".join(alternatives) or r"(?!)")


@cache
def _any_pattern(*, by_name: bool = False) -> re.Pattern[str]:
    globs = dict.fromkeys(glob for entry in entries() for glob in entry.format.files)
    return _pattern(tuple(glob for glob in globs if not by_name or glob != NO_EXTENSION))


def is_candidate(path: str) -> bool:
    """Whether any format wants a file of this path: if not, it need not even be opened."""
    return _any_pattern().match(path.lower()) is not None


def needs_interpreter(path: str) -> bool:
    """Whether a candidate is wanted only if it starts with ``#!``, its name saying nothing."""
    return "." not in path.rpartition("/")[2] and _any_pattern(by_name=True).match(path.lower()) is None


def candidates(path: str) -> tuple[Entry, ...]:
    """The formats that want a file of this path, the first choice first."""
    lower = path.lower()
    if _any_pattern().match(lower) is None:
        return ()
    by_name = _wanting_name(lower.rpartition("/")[2])
    by_path = {entry.format.name for entry, pattern in _path_patterns() if pattern.match(lower)}
    return tuple(entry for entry in entries() if entry.format.name in by_name or entry.format.name in by_path)


@lru_cache(maxsize=4096)
def _wanting_name(name: str) -> frozenset[str]:
    """The formats that want a file of this name wherever it lies: a tree has few names and many files."""
    return frozenset(entry.format.name for entry in entries() if _pattern(_globs(entry, path=False)).match(name))


@cache
def _path_patterns() -> tuple[tuple[Entry, re.Pattern[str]], ...]:
    return tuple((entry, _pattern(globs)) for entry in entries() if (globs := _globs(entry, path=True)))


def _globs(entry: Entry, *, path: bool) -> tuple[str, ...]:
    return tuple(glob for glob in entry.format.files if ("/" in glob) is path)


def choose(source: Source) -> Entry | None:
    """The format of a file by its path and content, or ``None`` where nobody wants it."""
    wanted = candidates(source.path)
    lower: bytes | None = None
    for entry in wanted:
        if entry.format.needles:
            lower = source.data.lower() if lower is None else lower
            if not any(needle in lower for needle in entry.format.needles):
                continue
        if entry.format.recognise(source):
            return entry
    return None
