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
    "missing": ("target", "repository"),
    "realm": ("registry", "host"),
    "rate": ("registry", "caller"),
    "actions": ("service", "level", "resource"),
}
"""The fields that tell what a row is about, for kinds where it takes several."""

NAMES: Final = ("id", "prefix", "name", "registry", "key", "kind", "names")
"""The field that tells what any other row is about: the first of these that it has; of a list the first item."""

DATA_FILE: Final = frozenset(
    {
        *("mirror", "lookalike", "missing", "renovate", "official"),
        *("profile", "limit", "price", "quota", "counting", "burst", "terms_refusal", "note", "probe"),
        *("symptom", "consequence"),
        *("signing", "signature_refusal", "registry_token", "denial", "identity_limit"),
        *("api_host", "api_support", "api_constraint", "api_limit"),
        *("api_refusal", "failure_reason"),
        *("registry_refusal", "registry_page"),
    }
)
"""Kinds that a user's data file may hold: their readers look into it."""

IN_SETTINGS: Final[Mapping[str, tuple[str, str]]] = {"endpoint": ("url", "endpoint"), "rate": ("requests_per_second", "rate")}
"""Kinds that the settings override, not a data file: the field with the value, and the key of ``[registry."HOST"]``."""

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
        names = KEYS.get(self.kind) or [name for name in NAMES if name in self.fields][:1]
        values = tuple(_word(self.fields.get(name, "")) for name in names)
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
        wrong = _not_overridable(kind) or ("" if _is_array(rows) else f"{kind!r} is no list of [[{kind}]] tables")
        if wrong:
            hint = f"It may hold {', '.join(sorted(DATA_FILE))}"
            raise ConfigurationError(f"cannot read the data file {path}: {wrong}", hint=hint)
    return tuple(_rows(table, str(path)))


def _not_overridable(kind: str) -> str:
    if kind in IN_SETTINGS:
        return f'[[{kind}]] is no matter of the data file; unhub.toml has {IN_SETTINGS[kind][1]!r} under [registry."HOST"]'
    if kind in kinds() and kind not in DATA_FILE:
        return f"[[{kind}]] cannot be overridden there"
    return "" if kind in kinds() else f"there is no kind of fact {kind!r}"


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


def _word(value: object) -> str:
    if isinstance(value, list):
        value = cast("list[object]", value)[0] if value else ""
    return str(value)


def _text(name: str) -> str:
    return (files("unhub.data") / name).read_text("utf-8")
