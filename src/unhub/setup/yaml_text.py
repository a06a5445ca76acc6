"""Values written as YAML or JSON: plain where that is safe, in the indentation and list style of the file (YAML 1.2.2)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"
"""What can be inserted: texts, numbers, booleans, lists and mappings of them."""

_PLAIN = re.compile(r"[A-Za-z_./$(](?:[^\x00-\x1f\x7f-\x9f]*[^\s:\x00-\x1f\x7f-\x9f])?")
_NOT_PLAIN = re.compile(r":\s|\s#")
_FLOW_SIGNS = re.compile(r"[,\[\]{}]")
_OTHER_TYPE = re.compile(r"(?i)null|true|false|yes|no|on|off|y|n|~|\.inf|\.nan")


@dataclass(frozen=True, slots=True)
class Style:
    """How a file writes blocks: ``step`` columns a level, ``dash`` columns from a key to the dashes of its list."""

    step: int = 2
    dash: int = 2


def is_block(value: Value) -> bool:
    """Whether a value takes lines of its own."""
    return isinstance(value, list | dict) and bool(value)


def scalar(value: str | int | bool, *, flow: bool = False, as_json: bool = False) -> str:
    """A single value in one line: plain where every YAML reader takes it for that text, else in quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    if as_json:
        return json.dumps(value, ensure_ascii=False)
    safe = _PLAIN.fullmatch(value) and not _NOT_PLAIN.search(value) and not _OTHER_TYPE.fullmatch(value)
    if safe and not (flow and _FLOW_SIGNS.search(value)):
        return value
    if "\n" in value or not value.isprintable():
        return json.dumps(value, ensure_ascii=False)
    return "'" + value.replace("'", "''") + "'"


def flow(value: Value, *, as_json: bool = False) -> str:
    """A value in one line, as it stands inside ``[…]`` or ``{…}``."""
    if isinstance(value, list):
        return "[" + ", ".join(flow(item, as_json=as_json) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(flow_pair(key, item, as_json=as_json) for key, item in value.items()) + "}"
    return scalar(value, flow=True, as_json=as_json)


def flow_pair(key: str, value: Value, *, as_json: bool = False) -> str:
    """``key: value`` in one line."""
    return f"{scalar(key, flow=True, as_json=as_json)}: {flow(value, as_json=as_json)}"


def pair_lines(key: str, value: Value, indent: int, style: Style) -> list[str]:
    """The lines of a pair whose key stands at column ``indent``."""
    head = " " * indent + scalar(key) + ":"
    if is_block(value):
        return [head, *value_lines(value, indent, style)]
    return _after(head + " ", value, indent + style.step)


def item_lines(value: Value, indent: int, style: Style, mark: str = "- ") -> list[str]:
    """The lines of a list's item whose dash stands at column ``indent``; ``mark`` is the dash with the blanks behind it."""
    if isinstance(value, dict) and value:
        inner = indent + len(mark)
        lines = [line for key, item in value.items() for line in pair_lines(key, item, inner, style)]
        return [" " * indent + mark + lines[0][inner:], *lines[1:]]
    return _after(" " * indent + mark, value, indent + len(mark))


def value_lines(value: Value, indent: int, style: Style) -> list[str]:
    """The lines below a key at column ``indent`` whose value is a mapping or a list."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in pair_lines(key, item, indent + style.step, style)]
    items = value if isinstance(value, list) else [value]
    return [line for item in items for line in item_lines(item, indent + style.dash, style)]


def _after(head: str, value: Value, indent: int) -> list[str]:
    """A single value behind ``head``; a text of several lines as a block whose lines start at column ``indent``."""
    if not isinstance(value, str) or "\n" not in value:
        return [head + (flow(value) if isinstance(value, list | dict) else scalar(value))]
    mark = "|" if value.endswith("\n") else "|-"
    lines = value.removesuffix("\n").split("\n")
    return [head + mark, *(" " * indent + line if line else "" for line in lines)]
