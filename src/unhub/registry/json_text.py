"""Changing single members of a JSON text: every other byte, the order and the indent stay.

Credential files belong to several programs, and hold keys that we know nothing of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NamedTuple, NoReturn, cast

_SPACE = " \t\r\n"


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class _Member(NamedTuple):
    key: str
    start: int
    value: int
    end: int


class _Object(NamedTuple):
    start: int
    members: tuple[_Member, ...]
    end: int


def parse(text: str) -> dict[str, object]:
    """The object at the start of a text; nothing but space is an empty one, and what follows the object is passed over.

    So does Go's decoder, which docker uses. Raises :class:`json.JSONDecodeError`; :class:`ValueError`
    for ``NaN``, for anything but an object and for nesting without end.
    """
    start = _skip(text, 0)
    if start == len(text):
        return {}
    try:
        value, _ = cast(tuple[object, int], _DECODER.raw_decode(text, start))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise json.JSONDecodeError("an object is expected", text, start)
    return cast(dict[str, object], value)


def with_member(text: str, path: Sequence[str], value: object) -> str:
    """``text`` with the member at ``path`` set; objects on the way that are missing are made.

    The first key of a path is found in any case of its letters, as Go finds it; the others exactly.
    """
    if _skip(text, 0) == len(text):
        text = "{}\n" if text.endswith("\n") else "{}"
    at, depth = _object(text, _skip(text, 0)), 0
    while True:
        found = _find(at, path[depth], exact=depth > 0)
        rest = path[depth + 1 :]
        if found is None:
            return _insert(text, at, path[depth], _nested(rest, value), depth)
        if not rest or text[found.value] != "{":
            return text[: found.value] + _dump(text, _nested(rest, value), depth + 1) + text[found.end :]
        at, depth = _object(text, found.value), depth + 1


def without_member(text: str, path: Sequence[str]) -> str:
    """``text`` without the member at ``path``, however often it is there; the text itself where it is not."""
    while (holder := _holder(text, path)) is not None:
        at, found = holder
        text = _cut(text, at, found)
    return text


def _holder(text: str, path: Sequence[str]) -> tuple[_Object, _Member] | None:
    if _skip(text, 0) == len(text):
        return None
    at = _object(text, _skip(text, 0))
    for depth, key in enumerate(path):
        found = _find(at, key, exact=depth > 0)
        if found is None:
            return None
        if depth == len(path) - 1:
            return at, found
        if text[found.value] != "{":
            return None
        at = _object(text, found.value)
    return None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _object(text: str, start: int) -> _Object:
    """The members of the object that opens at ``start``, in a text that is known to parse."""
    members: list[_Member] = []
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, after = cast(tuple[str, int], scanstring(text, at + 1, True))
        value = _skip(text, _skip(text, after) + 1)
        _, end = cast(tuple[object, int], _DECODER.raw_decode(text, value))
        members.append(_Member(key, at, value, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return _Object(start, tuple(members), at + 1)


def _find(at: _Object, key: str, *, exact: bool) -> _Member | None:
    """The member that counts: the last one of that name."""
    matches = [member for member in at.members if member.key == key or (not exact and member.key.lower() == key.lower())]
    return matches[-1] if matches else None


def _nested(path: Sequence[str], value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _insert(text: str, at: _Object, key: str, value: object, depth: int) -> str:
    shown = f"{json.dumps(key, ensure_ascii=False)}: {_dump(text, value, depth + 1)}"
    if at.members:
        last = at.members[-1]
        before = text[at.start + 1 : at.members[0].start]  # the space before the first member, for this one too
        between = before if "\n" in before else " "
        return f"{text[: last.end]},{between}{shown}{text[last.end :]}"
    if not _spread(text):
        return f"{text[: at.start]}{{{shown}}}{text[at.end :]}"
    newline, unit = _newline(text), _unit(text)
    return f"{text[: at.start]}{{{newline}{unit * (depth + 1)}{shown}{newline}{unit * depth}}}{text[at.end :]}"


def _dump(text: str, value: object, depth: int) -> str:
    if not _spread(text):
        return json.dumps(value, ensure_ascii=False)
    shown = json.dumps(value, ensure_ascii=False, indent=_unit(text))
    return shown.replace("\n", _newline(text) + _unit(text) * depth)


def _spread(text: str) -> bool:
    """Whether the text has its members on lines of their own, as docker writes them; an empty object will have."""
    body = _object(text, _skip(text, 0))
    return not body.members or "\n" in text[body.start : body.members[0].start]


def _unit(text: str) -> str:
    """One level of indent: what stands before the first member; a tab, as docker writes it, where nothing tells."""
    body = _object(text, _skip(text, 0))
    lead = text[body.start + 1 : body.members[0].start] if body.members else ""
    return lead.rpartition("\n")[2] if "\n" in lead else "\t"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _cut(text: str, at: _Object, member: _Member) -> str:
    position = at.members.index(member)
    if len(at.members) == 1:
        return f"{text[: at.start]}{{}}{text[at.end :]}"
    if position == len(at.members) - 1:
        return text[: at.members[position - 1].end] + text[member.end :]
    return text[: member.start] + text[at.members[position + 1].start :]
