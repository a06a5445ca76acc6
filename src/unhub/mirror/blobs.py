"""One upstream body a blob, for any number of readers: it grows in a file that all of them read.

The file is hashed as it grows. It becomes a blob only when its digest is right; until then at most all of its bytes
but the last are published, so that bad content never looks whole. A transfer that breaks off goes on from the byte it
reached, at another registry if need be, and after a restart of this process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.mirror.source import Gone, Source, Unavailable
from unhub.registry.blobs import Begun
from unhub.store.protocols import BlobStore, MetadataStore

ATTEMPTS: Final = 6
"""Transfers that may fail in a row without a byte of progress."""

STALL: Final = 10.0
"""Seconds without enough bytes (:data:`SLOWEST`) after which a transfer counts as broken off."""

SLOWEST: Final = 1000.0
"""Bytes a second below which a transfer counts as broken off, too: by then another source, or a new connection, is better."""

READ: Final = 1024 * 1024

SMALL: Final = 256 * 1024
"""Bytes up to which a blob is published only when it is whole and right, so that a bad source is passed over unseen."""

POISONED_MAX: Final = 10_000
"""Digests of which bad sources are remembered."""


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in more bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest of what was taken in so far."""
        ...

    def copy(self) -> Hash:
        """Another one with the same bytes taken in."""
        ...


class NoSpace(Exception):
    """The volume is full: the blob can be passed on, and not kept."""


class BadContent(Exception):
    """Every byte came, and they are not the blob: what was read of it must be thrown away."""


@dataclass(frozen=True, slots=True)
class BlobSource:
    """A registry that has a blob, and the repository's name there."""

    source: Source
    path: str


class BlobFlight:
    """A blob on its way. ``size`` is its length in bytes once that is known; ``published`` may be read from ``path``."""

    def __init__(self, digest: Digest, path: Path, size: int | None = None) -> None:
        self.digest = digest
        self.path = path
        self.size = size
        self.published = 0
        self.done = False
        self.error: BaseException | None = None
        self._sent = False
        self._moved = asyncio.Event()

    def move(self, published: int) -> None:
        """Publish more bytes, and wake whoever waits for them."""
        self.published = published
        self._moved.set()
        self._moved = asyncio.Event()

    def end(self, error: BaseException | None = None) -> None:
        """No more will come: the blob is whole and verified, or ``error`` says why not."""
        self.error = error
        self.done = True
        self.move(self.published)

    def learn_size(self, size: int) -> None:
        """A source has begun to send the blob, and says its size."""
        if self.size is None:
            self.size = size
        if not self._sent:
            self._sent = True
            self.move(self.published)

    async def started(self) -> int:
        """The blob's size, as soon as a source has begun to send it. Raises what the flight failed of."""
        while self.size is None or not self._sent:
            if self.done:
                if self.error is None and self.size is not None:
                    break
                raise self.error or Unavailable("the transfer ended before it began")
            await self._moved.wait()
        return self.size

    async def progress(self) -> AsyncIterator[int]:
        """How many bytes may be read, each time that more came; only the newest number is told to who is slow.

        Ends when all of them may; raises what the flight failed of.
        """
        told = -1
        while True:
            moved = self._moved
            if self.published != told:
                told = self.published
                yield told
            elif self.done:
                if self.error is not None:
                    raise self.error
                return
            else:
                await moved.wait()


