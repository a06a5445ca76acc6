"""How a file finds its format: by its path first, so that most files are never opened."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache, lru_cache

from msgspec import Struct

from unhub.formats._format import NO_EXTENSION, Entry, entries
from unhub.image.source import FormatSettings, Source

_ENDING = re.compile(r"\*\.[^*?\[\]./]+")
_WILD = re.compile(r"[*?\[]")
_CLASS = re.compile(r"\[[^\]]*\]|[*?]")

_FOLDERS_KEPT = 4096


class _Glob(Struct, frozen=True):
    """A glob that is none of a bare name or ending, and the format it belongs to.

    ``literal`` occurs in everything it matches.
    """

    number: int
    glob: str
    literal: str

    def matches(self, text: str) -> bool:
        return fnmatch.fnmatchcase(text, self.glob)


class _Globs(Struct, frozen=True):
    """The globs of all formats, sorted so that a path is looked up more often than it is matched.

    ``endings`` and ``names`` hold formats by number; ``wild`` are globs on names, of which ``any_wild`` finds the
    literal; ``paths`` are globs with a folder, each twice: at the top and anywhere below.
    """

    endings: dict[str, tuple[int, ...]]
    names: dict[str, tuple[int, ...]]
    wild: tuple[_Glob, ...]
    any_wild: re.Pattern[str]
    paths: tuple[_Glob, ...]
    unnamed: tuple[int, ...]


@cache
def _globs() -> _Globs:
    endings: dict[str, list[int]] = {}
    names: dict[str, list[int]] = {}
    wild: list[_Glob] = []
    paths: list[_Glob] = []
    unnamed: list[int] = []
    for number, entry in enumerate(entries()):
        for glob in entry.head.files:
            if glob == NO_EXTENSION:
                unnamed.append(number)
            elif "/" in glob:
                folder = _literal(glob[: glob.rindex("/") + 1])
                paths += [_Glob(number, glob, folder), _Glob(number, f"*/{glob}", folder)]
            elif _ENDING.fullmatch(glob):
                endings.setdefault(glob[2:], []).append(number)
            elif _WILD.search(glob):
                wild.append(_Glob(number, glob, _literal(glob)))
            else:
                names.setdefault(glob, []).append(number)
    return _Globs(
        {ending: tuple(numbers) for ending, numbers in endings.items()},
        {name: tuple(numbers) for name, numbers in names.items()},
        tuple(wild),
        re.compile("|".join(sorted({re.escape(glob.literal) for glob in wild}))),
        tuple(paths),
        tuple(unnamed),
    )


def _literal(glob: str) -> str:
    """The longest piece of a glob without wildcards."""
    return max(_CLASS.split(glob), key=len)


@lru_cache(maxsize=_FOLDERS_KEPT)
def _reaching(folder: str) -> tuple[_Glob, ...]:
    """The globs with a folder that may match a file in ``folder`` (lower case, with its last ``/``)."""
    return tuple(glob for glob in _globs().paths if glob.literal in folder)


def _numbers(path: str, *, by_name: bool = False) -> tuple[int, ...]:
    """The numbers of the formats that want a file of this path, ascending; ``by_name`` leaves out "no extension"."""
    globs, lower = _globs(), path.lower()
    folder, slash, name = lower.rpartition("/")
    _, dot, ending = name.rpartition(".")
    wanted = globs.endings.get(ending, ()) if dot else () if by_name or not name else globs.unnamed
    named, reaching = globs.names.get(name), _reaching(folder + slash)
    is_wild = globs.any_wild.search(name) is not None
    if named is None and not is_wild and not reaching:
        return wanted
    more = [glob.number for glob in globs.wild if glob.literal in name and glob.matches(name)] if is_wild else []
    more += [glob.number for glob in reaching if glob.matches(lower)]
    return tuple(sorted({*wanted, *(named or ()), *more}))


def is_candidate(path: str) -> bool:
    """Whether any format wants a file of this path: if not, it need not even be opened."""
    return bool(_numbers(path))


def needs_interpreter(path: str) -> bool:
    """Whether a candidate is wanted only if it starts with ``#!``, its name saying nothing."""
    return "." not in path.rpartition("/")[2] and not _numbers(path, by_name=True)


def candidates(path: str) -> tuple[Entry, ...]:
    """The formats that want a file of this path, the first choice first."""
    known = entries()
    return tuple(known[number] for number in _numbers(path))


class Wanted(Struct, frozen=True):
    """The formats that want files of some path, the first choice first.

    ``needles`` are those of all of them, so that one look tells most files that are nobody's; ``None`` where a format
    has no needles.
    """

    entries: tuple[Entry, ...]
    needles: tuple[bytes, ...] | None

    def choose(self, source: Source) -> Entry | None:
        """The first format that recognises the file by its content: by what must occur, then by how it looks."""
        lower = source.data.lower()
        if self.needles is not None and not _any_in(lower, self.needles):
            return None
        for entry in self.entries:
            needles = entry.head.needles
            if (not needles or _any_in(lower, needles)) and entry.format.recognise(source):
                return entry
        return None


def _any_in(lower: bytes, needles: Iterable[bytes]) -> bool:
    for needle in needles:  # noqa: SIM110 - this is asked of every file, and any() takes twice as long
        if needle in lower:
            return True
    return False


@lru_cache(maxsize=_FOLDERS_KEPT)
def _wanted(numbers: tuple[int, ...], settings: FormatSettings) -> Wanted:
    known = entries()
    found = [known[number] for number in numbers]
    found = [entry for entry in found if entry.head.switch is None or getattr(settings, entry.head.switch)]
    needles = dict.fromkeys(needle for entry in found for needle in entry.head.needles)
    return Wanted(tuple(found), tuple(needles) if all(entry.head.needles for entry in found) else None)


def wanted_by(path: str, settings: FormatSettings) -> Wanted:
    """The formats that want a file of this path, without those that a setting switches off."""
    return _wanted(_numbers(path), settings)


def choose(source: Source) -> Entry | None:
    """The format of a file by its path and content, or ``None`` where nobody wants it."""
    return wanted_by(source.path, source.settings).choose(source)
