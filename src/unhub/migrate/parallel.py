"""Looking at many files on every core: forked processes that share the work, where forking is to be had."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Generic, TypeVar, cast

T = TypeVar("T")

PAYS_FROM = 300
"""Fewest files for which a second process is worth its start (measured by ``make bench``)."""

_BATCHES_MAX = 1000
"""Most batches: their numbers, of four bytes, have to fit into a pipe, which may hold as little as 4,096 bytes."""
_BATCH_MIN = 16


def spread(work: Callable[[str], T | None], files: Sequence[str], *, cores: int, done: Callable[[int], None]) -> list[T]:
    """``work`` on every file, ``None`` left out, in the order of the files, however many processes there are.

    ``done`` is told how many files are finished, as far as this process knows. What a process took that then fails is
    done again here, so that a crash is seen where it belongs.
    """
    processes = min(cores, 8) if len(files) >= PAYS_FROM and _can_fork() else 1
    batches = _Batches(work, files)
    results = batches.here(done) if processes == 1 else batches.spread(processes, done)
    done(len(files))
    return results


def _can_fork() -> bool:
    return hasattr(os, "fork") and sys.platform != "darwin"


class _Batches(Generic[T]):
    """Files in batches, small enough that no process waits long for another at the end."""

    def __init__(self, work: Callable[[str], T | None], files: Sequence[str]) -> None:
        self._work = work
        self._files = files
        self._size = max(_BATCH_MIN, -(-len(files) // _BATCHES_MAX))

    @property
    def _count(self) -> int:
        return -(-len(self._files) // self._size)

    def here(self, done: Callable[[int], None]) -> list[T]:
        """Everything in this process."""
        return [result for results in self._taken(iter(range(self._count)), done).values() for result in results]

    def spread(self, processes: int, done: Callable[[int], None]) -> list[T]:
        """Everything, with ``processes - 1`` forked ones: each takes the number of a batch from one pipe until it is empty."""
        numbers, writing = os.pipe()
        os.write(writing, b"".join(number.to_bytes(4, "big") for number in range(self._count)))
        os.close(writing)
        children: list[tuple[int, BinaryIO]] = []
        try:
            children += [self._fork(numbers) for _ in range(1, processes)]
            results = self._taken(_numbers(numbers), done)
            while children:
                results.update(self._collect(children.pop()))
            missing = [number for number in range(self._count) if number not in results]
            results.update(self._taken(iter(missing), lambda _: None))
        finally:
            os.close(numbers)
            for child in children:
                _end(child)
        return [result for number in sorted(results) for result in results[number]]

    def _taken(self, numbers: Iterator[int], done: Callable[[int], None]) -> dict[int, list[T]]:
        results: dict[int, list[T]] = {}
        for number in numbers:
            done(number * self._size)
            batch = self._files[number * self._size : (number + 1) * self._size]
            results[number] = [result for path in batch if (result := self._work(path)) is not None]
        return results

    def _fork(self, numbers: int) -> tuple[int, BinaryIO]:
        import pickle

        reading, writing = os.pipe()
        child = os.fork()
        if child:
            os.close(writing)
            return child, os.fdopen(reading, "rb")
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(self._taken(_numbers(numbers), lambda _: None), pipe, protocol=pickle.HIGHEST_PROTOCOL)
            status = 0
        finally:
            os._exit(status)  # the parent's buffers and exit handlers are not ours to run

    def _collect(self, child: tuple[int, BinaryIO]) -> dict[int, list[T]]:
        """What a child made by the numbers of its batches, nothing where it failed."""
        import pickle

        process, pipe = child
        with pipe:
            data = pipe.read()
        _, status = os.waitpid(process, 0)
        return cast("dict[int, list[T]]", pickle.loads(data)) if status == 0 else {}  # noqa: S301 - our own child wrote it


def _end(child: tuple[int, BinaryIO]) -> None:
    process, pipe = child
    pipe.close()
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _numbers(pipe: int) -> Iterator[int]:
    while data := os.read(pipe, 4):
        yield int.from_bytes(data, "big")
