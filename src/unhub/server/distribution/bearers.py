"""Who presents which ``Authorization``, remembered for as long as it counts: pulls ask with the same one again and again.

Nothing is kept of the secret but a keyed hash. Everything is forgotten when keys or revocations change, which each worker
hears of within a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

from unhub.image.errors import TokenFault, TokenRefused
from unhub.mirror.revoked import Revoked
from unhub.mirror.signing_keys import Keyring
from unhub.mirror.tokens import Holder, Tokens
from unhub.server.distribution.answers import Header

KEPT_MAX: Final = 8192
"""Tokens that are remembered, at most; the oldest is forgotten first."""

BEARER: Final = b"bearer "


class Bearers:
    """Lives in one event loop. ``tokens`` gives the token service as it is now, ``now`` is seconds since 1970."""

    def __init__(self, tokens: Callable[[], Tokens], now: Callable[[], float]) -> None:
        self._tokens = tokens
        self._now = now
        self._key = os.urandom(32)
        self._known: dict[bytes, Holder] = {}
        self._made_with: tuple[Keyring, Revoked] | None = None

    def find(self, headers: Sequence[Header]) -> Holder | None:
        """Who presents a token that was read before and still counts; ``None`` where it must be read."""
        tokens, made_with = self._tokens(), self._made_with
        if made_with is None or made_with[0] is not tokens.keyring or made_with[1] is not tokens.revoked:
            self._known.clear()
            self._made_with = (tokens.keyring, tokens.revoked)
            return None
        found = None
        for name, value in headers:
            if name == b"authorization":
                if found is not None:
                    return None
                found = value
        holder = None if found is None else self._known.get(self._hashed(found))
        return holder if holder is not None and self._now() < holder.expires_at else None

    def read(self, headers: Sequence[Header]) -> Holder:
        """Who presents a bearer token. Raises :class:`TokenRefused`, also where there are two."""
        holder = self.find(headers)
        if holder is not None:
            return holder
        said = [value for name, value in headers if name == b"authorization"]
        if len(said) != 1 or said[0][: len(BEARER)].lower() != BEARER:
            raise TokenRefused("this is no bearer token", fault=TokenFault.INVALID)
        holder = self._tokens().read_bearer(said[0][len(BEARER) :].strip().decode("latin-1"))
        if len(self._known) >= KEPT_MAX:
            del self._known[next(iter(self._known))]
        self._known[self._hashed(said[0])] = holder
        return holder

    def _hashed(self, value: bytes) -> bytes:
        return blake2b(value, digest_size=16, key=self._key).digest()
