"""The fetcher's process: everything that talks to upstreams, for all workers of this node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from unhub.image.digest import Digest
from unhub.mirror.blobs import BlobFetcher
from unhub.mirror.budget import Ledger
from unhub.mirror.capacity import volume_of
from unhub.mirror.eviction import Evictor
from unhub.mirror.fetcher import Fetcher
from unhub.mirror.manifests import ManifestFetcher
from unhub.mirror.warm import Warmer
from unhub.server import sources
from unhub.server.ecr_login import EcrPublicLogin
from unhub.server.fetcher_server import FetcherServer
from unhub.server.fetcher_status import status_of
from unhub.server.operations.fetcher_side import FetcherOperations
from unhub.server.settings import ServeSettings
from unhub.server.stores import Stores
from unhub.store.protocols import MetadataStore

LEFTOVER: Final = 86_400.0
"""Seconds after which a blob that nobody asked for again is not gone on with."""

CHANGES_KEPT: Final = 100_000
"""Changes that are kept for workers that were asleep."""

PULLS_KEPT_DAYS: Final = 90

SAVE, SWEEP, TIDY = 1.0, 15.0, 3600.0
"""Seconds between two saves of the budgets, two removals of deleted bytes, two removals of old rows."""


class FetcherProcess:
    """The fetcher with everything around it, for one event loop."""

    def __init__(self, settings: ServeSettings, notice: Callable[[str], None], *, login: bool = True) -> None:
        """``notice`` gets sentences for people; ``login`` says whether AWS is asked for one."""
        self._settings = settings
        self._notice = notice
        self._login = login

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve until ``stop``; ``ready`` is called once workers may ask."""
        async with self.opened() as server:
            await server.start()
            ready()
            await stop.wait()
            await server.close()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[FetcherServer]:
        """The server, not yet listening, with its background work."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(Stores.open(settings))
            metadata, blobs = stores.metadata, stores.blobs
            aws = EcrPublicLogin(self._notice) if self._login else None
            evictor = self._evictor(stores, lambda: fetcher.blobs_in_flight)
            making = fetching(settings, stores, notice=self._notice, aws=aws, make_room=evictor.make_room)
            fetcher = await stack.enter_async_context(making)

            def status() -> dict[str, Any]:
                return status_of(fetcher, aws)

            warmer = Warmer(metadata, blobs, fetcher, {one.rules.alias: one.rules for one in settings.upstreams}, now=time.time)
            operations = FetcherOperations(fetcher, evictor, warmer, status)
            work = (
                evictor.run(),
                _each(SAVE, lambda: _save(fetcher, metadata)),
                _each(SWEEP, blobs.sweep),
                _each(TIDY, lambda: _tidy(metadata)),
            )
            for one in work:
                stack.push_async_callback(_cancelled, asyncio.ensure_future(one))
            yield FetcherServer(fetcher, settings.socket, status, operations, notice=self._notice)

    def _evictor(self, stores: Stores, in_flight: Callable[[], frozenset[Digest]]) -> Evictor:
        data = self._settings.data
        return Evictor(
            stores.metadata,
            stores.blobs,
            self._settings.cache_size,
            lambda: volume_of(data),
            in_flight=in_flight,
            now=time.time,
            ballast=data / "run" / "ballast",
        )


@asynccontextmanager
async def fetching(
    settings: ServeSettings,
    stores: Stores,
    *,
    notice: Callable[[str], None],
    aws: EcrPublicLogin | None = None,
    make_room: Callable[[], Awaitable[bool]] | None = None,
) -> AsyncGenerator[Fetcher]:
    """A fetcher alone; flights end and budgets are saved at the end of the block. One at a time for a data folder."""
    metadata = stores.metadata
    async with AsyncExitStack() as stack:
        ledger = Ledger(time.time, await metadata.ledger.budgets())
        upstreams = await stack.enter_async_context(sources.opened(settings.upstreams, ledger, notice=notice, aws=aws))
        spool = settings.data / "spool"
        await asyncio.to_thread(remove_leftovers, spool, time.time() - LEFTOVER)
        blobs = BlobFetcher(metadata, stores.blobs, spool, now=time.time, make_room=make_room)
        manifests = ManifestFetcher(metadata, now=time.time, clock=time.monotonic)
        fetcher = Fetcher(upstreams, metadata, manifests, blobs, ledger, now=time.time, clock=time.monotonic)
        stack.push_async_callback(_save, fetcher, metadata)
        stack.push_async_callback(fetcher.close)
        yield fetcher


def remove_leftovers(spool: Path, before: float) -> int:
    """Remove growing files that nobody has touched since ``before``; how many. The others are gone on with when asked for."""
    gone = 0
    for path in spool.glob("*/*"):
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
                gone += 1
    return gone


async def _save(fetcher: Fetcher, metadata: MetadataStore) -> None:
    rows = fetcher.ledger.take_changed()
    try:
        for row in rows:
            await metadata.ledger.save_budget(row)
    except BaseException:
        fetcher.ledger.not_saved(rows)
        raise


async def _tidy(metadata: MetadataStore) -> None:
    """Drop what nobody will read again."""
    await metadata.changes.forget(await metadata.changes.generation() - CHANGES_KEPT)
    await metadata.pulls.forget(int(time.time() // 86_400) - PULLS_KEPT_DAYS)


async def _each(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do it every so many seconds; a database that is busy or a full disk ends nothing."""
    while True:
        await asyncio.sleep(seconds)
        with suppress(SQLAlchemyError, OSError):
            await work()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
