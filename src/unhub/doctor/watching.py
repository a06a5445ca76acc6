"""Run a command, pass its output through byte for byte, and let somebody read along.

The command's output goes through two pipes, so it sees no terminal and may leave out colours and progress bars. Its
standard input is the caller's own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from types import FrameType
from typing import IO, Final

from unhub.doctor.log.reading import CHUNK, RawLine, Splitter
from unhub.image.errors import UsageError

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""What shells end with where there is no such command, or it cannot be run (POSIX, 2.8.2)."""

LINGER: Final = 2.0
"""Seconds that are waited for the last output when the command has ended and a child of it still holds the pipe."""

FORWARDED: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)
FROM_TERMINAL: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))
"""Signals that a terminal sends to every program in its foreground, the command included."""


class CannotStart(UsageError):
    """The command cannot be started; ``exit_status`` is the one a shell ends with."""

    def __init__(self, command: str, error: OSError) -> None:
        missing = isinstance(error, FileNotFoundError)
        super().__init__(f"cannot run {command!r}: {'there is no such command' if missing else error.strerror or error}")
        self.exit_status = NOT_FOUND if missing else NOT_EXECUTABLE


def watch(command: Sequence[str], read_along: Callable[[RawLine], None]) -> int:
    """Run a command to its end and return its exit status, 128 and the signal where a signal ended it.

    ``read_along`` gets the lines of both streams, numbered as they came, never two at a time.
    Raises :class:`CannotStart`.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    except OSError as error:
        raise CannotStart(command[0], error) from None
    reader = _Reader(read_along)
    with _forwarding(process):
        threads = [_passing(pipe, stream, reader) for stream, pipe in ((1, process.stdout), (2, process.stderr)) if pipe]
        status = process.wait()
        for thread in threads:
            _join(thread, reader)
    reader.end()
    return status if status >= 0 else 128 - status


class _Reader:
    """Numbers the lines of two streams in the order in which they come."""

    def __init__(self, read_along: Callable[[RawLine], None]) -> None:
        self._read_along = read_along
        self._splitters = {1: Splitter(), 2: Splitter()}
        self._numbers: dict[tuple[int, int], int] = {}
        self._count = 0
        self._ended = False
        self.bytes_read = 0
        self._lock = threading.Lock()

    def feed(self, stream: int, data: bytes) -> None:
        with self._lock:
            self.bytes_read += len(data)
            if not self._ended:
                self._lines(stream, self._splitters[stream].feed(data))

    def end(self) -> None:
        with self._lock:
            self._ended = True
            for stream, splitter in self._splitters.items():
                self._lines(stream, splitter.end())

    def _lines(self, stream: int, lines: Iterable[RawLine]) -> None:
        for line in lines:
            known = self._numbers.get((stream, line.number))
            if known is None:
                self._count += 1
                known = self._count
                self._numbers = {key: value for key, value in self._numbers.items() if key[0] != stream}
                self._numbers[stream, line.number] = known
            self._read_along(RawLine(known, line.data))


def _join(thread: threading.Thread, reader: _Reader) -> None:
    """Wait for the end of a stream, or until nothing has come for a while."""
    seen = -1
    while thread.is_alive() and seen != reader.bytes_read:
        seen = reader.bytes_read
        thread.join(LINGER)


def _passing(pipe: IO[bytes], stream: int, reader: _Reader) -> threading.Thread:
    thread = threading.Thread(target=_pass, args=(pipe, stream, reader), daemon=True)
    thread.start()
    return thread


def _pass(pipe: IO[bytes], stream: int, reader: _Reader) -> None:
    """Copy a pipe to one of our own streams; where nobody reads that any more, the command's pipe is closed, too."""
    with pipe, contextlib.suppress(OSError):
        while data := os.read(pipe.fileno(), CHUNK):
            _write(stream, data)
            reader.feed(stream, data)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _forwarding(process: subprocess.Popen[bytes]) -> Generator[None]:
    """Hand signals on to the command; those of the terminal have reached it already."""

    def forward(number: int, _: FrameType | None) -> None:
        if number in FROM_TERMINAL and _is_in_foreground():
            return
        with contextlib.suppress(OSError):
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether a terminal sends its signals to this process and its children."""
    try:
        with open("/dev/tty", "rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
