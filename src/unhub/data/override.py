"""Facts written as TOML: the lines that a user puts into a data file to have other knowledge than the shipped."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def override_text(kind: str, fields: Mapping[str, object]) -> str:
    """One row as TOML, ``[[kind]]`` and a line a field, with a line end at the end."""
    lines = [f"[[{_key(kind)}]]", *(f"{_key(name)} = {toml_value(value)}" for name, value in fields.items())]
    return "".join(f"{line}\n" for line in lines)


def toml_value(value: object) -> str:
    """A value in TOML, on one line (TOML 1.0). Raises :class:`TypeError` for what TOML has no form for."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # TOML's basic strings are JSON's, but for U+007F, which TOML wants escaped
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case datetime.date():
            return value.isoformat()
        case list() | tuple():
            items = cast("Sequence[object]", value)
            return "[" + ", ".join(map(toml_value, items)) + "]"
        case dict():
            table = cast("Mapping[str, object]", value)
            return "{ " + ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in table.items()) + " }"
        case _:
            raise TypeError(f"cannot write {type(value).__name__} as TOML")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)
