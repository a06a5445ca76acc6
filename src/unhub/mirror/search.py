"""The search for one digest: who is asked when, and what is waited for while nobody may be asked.

The order is that of docs/contracts.md, freshness and order: a fallback that is free soon; a pull of the upstream where none is;
then whatever comes first, a fallback's slot or the upstream's return.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from unhub.image.digest import Digest
from unhub.image.manifest import Manifest
from unhub.mirror.counts import Counts
from unhub.mirror.prospect import LOOK_AGAIN, Prospect, Tried
from unhub.mirror.source import Gone, Source, Unavailable
from unhub.mirror.sources import Fallback, Upstream
from unhub.store.records import Priority, RepositoryKey

PATIENCE: Final = 900.0
"""Seconds that a flight goes on for, with or without somebody who waits: what was promised by ``Retry-After`` must come true."""

ATTEMPTS: Final = 5
"""Times that a fallback is asked for a manifest whose turn had come, before the others are."""

MARGIN: Final = 0.5
"""Seconds that an answer takes after its slot has come."""

Found = tuple[Manifest, str]
"""A manifest, and the name of whom it came from."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A digest of a repository, and how much somebody wants it."""

    key: RepositoryKey
    digest: Digest
    priority: Priority


class Search:
    """One search, by one flight. ``clock`` gives seconds that never go back; ``prospect`` is kept true while it waits."""

    def __init__(
        self,
        upstream: Upstream,
        wanted: Wanted,
        prospect: Prospect,
        counts: Counts,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._upstream = upstream
        self._key = wanted.key
        self._digest = wanted.digest
        self._priority = wanted.priority
        self._prospect = prospect
        self._counts = counts
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._tried = Tried()

    async def find(self) -> Found:
        """The manifest. Raises :class:`Gone` and :class:`Unavailable`."""
        found = await self._found()
        self._prospect.landed = True
        return found

    async def _found(self) -> Found:
        while True:
            fallbacks = self._usable()
            for fallback in fallbacks:
                if self._is_soon(fallback):
                    manifest = await self._from_fallback(fallback)
                    if manifest is not None:
                        return manifest, fallback.rules.name
            last: Gone | Unavailable
            try:
                return await self._from_upstream(), self._upstream.source.name
            except Gone as gone:
                last = gone
                if not any(self._tried.may_ask(fallback) for fallback in fallbacks):
                    raise
            except Unavailable as unavailable:
                last = unavailable
            if self._priority is not Priority.CLIENT:
                raise last
            found = await self._wait(last)
            if found is not None:
                return found

    def _usable(self) -> list[Fallback]:
        return [fallback for fallback in self._upstream.carrying(self._key) if self._tried.may_ask(fallback)]

    def _is_soon(self, fallback: Fallback) -> bool:
        """Whether its slot comes soon enough to spare a pull: where a client waits that may take a moment."""
        return fallback.source.pace.free_in() <= (self._upstream.rules.fallback_hold if self._priority is Priority.CLIENT else 0.0)

    async def _from_fallback(self, fallback: Fallback) -> Manifest | None:
        """A manifest from a fallback at its next slot; ``None``, and noted, where it does not have it, or fails."""
        if fallback.source.breaker.shut_for:
            self._tried.resting.add(fallback.rules.name)
            return None
        for attempt in range(ATTEMPTS):
            await self._turn(fallback, first=attempt > 0)
            try:
                fetched = await fallback.source.get(self._key.path, self._digest)
            except Gone:
                self._tried.lacking.add(fallback.rules.name)
                return None
            except Unavailable as unavailable:
                if not self._may_ask_again(fallback, unavailable):
                    return None
            else:
                self._counts.fell_back(fallback.rules.name)
                self._counts.saved_pulls += 1
                return fetched.manifest
        return None

    async def _turn(self, fallback: Fallback, *, first: bool) -> None:
        """Wait for a slot; while that lasts, and for a moment after it, the end can be told."""
        pace, ticket, name = fallback.source.pace, object(), fallback.rules.name
        self._expect(lambda: pace.due_in(ticket) + MARGIN, f"it waits for a slot of {name}", limited=True)
        await pace.turn(self._sleep, first=first, ticket=ticket)
        answered = self._clock() + MARGIN
        self._expect(lambda: max(answered - self._clock(), 0.0) or None, f"{name} has not answered in time", limited=False)

    def _may_ask_again(self, fallback: Fallback, unavailable: Unavailable) -> bool:
        """Whether a fallback that did not answer is asked again at its next turn."""
        if unavailable.retry_in is None:
            self._tried.note_failure(fallback)
        elif unavailable.retry_in > LOOK_AGAIN:
            self._tried.resting.add(fallback.rules.name)
        return self._tried.may_ask(fallback)

    async def _from_upstream(self) -> Manifest:
        """A counted pull, with the first login that has one left. Raises :class:`Gone` and :class:`Unavailable`."""
        refills: list[float] = []
        for source in (self._upstream.source, *self._upstream.more):
            if self._may_spend(source):
                try:
                    fetched = await source.get(self._key.path, self._digest)
                except Unavailable:
                    if self._may_spend(source):
                        raise
                else:
                    self._counts.pulled(source.name)
                    return fetched.manifest
            refill = None if source.ledger is None else source.ledger.refill_in(source.name, source.credential)
            refills += [] if refill is None else [refill]
        cause = f"the pull limit of {self._upstream.rules.title} is used up"
        raise Unavailable(cause, retry_in=min(refills, default=None), limited=True)

    def _may_spend(self, source: Source) -> bool:
        return source.ledger is None or source.ledger.may_spend(source.name, source.credential, self._priority)

    async def _wait(self, last: Gone | Unavailable) -> Found | None:
        """Wait for whatever comes first: a fallback's slot, the upstream's return, or a free look that shows new pulls."""
        usable = self._usable()
        if usable:
            return await self._at_slot(min(usable, key=lambda fallback: fallback.source.pace.free_in()))
        if isinstance(last, Gone):
            raise last
        await self._pause(last)
        return None

    async def _at_slot(self, fallback: Fallback) -> Found | None:
        slot = fallback.source.pace.free_in()
        if self._clock() + slot > self._started + PATIENCE:
            raise Unavailable(f"too many wait for {fallback.rules.name}", retry_in=slot, limited=True)
        manifest = await self._from_fallback(fallback)
        return None if manifest is None else (manifest, fallback.rules.name)

    async def _pause(self, last: Unavailable) -> None:
        """Wait until the upstream may be asked again, and look at it. Raises ``last`` where no more time is left."""
        now, retry_in = self._clock(), last.retry_in
        at = None if retry_in is None else now + retry_in + MARGIN
        self._expect(lambda: None if at is None else at - self._clock(), last.cause, limited=last.limited)
        ends = self._started + (PATIENCE if retry_in is not None and retry_in < PATIENCE else self._upstream.rules.hold)
        if now >= ends:
            raise last
        pause = self._tried.pause()
        wait = pause if retry_in is None else min(retry_in, pause)
        await self._sleep(max(min(wait, ends - now), 0.05))
        await self._look()

    def _expect(self, due: Callable[[], float | None], cause: str, *, limited: bool) -> None:
        self._prospect.due, self._prospect.cause, self._prospect.limited = due, cause, limited

    async def _look(self) -> None:
        """A free look: its headers say whether there are pulls again."""
        try:
            await self._upstream.source.head(self._key.path, self._digest)
        except (Gone, Unavailable):
            return
