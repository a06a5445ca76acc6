"""A registry client for tests: it waits for nothing, and notes what it says and how long it would have waited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from unhub.image.reference import Reference
from unhub.registry.client import ClientSettings, RegistryClient
from unhub.registry.credential import Credential

T = TypeVar("T")


@dataclass
class Time:
    """A clock that only waiting moves. ``pace`` is how long a wait takes in truth, so that others can go on meanwhile."""

    now: float = 1000.0
    pace: float = 0.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds  # those who wait at once wait together
        self.waits.append(seconds)
        await asyncio.sleep(self.pace)
        self.now = max(self.now, until)


class Logins:
    """Logins by registry; notes who was asked for."""

    def __init__(self, logins: Mapping[str, Credential]) -> None:
        self.logins = logins
        self.asked: list[str] = []

    def find(self, registry: str) -> Credential | None:
        self.asked.append(registry)
        return self.logins.get(registry)


@dataclass
class Said:
    """What happened beside the result."""

    time: Time = field(default_factory=Time)
    notices: list[str] = field(default_factory=list)


def with_client(
    work: Callable[[RegistryClient], Awaitable[T]],
    endpoints: Mapping[str, str],
    *,
    logins: Mapping[str, Credential] | Logins | None = None,
    said: Said | None = None,
    **settings: Any,
) -> T:
    """Run ``work`` with a client of these endpoints, to its end, and close everything."""
    said = said or Said()
    found = logins if isinstance(logins, Logins) else Logins(logins or {})

    async def run() -> T:
        chosen = ClientSettings(endpoints=endpoints, **settings)
        async with RegistryClient(
            chosen, found, clock=said.time, sleep=said.time.sleep, random=Random(1), notice=said.notices.append
        ) as client:
            return await work(client)

    return asyncio.run(run())


def ref(text: str) -> Reference:
    return Reference.parse(text)