class BlobFetcher:
    """Fills blobs into the store. ``now`` is seconds since 1970, ``sleep`` waits between attempts."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        spool: Path,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        make_room: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """``spool`` is the folder of growing files; ``make_room`` tries to free space, and says whether it did."""
        self._metadata = metadata
        self._blobs = blobs
        self._spool = spool
        self._now = now
        self._sleep = sleep
        self._make_room = make_room
        self._poisoned: dict[Digest, set[str]] = {}
        self.resumed = 0
        self.mismatches = 0
        self.bytes_fetched = 0

    def begin(self, digest: Digest, size: int | None = None) -> BlobFlight:
        """A flight that is not under way yet; ``size`` is what a verified manifest says, which no answer may contradict."""
        return BlobFlight(digest, self._spool / digest.algorithm / digest.encoded, size)

    async def landed(self, digest: Digest) -> BlobFlight | None:
        """The flight of a blob that is stored already, as for who asked a moment too late; ``None`` where it is not."""
        info = await self._blobs.stat(digest)
        if info is None or info.path is None:
            return None
        flight = BlobFlight(digest, info.path, info.size)
        flight.published = info.size
        flight.learn_size(info.size)
        flight.end()
        return flight

    async def fill(self, flight: BlobFlight, sources: Sequence[BlobSource]) -> None:
        """Fetch the blob from whoever has it, verify and store it; ends the flight in any case, and raises nothing."""
        try:
            await self._fill(flight, sources)
        except OSError as error:
            flight.end(NoSpace(f"cannot keep {flight.digest}: {error.strerror or error}"))
            flight.path.unlink(missing_ok=True)
        except BaseException as error:
            flight.end(error)
            if not isinstance(error, Exception):
                raise
        else:
            flight.end()

    async def _fill(self, flight: BlobFlight, sources: Sequence[BlobSource]) -> None:
        flight.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(flight.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            growing = await asyncio.to_thread(_Growing.found, descriptor, flight.digest)
            self.resumed += growing.reached > 0
            if not (growing.reached and growing.is_right(flight.digest)):
                await self._transfer(flight, self._best(flight, sources), growing)
        finally:
            os.close(descriptor)
        info = await self._blobs.commit(flight.path, flight.digest)
        await self._metadata.blobs.add(flight.digest, info.size, self._now())
        flight.size = info.size
        flight.move(info.size)

    def _best(self, flight: BlobFlight, sources: Sequence[BlobSource]) -> list[BlobSource]:
        """The sources, those that sent other content for this blob last."""
        bad = self._poisoned.get(flight.digest, set())
        return sorted(sources, key=lambda one: one.source.name in bad)

    async def _transfer(self, flight: BlobFlight, sources: Sequence[BlobSource], growing: _Growing) -> None:
        """Go from source to source until every byte is here and right. Raises what the last one failed of."""
        left = list(sources)
        failures, last = 0, Unavailable("there is nobody to ask")
        while left and failures < ATTEMPTS:
            one, before = left[failures % len(left)], growing.reached
            try:
                await self._from(one, flight, growing)
            except Gone as error:
                left.remove(one)
                if not left:
                    raise error from None
                continue
            except Unavailable as error:
                last = error
                failures = 1 if growing.reached > before else failures + 1
            if growing.is_right(flight.digest):
                return
            if flight.size is not None and growing.reached >= flight.size:
                self._poison(one, flight, growing)
                last, failures = Unavailable(f"{one.source.name} sent other content for {flight.digest}"), failures + 1
            elif failures >= len(left):
                await self._sleep(min(0.1 * 2.0**failures, 2.0))
        raise last

    def _poison(self, one: BlobSource, flight: BlobFlight, growing: _Growing) -> None:
        """Begin anew without the bytes that are wrong; raises :class:`BadContent` where somebody has read of them."""
        self.mismatches += 1
        if len(self._poisoned) >= POISONED_MAX:
            self._poisoned.clear()
        self._poisoned.setdefault(flight.digest, set()).add(one.source.name)
        growing.truncate(flight.digest)
        if flight.published:
            flight.path.unlink(missing_ok=True)
            raise BadContent(f"{one.source.name} sent other content for {flight.digest}")

    async def _from(self, one: BlobSource, flight: BlobFlight, growing: _Growing) -> None:
        """Append what one source sends, from the byte that was reached."""
        source = one.source
        begun = Begun(growing.reached, growing.hash.copy()) if growing.reached else None
        reference = source.place.reference(one.path, flight.digest)
        async with source.watched():
            stream = source.registry.blob(
                reference, flight.digest, size=flight.size, begun=begun, withhold=False, on_size=flight.learn_size
            )
            async with stream as chunks:
                iterator, until, enough = aiter(chunks), _seconds() + STALL, growing.reached + SLOWEST * STALL
                while True:
                    async with asyncio.timeout(max(until - _seconds(), STALL / 20)):
                        chunk = await anext(iterator, None)
                    if chunk is None:
                        return
                    await self._append(flight, growing, chunk)
                    if growing.reached >= enough:
                        until, enough = _seconds() + STALL, growing.reached + SLOWEST * STALL
                    elif _seconds() > until:
                        raise TimeoutError

    async def _append(self, flight: BlobFlight, growing: _Growing, chunk: bytes) -> None:
        try:
            growing.append(chunk)
        except OSError:
            if not await self._made_room():
                raise
            growing.append(chunk)
        self.bytes_fetched += len(chunk)
        if flight.size is None or flight.size > SMALL:
            flight.move(max(growing.reached - 1, 0))

    async def _made_room(self) -> bool:
        if self._make_room is None:
            return False
        try:
            return await self._make_room()
        except Exception:  # the database is on the same full volume: what cannot be kept is passed on all the same
            return False


class _Growing:
    """A file that grows, with the hash of its bytes."""

    def __init__(self, descriptor: int, hash_: Hash, reached: int) -> None:
        self._descriptor = descriptor
        self.hash = hash_
        self.reached = reached

    @classmethod
    def found(cls, descriptor: int, digest: Digest) -> _Growing:
        """What an earlier transfer left, hashed again."""
        hash_, reached = _new_hash(digest), 0
        while piece := os.pread(descriptor, READ, reached):
            hash_.update(piece)
            reached += len(piece)
        return cls(descriptor, hash_, reached)

    def is_right(self, digest: Digest) -> bool:
        """Whether the bytes so far are the blob."""
        return self.hash.hexdigest() == digest.encoded

    def append(self, chunk: bytes) -> None:
        """Write all of a chunk, or raise ``OSError`` and be as before."""
        view, written = memoryview(chunk), 0
        while written < len(view):
            written += os.pwrite(self._descriptor, view[written:], self.reached + written)
        self.hash.update(chunk)
        self.reached += written

    def truncate(self, digest: Digest) -> None:
        """Throw everything away."""
        os.ftruncate(self._descriptor, 0)
        self.hash, self.reached = _new_hash(digest), 0


def _seconds() -> float:
    return asyncio.get_running_loop().time()


def _new_hash(digest: Digest) -> Hash:
    return hashlib.new(digest.algorithm, usedforsecurity=False)
