"""Every check at once, each within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from unhub.doctor import checks
from unhub.doctor.machine import Machine
from unhub.doctor.verdict import Checked, Verdict, failed, skipped
from unhub.image.errors import MissingExtra, UnhubError

SECONDS: Final = 20.0
"""How long one check may take; all run at the same time."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``order`` is its place in the report; ``network`` says that it asks somebody outside this machine."""

    name: str
    title: str
    order: int
    look: Callable[[Machine], Awaitable[Verdict]]
    network: bool = True


@cache
def all_checks() -> tuple[Check, ...]:
    """Every module of :mod:`unhub.doctor.checks` that has a ``CHECK``, in their order."""
    names = [module.name for module in iter_modules(checks.__path__) if not module.name.startswith("_")]
    found: list[Check] = [import_module(f"{checks.__name__}.{name}").CHECK for name in names]
    return tuple(sorted(found, key=lambda check: check.order))


async def look(machine: Machine, seconds: float = SECONDS) -> list[Checked]:
    """The verdicts of all checks. What one raises is its own verdict, and stops no other."""
    verdicts = await asyncio.gather(*(_verdict(check, machine, seconds) for check in all_checks()))
    return [Checked(check.name, check.title, verdict) for check, verdict in zip(all_checks(), verdicts, strict=True)]


async def _verdict(check: Check, machine: Machine, seconds: float) -> Verdict:
    if machine.offline and check.network:
        return skipped("unhub is offline (--offline)")
    try:
        async with asyncio.timeout(seconds):
            return await check.look(machine)
    except TimeoutError:
        return failed(f"it did not end within {seconds:g} s")
    except MissingExtra as error:
        return skipped(f"{error.message}. {error.hint}" if error.hint else error.message)
    except UnhubError as error:
        return failed(str(error))
