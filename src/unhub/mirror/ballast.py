"""A file that only takes space, to be given up when there is none: a full volume must not keep us from making room on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from unhub.mirror.capacity import Volume

SIZE: Final = 8 * 1024 * 1024
"""Bytes of it, on volumes that are large enough."""

SHARE: Final = 0.05
"""The share of a small volume that it takes at most."""


class Ballast:
    """Blocks; ``path`` ``None`` does nothing."""

    def __init__(self, path: Path | None, volume: Callable[[], Volume]) -> None:
        self._path = path
        self._volume = volume

    def take(self) -> None:
        """Take the space, if there is twice as much free."""
        if self._path is None or self._path.exists():
            return
        with suppress(OSError):
            volume = self._volume()
            size = min(SIZE, int(volume.total * SHARE))
            if size and volume.free >= 2 * size:
                self._fill(self._path, size)

    def drop(self) -> None:
        """Give it up."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def _fill(self, path: Path, size: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
