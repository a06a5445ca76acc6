"""Child processes of the supervisor: forked from it, so that they share its memory, and gone when it is gone."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from unhub.image.errors import UnhubError
from unhub.server.heartbeat import keep_telling
from unhub.server.messages import described, to_standard_error

DRAIN: Final = 30
"""Seconds in which a child that is told to end finishes its answers."""

ORPHAN: Final = 5
"""Seconds for the same where the supervisor is gone."""

GRACE: Final = 10
"""Seconds after which a child that did not end in time is ended by the system."""

READY: Final = b"r"
"""What a child writes once it serves; other bytes are its heartbeat."""

END: Final = signal.SIGUSR1
"""What the supervisor ends a child with."""

Main = Callable[[Callable[[], None], asyncio.Event], Awaitable[None]]
"""What a child does: calls the first argument once it is ready, and returns soon after the second is set."""


@dataclass(slots=True)
class Child:
    """A running child. ``pipe`` tells once that it serves, again and again that it does not hang, and of its end."""

    name: str
    pid: int
    pipe: int
    is_ready: bool = False
    is_ending: bool = False

    def end(self) -> None:
        """Tell it to finish its answers and end."""
        self.is_ending = True
        self.signal(END)

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal, unless it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Alive:
    """A pipe whose writing end only the supervisor has: it closes with the supervisor, however that ends."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()

    def forget(self) -> None:
        """In a child: let the supervisor alone hold the writing end."""
        os.close(self._writing)

    def close(self) -> None:
        """In the supervisor: let every child see that it is over."""
        os.close(self._writing)
        os.close(self.reading)


def fork(name: str, main: Main, alive: Alive, *, in_child: Callable[[], None] = lambda: None) -> Child:
    """Start a child. ``in_child`` runs in it first: to close what is the supervisor's alone."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # so that collections in the child do not copy the pages of what both share
    pid = os.fork()
    if pid:
        os.close(writing)
        os.set_blocking(reading, False)
        return Child(name, pid, reading)
    status = 1
    try:
        os.close(reading)
        alive.forget()
        in_child()
        status = _run(main, alive, writing)
    except UnhubError as error:
        print(f"unhub: {error}", file=sys.stderr)
    except BaseException as error:  # the supervisor's code must never go on in the child
        print(f"unhub: internal error in the {name}: {described(error, error.__traceback__)}; please report it", file=sys.stderr)
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _run(main: Main, alive: Alive, writing: int) -> int:
    """Run the child's loop with the signals of a child; threads that hang do not keep it."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # terminals and service managers send them to everybody; the supervisor decides
    to_standard_error()
    loop = new_loop()
    asyncio.set_event_loop(loop)
    stop = asyncio.Event()

    def ready() -> None:
        os.write(writing, READY)

    def end(seconds: int) -> None:
        signal.alarm(seconds + GRACE)
        stop.set()

    def orphaned() -> None:
        loop.remove_reader(alive.reading)
        end(ORPHAN)

    loop.add_signal_handler(END, lambda: end(DRAIN))
    loop.add_reader(alive.reading, orphaned)
    os.set_blocking(writing, False)
    keep_telling(loop, writing)
    loop.run_until_complete(main(ready, stop))
    return 0


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop where it is installed, else Python's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
