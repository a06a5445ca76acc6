"""A guard against work that never ends: it says nothing of speed, which `make bench` measures."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Generator
from typing import Any


@contextlib.contextmanager
def must_end(seconds: int = 120) -> Generator[None]:
    """Fail where the body has not come to its end after ``seconds``, which is far more than it needs."""

    def ring(_signum: int, _frame: object) -> None:
        raise AssertionError(f"still at work after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def calls(work: Callable[[], Any]) -> int:
    """How many functions ``work`` calls: a count of its steps that does not depend on the machine."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
