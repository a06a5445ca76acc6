"""The parts of an upload: the list of where each ended, which is written after the part's bytes.

Whatever of a part is in the file when a process ends before it has listed it was not acknowledged, and is cut off by whoever
goes on. The list is read again at each request, so that every worker may take the next part. All of this happens under
the lock of the upload's file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from unhub.mirror.upload_files import disk

_END: Final = struct.Struct(">Q")


class PartList:
    """The parts that were taken, as the place after the last byte of each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ends: Sequence[int] = self._read()

    @property
    def reached(self) -> int:
        """Where the next part begins."""
        return self.ends[-1] if self.ends else 0

    @property
    def last_start(self) -> int:
        """Where the last part began."""
        return self.ends[-2] if len(self.ends) > 1 else 0

    @property
    def smallest_but_last(self) -> int | None:
        """Bytes of the smallest part that is not the last one, ``None`` where there is no such part."""
        starts = [0, *self.ends]
        return min((end - start for start, end in zip(starts, self.ends[:-1], strict=False)), default=None)

    def settle(self, descriptor: int) -> bool:
        """Make file and list agree; whether the file was cut.

        What was never listed is cut off; what is listed and has not come to the disk (a power cut) is listed no more.
        """
        size = os.fstat(descriptor).st_size
        self.ends = [end for end in self.ends if end <= size]
        if size > self.reached:
            os.ftruncate(descriptor, self.reached)
        return size > self.reached

    def add(self, end: int) -> None:
        """List a part whose bytes are in the file. Raises :class:`ServeError` where the disk has no room."""
        with disk():
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                place = len(self.ends) * _END.size
                os.ftruncate(descriptor, place)
                os.pwrite(descriptor, _END.pack(end), place)
            finally:
                os.close(descriptor)
        self.ends = [*self.ends, end]

    def _read(self) -> list[int]:
        """What is listed, up to an entry that is cut or out of order."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        ends: list[int] = []
        for (end,) in _END.iter_unpack(data[: len(data) - len(data) % _END.size]):
            if end <= (ends[-1] if ends else 0):
                break
            ends.append(end)
        return ends
