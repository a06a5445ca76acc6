"""A fetcher without a server, for commands that work on the data folder alone."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from unhub.mirror.blobs import BlobFetcher
from unhub.mirror.budget import Ledger
from unhub.mirror.fetcher import Fetcher
from unhub.mirror.manifests import ManifestFetcher
from unhub.server import sources
from unhub.server.settings import ServeSettings
from unhub.server.stores import Stores


@asynccontextmanager
async def fetching(settings: ServeSettings, stores: Stores, notice: Callable[[str], None]) -> AsyncGenerator[Fetcher]:
    """A fetcher between upstreams and the stores, its budget kept as the server's is; ``notice`` gets sentences for people."""
    metadata = stores.metadata
    ledger = Ledger(time.time, await metadata.ledger.budgets())
    try:
        async with sources.opened(settings.upstreams, ledger, notice=notice, aws=None) as upstreams:
            blobs = BlobFetcher(metadata, stores.blobs, settings.data / "spool", now=time.time)
            manifests = ManifestFetcher(metadata, now=time.time, clock=time.monotonic)
            fetcher = Fetcher(upstreams, metadata, manifests, blobs, ledger, now=time.time, clock=time.monotonic)
            try:
                yield fetcher
            finally:
                await fetcher.close()
    finally:
        for row in ledger.take_changed():
            await metadata.ledger.save_budget(row)
