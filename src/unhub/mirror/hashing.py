"""Hashes of what grows: carried on while bytes come, or taken again from the file."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import Any, Final

READ: Final = 4 * 1024 * 1024
"""Bytes that are read at once."""

HASHES_MAX: Final = 1000
"""Files whose hash is carried on in memory; others are hashed again at their end."""


class Hashing:
    """A hash that is carried on from chunk to chunk; ``reached`` bytes are in it."""

    def __init__(self, algorithm: str, hash_: Any, reached: int) -> None:
        self.algorithm = algorithm
        self.reached = reached
        self._hash = hash_

    @classmethod
    def new(cls, algorithm: str) -> Hashing:
        """The hash of nothing yet."""
        return cls(algorithm, hashlib.new(algorithm, usedforsecurity=False), 0)

    @classmethod
    def of(cls, descriptor: int, algorithm: str) -> Hashing:
        """The hash of a whole file; this takes a while."""
        hashing = cls.new(algorithm)
        while piece := os.pread(descriptor, READ, hashing.reached):
            hashing.update(piece)
        return hashing

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        self._hash.update(data)
        self.reached += len(data)

    def hexdigest(self) -> str:
        """The digest of what was taken in, in hexadecimal digits."""
        return self._hash.hexdigest()


class Hashes:
    """The hashes of files by name; the longest unused are forgotten where there are too many."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[str, Hashing] = OrderedDict()

    def get(self, name: str) -> Hashing | None:
        """The hash of a file, if it is remembered."""
        return self._hashes.get(name)

    def remember(self, name: str, hashing: Hashing) -> None:
        """Keep a hash for what comes next."""
        self._hashes[name] = hashing
        self._hashes.move_to_end(name)
        while len(self._hashes) > HASHES_MAX:
            self._hashes.popitem(last=False)

    def forget(self, name: str) -> None:
        """Drop a hash: the file is gone, or is no longer what was hashed."""
        self._hashes.pop(name, None)
