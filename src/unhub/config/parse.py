"""From the text of a settings file to :class:`Settings`, with the place of every mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Union, cast, get_args, get_origin

import msgspec

from unhub.config.places import Key, places
from unhub.config.settings import Settings
from unhub.image.errors import ConfigurationError

_PATH_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]|\['([^']*)'\]|\[\.\.\.\]")
_STEP = re.compile(r"\.([^.\[`]+)")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


def parse(text: str, name: str, *, table: tuple[str, ...] = ()) -> Settings:
    """Read settings from TOML; ``table`` is where they start (``("tool", "unhub")``).

    ``name`` is the file's name for messages. Raises :class:`ConfigurationError` that names
    file, line and column of what is wrong: bad TOML, an unknown key, a wrong type.
    """
    text = text.removeprefix("\ufeff")
    try:
        data: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(text, name, str(error)) from None
    except RecursionError:
        raise ConfigurationError(f"{name}:1:1: cannot read the settings: nested too deep") from None
    for key in table:
        data = cast(Mapping[str, object], data).get(key, {}) if isinstance(data, Mapping) else {}
    try:
        return msgspec.convert(data, Settings)
    except msgspec.ValidationError as error:
        raise _wrong(text, name, table, _named(data, str(error))) from None


def _named(data: object, said: str) -> str:
    """What msgspec said, with the names of the tables that are wrong where it only says that one of several is."""
    message, found, path = said.partition("- at `$")
    named, *rest = path.split("[...]")
    around = _STEP.findall(named)
    for following in rest:
        key = next((key for key, value in _below(data, around).items() if _mistake({key: value}, around) == said), None)
        if key is None:
            return said
        named += f"['{key}']{following}"
        around += [key, *_STEP.findall(following)]
    return message + found + named


def _below(data: object, keys: list[str]) -> Mapping[str, object]:
    """The table below some keys; empty where there is none."""
    for key in keys:
        data = cast(Mapping[str, object], data).get(key) if isinstance(data, Mapping) else None
    return cast(Mapping[str, object], data) if isinstance(data, Mapping) else {}


def _mistake(table: object, around: list[str]) -> str:
    """What is wrong with settings that have nothing but one table below some keys."""
    for key in reversed(around):
        table = {key: table}
    try:
        msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _broken(text: str, name: str, said: str) -> ConfigurationError:
    what, _, where = said.partition(" (at ")
    place = re.search(r"line (\d+), column (\d+)", where)
    lines = text.split("\n")
    line, column = (place[1], place[2]) if place else (len(lines), len(lines[-1]) + 1)
    return ConfigurationError(f"{name}:{line}:{column}: cannot read the settings: {what}")


def _wrong(text: str, name: str, table: tuple[str, ...], said: str) -> ConfigurationError:
    message, _, where = said.partition(" - at ")
    steps = _PATH_STEP.findall(where.strip("`"))
    path: Key = (*table, *(int(index) if index else key or quoted for key, index, quoted in steps))
    hint = None
    unknown = _UNKNOWN.search(message)
    if unknown:
        path = (*path, unknown[1])
        message = f"there is no setting {unknown[1]!r} here"
        hint = _suggestion(unknown[1], path[len(table) : -1])
    line, column = _line_and_column(text, _nearest(places(text), path))
    return ConfigurationError(f"{name}:{line}:{column}: cannot read the settings: {message}", hint=hint)


def _nearest(found: dict[Key, int], path: Key) -> int:
    """The place of ``path``, or of the nearest table around it that has one."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 0)


def _line_and_column(text: str, place: int) -> tuple[int, int]:
    return text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)


def _suggestion(key: str, path: Key) -> str | None:
    known = _known(path)
    near = get_close_matches(key, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}"


def _known(path: Key) -> list[str]:
    """The settings that the table at ``path`` may hold."""
    kind: object = Settings
    for key in path:
        kind = _inside(kind, key)
    return [field.encode_name for field in msgspec.structs.fields(_struct(kind))]


def _inside(kind: object, key: str | int) -> object:
    """The type of what stands under a key: of a table's field, of any value of a ``dict``, of an array's element."""
    kind = _without_none(kind)
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return arguments[1]
    if isinstance(key, int):
        return arguments[0]
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(_struct(kind))}
    return fields[key]


def _without_none(kind: object) -> object:
    if get_origin(kind) in (Union, UnionType):
        return next(one for one in get_args(kind) if one is not NoneType)
    return kind


def _struct(kind: object) -> type[msgspec.Struct]:
    kind = _without_none(kind)
    while arguments := get_args(kind):
        kind = _without_none(arguments[-1] if get_origin(kind) is dict else arguments[0])
    return cast(type[msgspec.Struct], kind)
