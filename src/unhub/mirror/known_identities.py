"""Who was looked up a moment ago is not looked up again: each request of a push asks for the same user with the same policies.

An entry lives for a second at most, however deaf a worker is, and all are forgotten as soon as it hears of any change of
identities. So a key that was switched off, or a policy that was detached, counts nowhere a second later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, TypeVar, cast

from unhub.aws.sigv4 import AccessKey
from unhub.mirror.identities import Identities
from unhub.mirror.principals import Principal

SECONDS: Final = 1.0
ENTRIES_MAX: Final = 500
"""Each may hold as many policies as an identity may have, so that there must not be too many."""

T = TypeVar("T")


class KnownIdentities:
    """Lives in one event loop. ``clock`` gives seconds that never go back."""

    def __init__(self, identities: Identities, clock: Callable[[], float]) -> None:
        self._identities = identities
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()
        self._epoch = 0

    async def look_up(self, key_id: str) -> tuple[AccessKey, Principal] | None:
        """See :meth:`Identities.look_up`."""
        return await self._get(("key", key_id), lambda: self._identities.look_up(key_id))

    async def principal(self, unique_id: str) -> Principal | None:
        """See :meth:`Identities.principal`."""
        return await self._get(("id", unique_id), lambda: self._identities.principal(unique_id))

    def forget(self) -> None:
        """Whatever is known may have changed; what is being read just now is not remembered either."""
        self._epoch += 1
        self._entries.clear()

    async def _get(self, key: Hashable, read: Callable[[], Awaitable[T | None]]) -> T | None:
        now = self._clock()
        known = self._entries.get(key)
        if known is not None and now < known[0]:
            return cast(T, known[1])
        epoch = self._epoch
        found = await read()
        if found is not None and epoch == self._epoch:
            self._put(key, now + SECONDS, found)
        return found

    def _put(self, key: Hashable, until: float, found: object) -> None:
        """Remember the newest; what is over, and the oldest of too many, leave from the other end."""
        self._entries[key] = (until, found)
        self._entries.move_to_end(key)
        now = self._clock()
        while len(self._entries) > ENTRIES_MAX or next(iter(self._entries.values()))[0] <= now:
            self._entries.popitem(last=False)
