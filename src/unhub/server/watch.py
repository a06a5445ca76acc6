"""Hearing of changes: what other workers, the fetcher and operators changed is forgotten here within a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from unhub.mirror.memory import Memory
from unhub.store.protocols import MetadataStore
from unhub.store.records import Change

POLL: Final = 0.15
"""Seconds between two looks; a change must be everywhere within one."""

DEAF: Final = 5.0
"""Seconds without a successful look after which memory is no longer trusted (docs/contracts.md, serving)."""

PAGE: Final = 1000


class Follower(Protocol):
    """Something else that a worker remembers of the store."""

    async def load(self) -> None:
        """Read all of it anew: at the start, and where changes may have been missed."""
        ...

    async def apply(self, changes: Iterable[Change]) -> None:
        """Take in what changed."""
        ...


class Watcher:
    """Keeps a worker's memory true. ``clock`` gives seconds that never go back."""

    def __init__(
        self,
        metadata: MetadataStore,
        memory: Memory,
        clock: Callable[[], float] = time.monotonic,
        *,
        followers: Sequence[Follower] = (),
    ) -> None:
        """``followers`` are told of every change, in their order."""
        self._followers = followers
        self._metadata = metadata
        self._memory = memory
        self._clock = clock
        self._generation = 0
        self._heard_at = clock()

    @property
    def hears(self) -> bool:
        """Whether changes were heard of lately."""
        return self._clock() - self._heard_at < DEAF

    async def start(self) -> None:
        """Begin with what is true now. Raises what the store raises."""
        self._generation = await self._metadata.changes.generation()
        self._memory.set_blocks(await self._metadata.policy.blocks())
        await self._load_followers()
        self._heard_at = self._clock()

    async def run(self) -> None:
        """Look for changes, for ever."""
        while True:
            await asyncio.sleep(POLL)
            try:
                async with asyncio.timeout(DEAF):
                    await self.look()
            except Exception:  # whatever it is: who stops listening would serve what is blocked, for ever
                self._memory.trusted = self.hears

    async def look(self) -> None:
        """Take in every change since the last look."""
        while True:
            began = self._clock()
            changes = await self._metadata.changes.since(self._generation, PAGE)
            if changes:
                await self._take_in(changes)
                self._generation = changes[-1].generation
            if len(changes) < PAGE:
                if not self._memory.trusted:
                    self._memory.clear()
                    await self._load_followers()
                    self._memory.trusted = True
                self._heard_at = began
                return

    async def _take_in(self, changes: Sequence[Change]) -> None:
        missed = changes[0].generation > self._generation + 1
        if missed or not self._memory.trusted:
            self._memory.clear()  # older changes may have been dropped before they were read here
        if self._memory.apply(changes) or missed:
            self._memory.set_blocks(await self._metadata.policy.blocks())
        if missed:
            await self._load_followers()
            return
        for follower in self._followers:
            await follower.apply(changes)

    async def _load_followers(self) -> None:
        for follower in self._followers:
            await follower.load()
