"""Finds the function of every operation: nothing is listed, so that an operation is added by writing it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import cast

from unhub.server.control_plane import handlers
from unhub.server.control_plane.call import Handler
from unhub.server.control_plane.model import ecr_public

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def function_name(operation: str) -> str:
    """The name of an operation's function, which is boto3's: ``PutImage`` is ``put_image``."""
    return _WORD.sub("_", operation).lower()


@cache
def found_handlers() -> dict[str, Handler]:
    """The function of each operation that has one. Raises ``LookupError`` for one that is there twice, or is of no operation."""
    functions: dict[str, Handler] = {}
    for module in _modules():
        for name, function in _functions(module):
            if name in functions:
                raise LookupError(f"there are two functions {name}; the second is in {module.__name__}")
            functions[name] = function
    found = {operation: functions.pop(function_name(operation)) for operation in ecr_public().operations if _has(functions, operation)}
    if functions:
        raise LookupError(f"no operation of the model is named like {sorted(functions)}")
    return found


def _has(functions: dict[str, Handler], operation: str) -> bool:
    return function_name(operation) in functions


def _modules() -> Iterator[ModuleType]:
    for entry in sorted(iter_modules(handlers.__path__), key=lambda entry: entry.name):
        yield import_module(f"{handlers.__name__}.{entry.name}")


def _functions(module: ModuleType) -> Iterator[tuple[str, Handler]]:
    for name, value in vars(module).items():
        if inspect.iscoroutinefunction(value) and not name.startswith("_") and value.__module__ == module.__name__:
            yield name, cast(Handler, value)
