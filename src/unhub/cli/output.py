"""Writing for people and for programs: bytes as they are, no control characters, colours only where wanted."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
import unicodedata
from typing import TextIO

from unhub.image.errors import WriteFailed

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STYLES = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def write(text: str) -> None:
    """Write text to standard output as UTF-8; bytes of file names that are not UTF-8 come out as they were."""
    write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output; raises :class:`WriteFailed` where that is full."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_output()
        raise WriteFailed(f"cannot write the output: {error.strerror or error}") from None


def forget_output() -> None:
    """Point standard output to nowhere, so that Python's own flush at the end does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Say something beside the output: a line on standard error."""
    print(text, file=sys.stderr)


def printable(text: str) -> str:
    r"""``text`` with every character that could change the terminal or hide text spelled out (``\x1b``)."""
    return _UNPRINTABLE.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    known = {9: "\\t", 10: "\\n", 13: "\\r"}
    return known.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads the stream."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def colourful(stream: TextIO) -> bool:
    """Whether to colour: on a terminal, unless ``NO_COLOR`` is set (no-color.org) or the terminal is dumb."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, *names: str, on: bool) -> str:
    """``text`` in the named styles if ``on``."""
    if not on or not names:
        return text
    return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal, at least 40; ``None`` where nobody reads, so that no line is broken."""
    return max(shutil.get_terminal_size((80, 24)).columns, 40) if is_terminal(stream) else None


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _bar(done: int, total: int, columns: int = 20) -> str:
    filled = columns * done // max(total, 1)
    return f"[{'#' * filled}{'.' * (columns - filled)}] "


class Progress:
    """How far a long run is, on standard error, only for a person and only after half a second."""

    def __init__(self, verb: str, noun: str = "files", *, estimate: bool = False) -> None:
        self._verb = verb
        self._noun = noun
        self._estimate = estimate
        self._start = time.monotonic()
        self._from = self._start + 0.5
        self._shown = False
        self._wanted = is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` files (or what else they are) are finished, with an estimate of the rest if wanted."""
        if self._wanted and (now := time.monotonic()) >= self._from:
            self._from = now + 0.1
            self._shown = True
            bar = _bar(done, total) if self._estimate else ""
            sys.stderr.write(f"\r\x1b[K{self._verb}: {bar}{done} of {total} {self._noun}{self._rest(done, total, now)}")
            sys.stderr.flush()

    def _rest(self, done: int, total: int, now: float) -> str:
        """The time that the rest takes if it goes on as so far; nothing while too little is known for a guess."""
        elapsed = now - self._start
        if not self._estimate or done < max(3, total // 50) or done >= total:
            return ""
        seconds = round(elapsed / done * (total - done))
        return f", about {seconds} s left" if seconds < 100 else f", about {round(seconds / 60)} min left"

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
