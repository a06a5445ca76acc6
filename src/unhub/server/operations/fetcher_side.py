"""Operations that belong to the fetcher: its state, what it remembers, warming. Each tells of itself as it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, TypeVar

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, ServeError
from unhub.mirror.eviction import Evictor
from unhub.mirror.fetcher import Fetcher
from unhub.mirror.warm import Warmed, Warmer
from unhub.store.records import RepositoryKey

T = TypeVar("T")

WARM_AT_ONCE: Final = 4
"""Images that are warmed at once; more wait."""

NEWS: Final = 0.5
"""Seconds between two lines about an image that is being warmed."""


class Forget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``forget``: blobs whose rows are gone."""

    blobs: list[str] = []


class Warm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``warm``: an image, by tag or digest, and the platforms that are wanted."""

    alias: str
    path: str
    which: str
    platforms: list[str]


class FetcherOperations:
    """See :class:`unhub.server.fetcher_server.Operations`. ``status`` tells about the fetcher itself."""

    def __init__(self, fetcher: Fetcher, evictor: Evictor, warmer: Warmer, status: Callable[[], Mapping[str, Any]]) -> None:
        self._fetcher = fetcher
        self._evictor = evictor
        self._warmer = warmer
        self._status = status
        self._gate = asyncio.Semaphore(WARM_AT_ONCE)

    async def run(self, action: str, body: Mapping[str, object]) -> AsyncIterator[Mapping[str, object]]:
        """Do it, and tell of it as it goes on. Raises :class:`ServeError`."""
        match action:
            case "status":
                yield await self._tell_status()
            case "forget":
                self._forget(_read(body, Forget))
                yield {"done": True}
            case "warm":
                async for line in self._warm(_read(body, Warm)):
                    yield line
            case _:
                raise ServeError(f"cannot {action}: there is no such operation", status=404, registry_code="UNSUPPORTED")

    async def _tell_status(self) -> Mapping[str, object]:
        used, cap = await self._evictor.usage()
        return {**self._status(), "cache": {"used": used, "cap": cap}, "evictions": asdict(self._evictor.done)}

    def _forget(self, asked: Forget) -> None:
        self._fetcher.forget_negative()
        try:
            self._evictor.let_go([Digest.parse(text) for text in asked.blobs])
        except InvalidDigest as error:
            raise ServeError(error.message, status=400, registry_code="DIGEST_INVALID") from None

    async def _warm(self, asked: Warm) -> AsyncIterator[Mapping[str, object]]:
        key = RepositoryKey(asked.alias, asked.path)
        which = Digest.parse(asked.which) if ":" in asked.which else asked.which
        seen = [Warmed()]

        def report(warmed: Warmed) -> None:
            seen[0] = warmed

        async def work() -> Warmed:
            async with self._gate:
                return await self._warmer.warm(key, which, asked.platforms, report)

        task = asyncio.ensure_future(work())
        try:
            while not (await asyncio.wait({task}, timeout=NEWS))[0]:
                yield {"done": False, "bytes": seen[0].bytes, "blobs": seen[0].blobs}
            yield {"done": True, **_told(task.result())}
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _told(warmed: Warmed) -> dict[str, object]:
    return {**asdict(warmed), "outcome": warmed.outcome.value, "digest": None if warmed.digest is None else str(warmed.digest)}


def _read(body: Mapping[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ServeError(f"cannot read what was asked: {error}", status=400, registry_code="UNSUPPORTED") from None
