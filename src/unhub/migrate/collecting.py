"""Rest for the collector of cycles while a tree is looked at."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def paused() -> Generator[None]:
    """Do without the collector: a scan makes few cycles, and what it makes lives to its end.

    Going through all of that again and again would take a tenth of a scan's time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
