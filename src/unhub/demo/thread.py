"""A thread with a loop of its own, in which a stand-in lives."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SECONDS_TO_ANSWER = 30
"""How long a command of the handle may take; longer means that the stand-in hangs."""


class LoopThread:
    """A thread with a loop. What the handle wants is done in it, so that nothing needs a lock."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS_TO_ANSWER)

    def do(self, work: Callable[[], T]) -> T:
        """Call something in the loop's thread and return what it returns, or raise what it raises."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def call() -> None:
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return done.result(SECONDS_TO_ANSWER)

    def end(self) -> None:
        """Stop the loop and wait for the thread."""
        self.run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS_TO_ANSWER)
        self._loop.close()

    async def _finish(self) -> None:
        own = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not own]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()
