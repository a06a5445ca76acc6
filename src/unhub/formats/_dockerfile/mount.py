"""The value of ``RUN --mount``: one CSV record of ``key=value`` (rules #21, #22).

Source: ``parseMount`` in ``frontend/dockerfile/instructions/commands_runmount.go`` of moby/buildkit, which reads the
record with Go's ``encoding/csv``.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from unhub.formats._dockerfile.text import Spelled

_QUOTE = ord('"')
_COMMA = ord(",")


class BrokenMount(Exception):
    """The value is no CSV record."""


class Mount(Struct, frozen=True):
    """``kind`` in lower case (``bind`` unless said), and each value of ``from``: BuildKit takes the last."""

    kind: str
    sources: tuple[Spelled, ...]


def read_mount(value: Spelled) -> Mount:
    """Read the value of one ``--mount``. Raises :class:`BrokenMount`."""
    kind = "bind"
    sources: list[Spelled] = []
    for field in _record(value):
        key, equals, _ = field.text.partition("=")
        if not equals:
            continue
        start = field.data.find(b"=") + 1
        if key.lower() == "type":
            kind = field.cut(start, len(field)).text.lower()
        elif key.lower() == "from":
            sources.append(field.cut(start, len(field)))
    return Mount(kind, tuple(sources))


def _record(value: Spelled) -> Iterator[Spelled]:
    place = 0
    while place <= len(value):
        if value.data[place : place + 1] == b'"':
            kept, place = _quoted(value.data, place + 1)
            yield value.pick(kept, place - 1)
        else:
            comma = value.data.find(b",", place)
            end = len(value) if comma < 0 else comma
            if b'"' in value.data[place:end]:
                raise BrokenMount
            yield value.cut(place, end)
            place = end
        place += 1


def _quoted(data: bytes, place: int) -> tuple[list[int], int]:
    """The indices of the bytes of a quoted field, and the place of the comma behind it."""
    kept: list[int] = []
    while place < len(data):
        if data[place] != _QUOTE:
            kept.append(place)
            place += 1
        elif data[place + 1 : place + 2] == b'"':
            kept.append(place + 1)
            place += 2
        elif place + 1 == len(data) or data[place + 1] == _COMMA:
            return kept, place + 1
        else:
            raise BrokenMount
    raise BrokenMount
