"""The rows of the data files as they were written, and a user's rows in the place of those about the same thing.

Every file is TOML with arrays of tables. The name of an array is a row's *kind*; some fields of a row are its *key*.
A user's file (``[data] file`` in ``unhub.toml``) has rows of the same kinds: one with the kind and key of a shipped
row takes its place, any other one comes before the shipped rows of its kind.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeGuard, TypeVar, cast

import msgspec

from unhub.image.errors import ConfigurationError

T = TypeVar("T")

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "mirror": ("prefix",),
    "lookalike": ("prefix",),
    "missing": ("target", "repository"),
}
"""The fields that tell what a row is about, for kinds whose rows have no ``id``."""

BY_ID: Final = ("id",)
"""The key of every other kind."""

CITATION: Final = ("date", "source", "confidence")
"""What every row has beside what it says; a file may give one of them at its top, for all of its rows."""


_ARRAY = re.compile(r"^\[\[(\w+)\]\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its kind, the name of its file (``terms.toml``, or the path of the user's), and its fields."""

    kind: str
    file: str
    fields: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, ...]:
        """What the row is about; empty where it does not say, so that it stands beside all others."""
        names = KEYS.get(self.kind, BY_ID)
        values = tuple(str(self.fields.get(name, "")) for name in names)
        return values if all(values) else ()


@cache
def file_names() -> tuple[str, ...]:
    """The data files of this version."""
    return tuple(sorted(entry.name for entry in files("unhub.data").iterdir() if entry.name.endswith(".toml")))


@cache
def shipped_in(name: str) -> tuple[Row, ...]:
    """Every row of one data file of this version."""
    return tuple(_rows(tomllib.loads(_text(name)), name))


def shipped() -> tuple[Row, ...]:
    """Every row of every data file of this version, in the order of the files' names."""
    return tuple(row for name in file_names() for row in shipped_in(name))


@cache
def kinds() -> Mapping[str, str]:
    """Every kind of row with the file that holds it, without parsing the large ones."""
    return {kind: name for name in file_names() for kind in _ARRAY.findall(_text(name))}


def own_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a user's file.

    Raises :class:`ConfigurationError` where the file cannot be read, is not TOML, or has rows of an unknown kind.
    """
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the data file {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigurationError(f"cannot read the data file {path}: {error}") from None
    for kind, rows in table.items():
        if kind not in kinds():
            hint = f"The kinds are {', '.join(sorted(kinds()))}"
            raise ConfigurationError(f"cannot read the data file {path}: there is no kind of fact {kind!r}", hint=hint)
        if not _is_array(rows):
            raise ConfigurationError(f"cannot read the data file {path}: {kind!r} is no list of [[{kind}]] tables")
    return tuple(_rows(table, str(path)))


def merged(own: Sequence[Row], names: Sequence[str] | None = None) -> tuple[Row, ...]:
    """The user's rows, then every shipped row (of the named files) that none of them replaces."""
    replaced = {(row.kind, row.key) for row in own if row.key}
    rows = [row for name in names or file_names() for row in shipped_in(name)]
    return (*own, *(row for row in rows if (row.kind, row.key) not in replaced))


def typed(kind: str, type_: type[T], own: Path | None = None) -> tuple[T, ...]:
    """The rows of a kind as objects, a user's file considered.

    Raises :class:`ConfigurationError` where one of the user's rows lacks a field, or has one that is unknown.
    """
    rows = merged(own_rows(own) if own else (), (kinds()[kind],))
    return tuple(converted(row, type_) for row in rows if row.kind == kind)


def converted(row: Row, type_: type[T]) -> T:
    """One row as an object. Raises :class:`ConfigurationError`, which names the file and the row."""
    try:
        return msgspec.convert(row.fields, type_)
    except msgspec.ValidationError as error:
        about = " ".join(row.key) or "a row"
        raise ConfigurationError(f"cannot read {row.file}: [[{row.kind}]] {about}: {error}") from None


def _rows(table: Mapping[str, Any], file: str) -> list[Row]:
    shared = {name: table[name] for name in CITATION if name in table}
    return [Row(kind, file, {**shared, **row}) for kind, rows in table.items() if _is_array(rows) for row in rows]


def _is_array(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(row, dict) for row in cast("list[object]", value))


def _text(name: str) -> str:
    return (files("unhub.data") / name).read_text("utf-8")
