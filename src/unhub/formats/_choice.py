"""How a file finds its format: by its path first, so that most files are never opened."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from unhub.formats._format import NO_EXTENSION, Entry, entries
from unhub.image.source import Source

_ENDING = re.compile(r"\*\.[^*?\[\]./]+")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class _Globs:
    """The globs of all formats, sorted so that a path is looked up more often than it is matched.

    ``endings`` and ``names`` hold formats by number; ``wild`` and ``paths`` are patterns for
    the rest, each with the format it belongs to; ``any_wild`` and ``any_path`` match what any of them does.
    """

    endings: dict[str, tuple[int, ...]]
    names: dict[str, tuple[int, ...]]
    wild: tuple[tuple[int, re.Pattern[str]], ...]
    any_wild: re.Pattern[str]
    paths: tuple[tuple[int, re.Pattern[str]], ...]
    any_path: re.Pattern[str]
    unnamed: tuple[int, ...]


@cache
def _globs() -> _Globs:
    endings: dict[str, list[int]] = {}
    names: dict[str, list[int]] = {}
    wild: dict[int, list[str]] = {}
    paths: dict[int, list[str]] = {}
    unnamed: list[int] = []
    for number, entry in enumerate(entries()):
        for glob in entry.format.files:
            if glob == NO_EXTENSION:
                unnamed.append(number)
            elif "/" in glob:
                paths.setdefault(number, []).append(f"(?:.*/)?{fnmatch.translate(glob)}")
            elif _ENDING.fullmatch(glob):
                endings.setdefault(glob[2:], []).append(number)
            elif _WILD.search(glob):
                wild.setdefault(number, []).append(fnmatch.translate(glob))
            else:
                names.setdefault(glob, []).append(number)
    return _Globs(
        {ending: tuple(numbers) for ending, numbers in endings.items()},
        {name: tuple(numbers) for name, numbers in names.items()},
        tuple((number, _either(texts)) for number, texts in wild.items()),
        _either(text for texts in wild.values() for text in texts),
        tuple((number, _either(texts)) for number, texts in paths.items()),
        _either(text for texts in paths.values() for text in texts),
        tuple(unnamed),
    )


def _either(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns) or "(?!)")


def _numbers(path: str, *, by_name: bool = False) -> set[int]:
    """The numbers of the formats that want a file of this path; ``by_name`` leaves out "no extension"."""
    globs, lower = _globs(), path.lower()
    name = lower.rpartition("/")[2]
    wanted = set(globs.names.get(name, ()))
    stem, dot, ending = name.rpartition(".")
    if dot:
        wanted.update(globs.endings.get(ending, ()))
    elif not by_name and stem + ending:
        wanted.update(globs.unnamed)
    if globs.any_wild.match(name):
        wanted.update(number for number, pattern in globs.wild if pattern.match(name))
    if globs.any_path.match(lower):
        wanted.update(number for number, pattern in globs.paths if pattern.match(lower))
    return wanted


def is_candidate(path: str) -> bool:
    """Whether any format wants a file of this path: if not, it need not even be opened."""
    return bool(_numbers(path))


def needs_interpreter(path: str) -> bool:
    """Whether a candidate is wanted only if it starts with ``#!``, its name saying nothing."""
    return "." not in path.rpartition("/")[2] and not _numbers(path, by_name=True)


def candidates(path: str) -> tuple[Entry, ...]:
    """The formats that want a file of this path, the first choice first."""
    known = entries()
    return tuple(known[number] for number in sorted(_numbers(path)))


def choose(source: Source) -> Entry | None:
    """The format of a file by its path and content, or ``None`` where nobody wants it."""
    wanted = candidates(source.path)
    lower = source.data.lower() if wanted else b""
    present: dict[bytes, bool] = {}
    for entry in wanted:
        if _has_any(lower, entry.format.needles, present) and entry.format.recognise(source):
            return entry
    return None


def _has_any(lower: bytes, needles: tuple[bytes, ...], present: dict[bytes, bool]) -> bool:
    for needle in needles:
        found = present.get(needle)
        if found is None:
            found = present[needle] = needle in lower
        if found:
            return True
    return not needles
