"""The fetcher as a worker sees it: questions over the Unix socket, and one subscription a blob for all of its readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import aiohttp
import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.image.manifest import Descriptor
from unhub.mirror.pull import FlightView
from unhub.server import wire
from unhub.server.flight import Link, SharedFlight
from unhub.server.wire import Answer, Asked, Failed
from unhub.store.protocols import BlobStore
from unhub.store.records import RepositoryKey

T = TypeVar("T")

AGAIN: Final = 3.0
"""Seconds for which a fetcher that is not there is waited for: the supervisor starts a new one."""

CONNECTIONS: Final = 4096

PATIENCE: Final = 60.0
"""Seconds that a fetcher has to answer where nothing else is said: one that hangs must not hang its workers."""

MARGIN: Final = 2.0
"""Seconds that an answer may come later than it was promised."""

OPERATION_MAX: Final = 8 * 1024 * 1024
"""Bytes of one line of an operation."""


class FetcherClient:
    """See :class:`unhub.mirror.pull.Upstreams`. Lives in one event loop; to be closed.

    Where the fetcher is gone it waits for the next one, and raises a 503 where none comes.
    """

    def __init__(self, socket: Path, blobs: BlobStore, *, patience: float = PATIENCE) -> None:
        """``patience`` is in seconds: longer than the longest that a question may be held."""
        connector = aiohttp.UnixConnector(path=str(socket), limit=CONNECTIONS)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None, connect=5.0), base_url="http://fetcher"
        )
        self._blobs = blobs
        self._patience = patience
        self._flights: dict[tuple[RepositoryKey, Digest], asyncio.Task[SharedFlight]] = {}
        self._link = Link(self._session)

    async def tag(self, key: RepositoryKey, name: str, *, wait: float | None = None) -> None:
        """See the protocol."""
        await self._question(wire.TAG, Asked(key.alias, key.path, name, wait))

    async def digest(self, key: RepositoryKey, digest: Digest) -> None:
        """See the protocol."""
        await self._question(wire.DIGEST, Asked(key.alias, key.path, str(digest)))

    async def revalidate(self, key: RepositoryKey, name: str) -> None:
        """See the protocol."""
        try:
            await self._once(wire.REVALIDATE, Asked(key.alias, key.path, name), MARGIN)
        except (aiohttp.ClientError, OSError, ServeError):
            return

    async def tags(self, key: RepositoryKey) -> list[str]:
        """See the protocol."""
        return (await self._question(wire.TAGS, Asked(key.alias, key.path))).tags or []

    async def referrers(self, key: RepositoryKey, digest: Digest) -> Sequence[Descriptor]:
        """See the protocol."""
        answer = await self._question(wire.REFERRERS, Asked(key.alias, key.path, str(digest)))
        return [
            Descriptor(one.media_type, Digest.parse(one.digest), one.size, artifact_type=one.artifact_type, annotations=one.annotations)
            for one in answer.referrers or ()
        ]

    async def blob(self, key: RepositoryKey, digest: Digest) -> FlightView:
        """See the protocol. All who ask for the same blob share one subscription and one open file."""
        task = self._flights.get((key, digest))
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None or task.result().ended)):
            task = self._flights[key, digest] = asyncio.ensure_future(self._begin(key, digest))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    async def status(self) -> dict[str, Any]:
        """What the fetcher tells of itself. Raises :class:`ServeError` where there is none."""
        return cast("dict[str, Any]", msgspec.json.decode(await self._patiently(lambda: self._post(wire.STATUS, b"{}"))))

    async def forget_negative(self) -> None:
        """Ask upstreams again for what was not there."""
        await self._patiently(lambda: self._post(wire.FORGET_NEGATIVE, b"{}"))

    async def operate(self, action: str, body: Mapping[str, object]) -> AsyncIterator[Mapping[str, object]]:
        """Let the fetcher do something that operators want, and hear of it as it goes on. Raises :class:`ServeError`."""
        data = msgspec.json.encode(body)
        response = await self._patiently(lambda: self._session.post(f"{wire.OPERATIONS}/{action}", data=data, read_bufsize=OPERATION_MAX))
        async with response:
            if response.status != 200:
                raise ServeError(f"cannot {action}: the fetcher knows no such thing", status=404, registry_code="UNSUPPORTED")
            try:
                async for line in response.content:
                    told = msgspec.json.decode(line, type=dict[str, object])
                    if failed := told.get(wire.FAILED):
                        raise msgspec.convert(failed, Failed).error()
                    yield told
            except aiohttp.ClientError:
                raise ServeError(
                    f"cannot {action}: the fetcher went away", status=503, registry_code="UNAVAILABLE", retry_after=5.0
                ) from None

    async def close(self) -> None:
        """End every connection and subscription."""
        for task in self._flights.values():
            if not task.done():
                task.cancel()
            elif not task.cancelled() and task.exception() is None:
                task.result().close()
        self._flights.clear()
        await self._session.close()

    async def _begin(self, key: RepositoryKey, digest: Digest) -> SharedFlight:
        def ended() -> None:
            self._flights.pop((key, digest), None)

        flight = SharedFlight(key, digest, self._link, self._blobs, ended)
        try:
            await self._patiently(lambda: asyncio.wait_for(flight.begin(), self._patience))
        except BaseException:
            self._flights.pop((key, digest), None)
            raise
        return flight

    async def _question(self, path: str, asked: Asked) -> Answer:
        seconds = self._patience if asked.wait is None else asked.wait + MARGIN
        return await self._patiently(lambda: self._once(path, asked, seconds))

    async def _once(self, path: str, asked: Asked, seconds: float) -> Answer:
        answer = wire.answer.decode(await self._post(path, wire.encode(asked), seconds))
        if answer.failed is not None:
            raise answer.failed.error()
        return answer

    async def _post(self, path: str, body: bytes, seconds: float | None = None) -> bytes:
        within = aiohttp.ClientTimeout(total=self._patience if seconds is None else seconds)
        async with self._session.post(path, data=body, timeout=within) as response:
            if response.status != 200:
                raise ServeError(f"cannot ask the fetcher: {response.status}", status=503, registry_code="UNAVAILABLE", retry_after=5.0)
            return await response.read()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, once more where the fetcher went away meanwhile, as soon as a new one is there."""
        return await patiently(work)


async def patiently(work: Callable[[], Awaitable[T]], seconds: float = AGAIN) -> T:
    """Try until it works, or for so many seconds. Raises :class:`ServeError` (503) where there is no fetcher."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        try:
            return await work()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError):
            if loop.time() >= until:
                raise ServeError(
                    "cannot ask upstreams now: the fetcher of this mirror is being restarted",
                    status=503,
                    registry_code="UNAVAILABLE",
                    retry_after=5.0,
                ) from None
        await asyncio.sleep(0.05)


def _looked_at(task: asyncio.Task[SharedFlight]) -> None:
    if not task.cancelled():
        task.exception()
