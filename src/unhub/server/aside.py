"""Work whose memory is wanted back: done in a forked process, which ends with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from unhub.image.errors import UnhubError

WORDS_MAX: Final = 4096
"""Bytes of the words of an error that come back: a pipe takes them whole."""


def aside(work: Callable[[], None]) -> None:
    """Do it and wait for its end; for a process without threads. Raises :class:`UnhubError` with the words of what it raised."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.close(reading)
            work()
            status = 0
        except BaseException as error:  # the caller's code must never go on in this process
            os.write(writing, (str(error) or type(error).__name__).encode("utf-8", "replace")[:WORDS_MAX])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    _, ended = os.waitpid(pid, 0)
    if ended:
        raise UnhubError(said or f"its process ended with status {os.waitstatus_to_exitcode(ended)}")
