"""What an operation answers, as JSON: only what the model has, in its types (times are seconds since 1970, blobs base64)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from unhub.server.control_plane.model import Shape


def rendered(shape: Shape, value: Mapping[str, object]) -> bytes:
    """The JSON of an output. Raises ``LookupError`` where a handler answers what the model does not have."""
    return msgspec.json.encode(_value(shape, value))


def _value(shape: Shape, value: object) -> object:
    if shape.kind == "structure":
        return _structure(shape, cast("Mapping[str, object]", value))
    if shape.item is not None:
        return [_value(shape.item, one) for one in cast("Sequence[object]", value)]
    if shape.kind == "timestamp":
        return round(cast(float, value), 3)
    return base64.b64encode(cast(bytes, value)).decode() if shape.kind == "blob" else value


def _structure(shape: Shape, value: Mapping[str, object]) -> dict[str, object]:
    given = {name: one for name, one in value.items() if one is not None}
    unknown, missing = set(given) - set(shape.members), set(shape.required) - set(given)
    if unknown or missing:
        raise LookupError(f"{shape.name} must not have {sorted(unknown)} and lacks {sorted(missing)}")
    return {name: _value(shape.members[name], one) for name, one in given.items()}
