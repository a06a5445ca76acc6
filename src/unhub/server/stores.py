"""The stores of one process: metadata and blobs of a data folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from unhub.server.settings import ServeSettings
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.sql.metadata import SqlMetadata


@dataclass(frozen=True, slots=True)
class Stores:
    """What a process keeps things in."""

    metadata: SqlMetadata
    blobs: FilesystemBlobs

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ServeSettings) -> AsyncGenerator[Stores]:
        """Open them; connections are closed at the end of the block."""
        metadata = SqlMetadata(settings.database)
        try:
            yield cls(metadata, FilesystemBlobs(settings.data / "blobs"))
        finally:
            await metadata.close()
