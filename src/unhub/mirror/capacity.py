"""How large the cache may become: bytes with a unit, or a share of the volume."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNITS: Final = {
    **{"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4},
    **{"kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4},
}
_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?P<unit>[A-Za-z]*|%)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system: all of its bytes, and those that are free for this user."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most bytes that blobs may take: a number of ``bytes``, or a ``share`` (0 to 1) of the volume."""

    bytes: int | None = None
    share: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Capacity:
        """Read ``500GB``, ``20 GiB``, ``1000000`` or ``80%``. Raises :class:`ValueError` with the reason."""
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise ValueError('it is no number with a unit ("500GB", "20GiB") and no share ("80%")')
        number = float(match["number"])
        if match["unit"] == "%":
            if not 0 < number <= 100:
                raise ValueError("a share lies between 0% and 100%")
            return cls(share=number / 100)
        factor = _UNITS.get(match["unit"].lower())
        if factor is None:
            raise ValueError(f"{match['unit']} is no unit")
        if number * factor < 1:
            raise ValueError("it is less than a byte")
        return cls(bytes=int(number * factor))

    def limit(self, used: int, volume: Volume) -> int:
        """Bytes that the cache may take while it takes ``used``.

        A share is one of the space that others do not use, so that on a volume that is nearly full for other reasons
        the cache is small instead of never there.
        """
        if self.bytes is not None:
            return self.bytes
        return int(self.share * min(volume.total, used + volume.free))


def volume_of(folder: Path) -> Volume:
    """The volume that a folder lies on."""
    found = os.statvfs(folder)
    return Volume(found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail)
