"""Looking at many files on every core: forked shares of the work, where forking is to be had."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, TypeVar

T = TypeVar("T")

PAYS_FROM = 300
"""Fewest files for which a second process is worth its start (measured by ``make bench``)."""


def spread(work: Callable[[str], T | None], files: Sequence[str], *, cores: int, done: Callable[[int], None]) -> list[T]:
    """``work`` on every file, ``None`` left out; the order is not kept.

    ``done`` is told how many files are finished, as far as this process knows. A share whose
    process fails is done again here, so that a crash is seen where it belongs.
    """
    shares = min(cores, 8) if len(files) >= PAYS_FROM and _can_fork() else 1
    children = [_start(work, files[number::shares]) for number in range(1, shares)]
    results = _share(work, files[0::shares], lambda count: done(count * shares))
    for number, child in enumerate(children, 1):
        answer: list[T] | None = _collect(child)
        results += _share(work, files[number::shares], lambda _: None) if answer is None else answer
    done(len(files))
    return results


def _can_fork() -> bool:
    return hasattr(os, "fork") and sys.platform != "darwin"


def _share(work: Callable[[str], T | None], files: Sequence[str], done: Callable[[int], None]) -> list[T]:
    results: list[T] = []
    for number, path in enumerate(files):
        if number % 64 == 0:
            done(number)
        result = work(path)
        if result is not None:
            results.append(result)
    return results


def _start(work: Callable[[str], T | None], files: Sequence[str]) -> tuple[int, BinaryIO]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, os.fdopen(reading, "rb")
    status = 1
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(_share(work, files, lambda _: None), pipe, protocol=pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)  # the parent's buffers and exit handlers are not ours to run


def _collect(child: tuple[int, BinaryIO]) -> Any:
    """The list a child made, ``None`` where it failed."""
    process, pipe = child
    with pipe:
        data = pipe.read()
    _, status = os.waitpid(process, 0)
    return pickle.loads(data) if status == 0 else None  # noqa: S301 - our own child wrote it
