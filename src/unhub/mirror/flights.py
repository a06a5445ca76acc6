"""Work that many wait for and one does: owned by the fetcher, never by whoever asked first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """One task a key. A waiter that leaves cancels nothing; a failed flight is no longer joined."""

    def __init__(self, limit: int = 2000) -> None:
        """``limit`` bounds the flights that are under way at once."""
        self._tasks: dict[K, asyncio.Task[V]] = {}
        self._limit = limit

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def full(self) -> bool:
        """Whether no new flight may begin."""
        return len(self._tasks) >= self._limit

    def get(self, key: K) -> asyncio.Task[V] | None:
        """The flight under way, or ``None``."""
        return self._tasks.get(key)

    def join(self, key: K, begin: Callable[[], Awaitable[V]]) -> asyncio.Task[V]:
        """The flight under way for ``key``, begun where there is none. Await it by :func:`asyncio.shield`."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_run(begin))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: K, task: asyncio.Task[V]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()  # looked at, so that a failure nobody waits for any more is no warning

    async def close(self) -> None:
        """End every flight."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(begin: Callable[[], Awaitable[V]]) -> V:
    return await begin()
