"""The keys with which this registry signs what it gives out: made at the first start, replaced with an overlap.

A signature is an HMAC-SHA-256 for one purpose: what was signed as a token is no page of a listing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from unhub.mirror.sealing import Entropy, InstanceKey
from unhub.store.protocols_identity import SigningKeys
from unhub.store.records_identity import StoredSigningKey

ANNOUNCED: Final = 5.0
"""Seconds between a new key's making and its first signature: every worker and node has heard of it then (within 1 s)."""

LATE: Final = 60.0
"""Seconds after a key was replaced in which somebody may still have signed with it."""

_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, opened. Times are seconds since 1970."""

    number: int
    secret: bytes = field(repr=False)
    signs_from: float
    retired_at: float | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature and the number of its key."""

    key: int
    mac: bytes


class Keyring:
    """Keys that are known."""

    def __init__(self, keys: Iterable[SigningKey] = ()) -> None:
        self._keys = {key.number: key for key in keys}

    def __contains__(self, number: int) -> bool:
        return number in self._keys

    def sign(self, purpose: str, data: bytes, now: float) -> Signature:
        """Sign with the newest key that signs already. Raises ``LookupError`` where there is no key."""
        ready = [number for number, key in self._keys.items() if key.signs_from <= now] or list(self._keys)
        if not ready:
            raise LookupError("no signing key")
        number = max(ready)
        return Signature(number, _mac(self._keys[number].secret, purpose, data))

    def check(self, purpose: str, data: bytes, signature: Signature, signed_at: float) -> bool:
        """Whether it was signed here, for this purpose, with a key that signed at the time that it says."""
        key = self._keys.get(signature.key)
        expected = _mac(key.secret if key else bytes(_BYTES), purpose, data)
        if not hmac.compare_digest(expected, signature.mac) or key is None:
            return False
        return key.retired_at is None or signed_at <= key.retired_at + LATE


class KeyKeeper:
    """Makes, replaces and forgets the keys. ``now`` is seconds since 1970."""

    def __init__(self, store: SigningKeys, instance: InstanceKey, *, now: Callable[[], float], entropy: Entropy = os.urandom) -> None:
        self._store = store
        self._instance = instance
        self._now = now
        self._entropy = entropy

    async def load(self) -> Keyring:
        """The keys as they are, the first one made where there is none. Raises :class:`RefusedError` with another instance's key."""
        rows = await self._store.all()
        if not rows:
            await self._add(1, self._now())
            rows = await self._store.all()
        return Keyring(SigningKey(row.number, self._open(row), row.signs_from, row.retired_at) for row in rows)

    async def rotate(self) -> int:
        """Replace the key: it signs from :data:`ANNOUNCED` on, and what was signed before counts until it ends. The new number."""
        while True:
            rows = await self._store.all()
            number = rows[0].number + 1 if rows else 1
            if await self._add(number, self._now() + (ANNOUNCED if rows else 0.0)):
                return number

    async def discard_older(self) -> int:
        """Replace the key, and let nothing count that was signed before: the key may have leaked. The new number."""
        number = await self.rotate()
        # every replaced key is retired at the latest when the newest begins to sign
        await self._store.forget(self._now() + ANNOUNCED + 1.0)
        return number

    async def clean(self, longest: float) -> int:
        """Forget keys whose last signature has ended; ``longest`` is how many seconds one holds at most."""
        return await self._store.forget(self._now() - longest - LATE)

    async def _add(self, number: int, signs_from: float) -> bool:
        sealed = self._instance.seal(self._entropy(_BYTES), _purpose(number))
        return await self._store.add(StoredSigningKey(number, sealed, self._now(), signs_from))

    def _open(self, row: StoredSigningKey) -> bytes:
        return self._instance.open(row.secret, _purpose(row.number))


def _purpose(number: int) -> str:
    return f"signing key {number}"


def _mac(secret: bytes, purpose: str, data: bytes) -> bytes:
    return hmac.digest(secret, b"unhub\0" + purpose.encode() + b"\0" + data, hashlib.sha256)
