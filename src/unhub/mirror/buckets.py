"""Buckets of all workers in memory that they share: so many a second of each caller, exactly, whichever worker is asked.

The rule is the generic cell rate algorithm (ITU-T I.371, annex A): all that is kept of a bucket is when it will be full
again. A bucket that is full is the same as none, so that idle ones need no place, and the table never grows.

Workers exclude each other by record locks, which the system takes back from a process that dies (fcntl(2)); a semaphore in
shared memory would stay taken, and a table in each worker would grant each caller several times over. The memory is the
parent's: what a worker wrote outlives it.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

SETS: Final = 8192
"""Parts of the table that are locked by themselves; what a name hashes to is its part."""

WAYS: Final = 8
"""Buckets of a part. 65,536 callers that are not idle have room in all, in 1.5 MiB."""

NAMES_MAX: Final = 4096
"""Names of which the hash is remembered."""

SECOND: Final = 1_000_000_000
"""Nanoseconds."""

_KEY = 16
_KEYS = _KEY * WAYS
_DUES = struct.Struct(f"={WAYS}q")
_DUE = struct.Struct("=q")
_SET = _KEYS + _DUES.size


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: once in ``gap`` (nanoseconds), and ``burst`` times at once after a rest."""

    gap: int
    burst: int

    @classmethod
    def a_second(cls, amount: float, burst: int = 1) -> Rate:
        """So many a second; at once at least one second's worth."""
        return cls(math.ceil(SECOND / amount), max(1, burst, math.floor(amount)))


class Buckets:
    """A table for a process and the children that it forks, each of which may use it from one thread.

    ``clock`` gives nanoseconds that never go back and are the same in all of them (``CLOCK_MONOTONIC``). Where more callers than
    have room in a part are busy at the same time, the one whose bucket is nearest to full is forgotten: it may begin anew.
    """

    def __init__(
        self, sets: int = SETS, *, clock: Callable[[], int] = time.monotonic_ns, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._sets = sets
        self._clock = clock
        self._secret = entropy(_KEY)  # so that nobody can choose addresses that push a certain other one out
        self._file = _shared_file(sets * _SET)
        self._memory = mmap.mmap(self._file, sets * _SET)
        self._hashes: dict[str, bytes] = {}

    def take(self, name: str, rate: Rate) -> float:
        """Take one from the bucket of a name, if there is one: 0. Otherwise the seconds until there will be one."""
        key = self._hash(name)
        number = int.from_bytes(key[:4], "big") % self._sets
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, number)
        try:
            return self._take(key, number * _SET, rate)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    def close(self) -> None:
        """Let go of the memory; for whoever forks no more."""
        self._memory.close()
        os.close(self._file)

    def _take(self, key: bytes, start: int, rate: Rate) -> float:
        memory, now = self._memory, self._clock()
        place = _found(memory[start : start + _KEYS], key)
        due = now if place is None else max(now, self._due(start, place, now + rate.burst * rate.gap))
        early = due - now - (rate.burst - 1) * rate.gap
        if early > 0:
            return early / SECOND
        if place is None:
            dues = _DUES.unpack_from(memory, start + _KEYS)
            place = dues.index(min(dues))
            memory[start + place * _KEY : start + (place + 1) * _KEY] = key
        _DUE.pack_into(memory, start + _KEYS + place * _DUE.size, due + rate.gap)
        return 0.0

    def _due(self, start: int, place: int, latest: int) -> int:
        """When a bucket will be full again. It is ``latest`` for an empty one: more is the debt of another rate, which is forgiven."""
        at = start + _KEYS + place * _DUE.size
        due: int = _DUE.unpack_from(self._memory, at)[0]
        if due > latest:
            due = latest
            _DUE.pack_into(self._memory, at, due)
        return due

    def _hash(self, name: str) -> bytes:
        found = self._hashes.get(name)
        if found is None:
            if len(self._hashes) >= NAMES_MAX:
                self._hashes.clear()
            found = self._hashes[name] = blake2b(name.encode("utf-8", "replace"), digest_size=_KEY, key=self._secret).digest()
        return found


def _found(keys: bytes, key: bytes) -> int | None:
    at = keys.find(key)
    while at > 0 and at % _KEY:  # between two keys
        at = keys.find(key, at + 1)
    return None if at < 0 else at // _KEY


def _shared_file(size: int) -> int:
    """A file without a name, which is all memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("unhub buckets", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
