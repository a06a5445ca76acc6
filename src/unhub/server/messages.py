"""What libraries and mistakes of ours say in a child process: a line each on standard error, never a traceback."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import PurePath
from types import TracebackType


def described(error: BaseException, trace: TracebackType | None) -> str:
    """An error in one line: its kind, its words, and where it was raised."""
    frames = traceback.extract_tb(trace)
    where = f" (at {PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return " ".join(f"{type(error).__name__}: {error}{where}".split())


class OneLine(logging.Formatter):
    """A record in one line, with its error's if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        text = " ".join(record.getMessage().split())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text}: {described(error, error.__traceback__)}"
        return f"unhub: {record.levelname.lower()} in {record.name}: {text[:2000]}"


def to_standard_error() -> None:
    """Let everything that is logged as a warning or worse be told so."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
