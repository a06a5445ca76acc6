"""Every backend that the contract suites run on: add one here, and it is held to the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

METADATA: dict[str, Callable[[Path], str]] = {"sqlite": lambda folder: f"sqlite:///{folder}/metadata.db"}
"""A new database for each backend, by its URL."""

BLOBS: dict[str, Callable[[Path], BlobStore]] = {"folder": lambda folder: FilesystemBlobs(folder / "blobs")}


def with_metadata(url: str, work: Callable[[MetadataStore], Awaitable[None]]) -> None:
    """Run some work on a store of the current schema, and close it."""
    upgrade(url)

    async def run() -> None:
        store = SqlMetadata(url)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


def with_identities(url: str, work: Callable[[IdentityStore, MetadataStore], Awaitable[None]]) -> None:
    """Run some work on the identity store, beside the metadata store of the same database."""
    upgrade(url)

    async def run() -> None:
        store = SqlMetadata(url)
        try:
            await work(store.identity, store)
        finally:
            await store.close()

    asyncio.run(run())
