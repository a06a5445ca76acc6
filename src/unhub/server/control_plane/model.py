"""ECR Public's operations, shapes and errors, as botocore's own service definition has them.

Read once, before workers are forked, and kept without its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, cast

NAME: Final = "ecr-public"
UNBOUNDED: Final = 1024
"""Characters that a text may have for which the model gives no maximum (``nextToken``, digests): no client has reason to send more."""

ESCAPED: Final = 6
"""Bytes that one character may take in JSON (``\\u0000``)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape. ``minimum`` and ``maximum`` are of a number itself, else of its length: characters, bytes or items."""

    name: str
    kind: str
    minimum: int | None = None
    maximum: int | None = None
    pattern: re.Pattern[str] | None = None
    enum: frozenset[str] = frozenset()
    members: Mapping[str, Shape] = field(default_factory=dict[str, "Shape"])
    required: tuple[str, ...] = ()
    item: Shape | None = None

    @property
    def json_max(self) -> int:
        """Bytes of the longest JSON that a valid value can be."""
        if self.kind == "structure":
            return 2 + sum(len(name) + 8 + shape.json_max for name, shape in self.members.items())
        if self.item is not None:
            return 2 + (self.maximum or 1000) * (self.item.json_max + 2)
        if self.kind == "blob":
            return 2 + (self.maximum or UNBOUNDED) * 4 // 3 + 4
        return 2 + (self.maximum or UNBOUNDED) * ESCAPED if self.kind == "string" else 32


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; ``output`` is ``None`` where it answers nothing, ``errors`` are the names of those that it declares."""

    name: str
    input: Shape
    output: Shape | None
    errors: frozenset[str]
    body_max: int


@dataclass(frozen=True, slots=True)
class Model:
    """The service: operations by name, and for each error whether it is the server's fault."""

    target_prefix: str
    operations: Mapping[str, Operation]
    errors: Mapping[str, bool]


@cache
def ecr_public() -> Model:
    """The model of the installed botocore. Raises ``ImportError`` without botocore."""
    from botocore.loaders import Loader  # pyright: ignore[reportMissingTypeStubs]

    # only what botocore ships with: a definition in somebody's ~/.aws is not to change what is served
    loader = cast(Any, Loader)(extra_search_paths=[cast(Any, Loader).BUILTIN_DATA_PATH], include_default_search_paths=False)
    return _model(loader.load_service_model(NAME, "service-2"))


def _model(definition: Mapping[str, Any]) -> Model:
    shapes = _Shapes(definition["shapes"])
    operations = {name: _operation(name, row, shapes) for name, row in definition["operations"].items()}
    errors = {name: bool(row.get("fault")) for name, row in definition["shapes"].items() if row.get("exception")}
    return Model(definition["metadata"]["targetPrefix"], operations, errors)


def _operation(name: str, row: Mapping[str, Any], shapes: _Shapes) -> Operation:
    wanted = shapes.get(row["input"]["shape"]) if "input" in row else Shape(f"{name}Request", "structure")
    output = shapes.get(row["output"]["shape"]) if "output" in row else None
    slack = 64 * 1024  # white space, members that nobody knows; and a value that is a little too long is told so
    return Operation(name, wanted, output, frozenset(one["shape"] for one in row.get("errors", ())), wanted.json_max + slack)


class _Shapes:
    """Shapes by name, each made once. None of this service's contains itself."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self._rows = rows
        self._made: dict[str, Shape] = {}

    def get(self, name: str) -> Shape:
        """One shape."""
        if name not in self._made:
            self._made[name] = self._make(name, self._rows[name])
        return self._made[name]

    def _make(self, name: str, row: Mapping[str, Any]) -> Shape:
        return Shape(
            name,
            row["type"],
            row.get("min"),
            row.get("max"),
            re.compile(row["pattern"]) if "pattern" in row else None,
            frozenset(row.get("enum", ())),
            {member: self.get(one["shape"]) for member, one in row.get("members", {}).items()},
            tuple(row.get("required", ())),
            self.get(row["member"]["shape"]) if row["type"] == "list" else None,
        )
