"""What a client sent, checked against the model: types, required members, minimums, maximums, patterns and enumerations.

The SDKs check a part of it (ecr-public.md, 6.8), so everything is checked here. Members that the model does not have are
ignored, and ``null`` is as good as absent, as AWS's services of the JSON protocol have it.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from unhub.image.errors import ApiRefused
from unhub.server.control_plane.model import Shape

PIECE: Final = 1 << 20
"""Characters of base64 that are decoded at once; four of them are three bytes."""

_RANGES: Final = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}

_NAMES: Final = {
    "string": "a String",
    "blob": "a Blob",
    "integer": "an Integer",
    "long": "a Long",
    "boolean": "a Boolean",
    "list": "a List",
    "structure": "a Structure",
}


class Validator:
    """Checks values; ``constraints`` are the texts of :func:`unhub.data.control_plane.api_constraints`."""

    def __init__(self, constraints: Mapping[str, str]) -> None:
        self._constraints = constraints

    def read(self, shape: Shape, body: bytes) -> dict[str, Any]:
        """The input of an operation; blobs are bytes. Raises :class:`ApiRefused`: no JSON, wrong types, or beyond a limit."""
        try:
            value: object = msgspec.json.decode(body) if body else {}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise _serialization("the body is no JSON") from None
        if not isinstance(value, dict):
            raise _serialization("the body is no JSON object")
        return cast("dict[str, Any]", self._value(shape, cast(object, value), ""))

    def refuse(self, at: str, constraint: str, limit: object = "") -> ApiRefused:
        """``InvalidParameterException`` about a member."""
        return invalid_parameter(at, self._constraints[constraint].replace("{limit}", str(limit)))

    def _value(self, shape: Shape, value: object, at: str) -> object:
        if shape.kind == "structure":
            return self._structure(shape, value, at)
        if shape.kind == "list":
            return self._list(shape, value, at)
        if shape.kind == "blob":
            return self._blob(shape, value, at)
        if shape.kind == "string":
            return self._string(shape, value, at)
        if shape.kind == "boolean":
            return _typed(shape, value, at, bool)
        return self._number(shape, value, at)

    def _structure(self, shape: Shape, value: object, at: str) -> dict[str, object]:
        given = cast("dict[str, object]", _typed(shape, value, at, dict))
        found: dict[str, object] = {}
        for name, member in shape.members.items():
            inside = f"{at}.{name}" if at else name
            if given.get(name) is not None:
                found[name] = self._value(member, given[name], inside)
            elif name in shape.required:
                raise self.refuse(inside, "missing")
        return found

    def _list(self, shape: Shape, value: object, at: str) -> list[object]:
        given = cast("list[object]", _typed(shape, value, at, list))
        self._check_length(shape, len(given), at)
        item = shape.item
        if item is None:
            raise LookupError(f"a list without items: {shape.name}")
        return [self._value(item, one, f"{at}.{number}.member") for number, one in enumerate(given, 1)]

    def _string(self, shape: Shape, value: object, at: str) -> str:
        text = cast(str, _typed(shape, value, at, str))
        self._check_length(shape, len(text), at)
        if shape.pattern is not None and not shape.pattern.fullmatch(text):
            raise self.refuse(at, "pattern", shape.pattern.pattern)
        if shape.enum and text not in shape.enum:
            raise self.refuse(at, "enum", ", ".join(sorted(shape.enum)))
        return text

    def _blob(self, shape: Shape, value: object, at: str) -> bytes:
        data = _decoded(cast(str, _typed(shape, value, at, str)))
        if data is None:
            raise _serialization(f"{at} is no base64")
        self._check_length(shape, len(data), at)
        return data

    def _number(self, shape: Shape, value: object, at: str) -> int:
        number = cast(int, _typed(shape, value, at, int))
        least, most = _RANGES[shape.kind]
        if not least <= number <= most:
            raise _serialization(f"{at} is no {shape.kind}")
        if shape.minimum is not None and number < shape.minimum:
            raise self.refuse(at, "minimum", shape.minimum)
        if shape.maximum is not None and number > shape.maximum:
            raise self.refuse(at, "maximum", shape.maximum)
        return number

    def _check_length(self, shape: Shape, length: int, at: str) -> None:
        if shape.minimum is not None and length < shape.minimum:
            raise self.refuse(at, "shortest", shape.minimum)
        if shape.maximum is not None and length > shape.maximum:
            raise self.refuse(at, "longest", shape.maximum)


def _decoded(text: str) -> bytes | None:
    """The bytes of base64, ``None`` for what is none.

    A piece at a time: the interpreter lets nobody else run while it decodes one. Padding stands at the end only.
    """
    padded = text.find("=")
    if len(text) % 4 or not text.isascii() or -1 < padded < len(text) - 2:
        return None
    try:
        return b"".join(binascii.a2b_base64(text[at : at + PIECE], strict_mode=True) for at in range(0, len(text), PIECE))
    except ValueError:
        return None


def invalid_parameter(at: str, constraint: str) -> ApiRefused:
    """``InvalidParameterException`` in AWS's form."""
    message = f"Invalid parameter at '{at}' failed to satisfy constraint: '{constraint}'"
    return ApiRefused(message, aws_code="InvalidParameterException", status=400)


def _typed(shape: Shape, value: object, at: str, wanted: type) -> object:
    """The value, where it is of the wanted type; ``True`` is no number."""
    if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    raise _serialization(f"{at} can not be converted to {_NAMES[shape.kind]}")


def _serialization(message: str) -> ApiRefused:
    return ApiRefused(message, aws_code="SerializationException", status=400)
