"""What the operations do to the stores. Every change is a row of the change table, by which all workers hear of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, Protocol

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, InvalidReference, ServeError, UnhubError
from unhub.mirror.names import DOCKER, InvalidName, NameRules
from unhub.mirror.referring import Referred, refer
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import Block, PullRecord, RepositoryKey

PULLS_MAX: Final = 10_000
"""Rows about one digest that are read at once."""

_GLOB = re.compile(r"[*?\[]")


class Operate(Protocol):
    """Lets the fetcher do something, and tells of it as it goes on."""

    def __call__(self, action: str, body: Mapping[str, object], /) -> AsyncIterator[Mapping[str, object]]:
        """Raises :class:`ServeError`, also where there is no fetcher."""
        ...


@dataclass(slots=True)
class Purged:
    """What a purge removed: images, tags and blobs; ``kept`` are repositories that hold it because it was pushed there."""

    images: int = 0
    tags: list[str] = field(default_factory=list[str])
    blobs: int = 0
    bytes: int = 0
    kept: list[str] = field(default_factory=list[str])


class Actions:
    """The operations of one worker. ``now`` is seconds since 1970."""

    def __init__(
        self, metadata: MetadataStore, blobs: BlobStore, operate: Operate, names: Callable[[], NameRules], *, now: Callable[[], float]
    ) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._operate = operate
        self._names = names
        self._now = now

    async def purge(self, text: str) -> Purged:
        """Remove an image by reference, or whatever has a digest, in every repository that is pulled through; pins do not hold it."""
        digest = read_digest(text) if text.startswith(("sha256:", "sha384:", "sha512:")) else None
        purged = Purged()
        if digest is not None:
            leaving = await self._purge_digest(digest, purged)
        else:
            leaving = await self._purge_reference(self.referred(text), purged)
        await self._tell_fetcher(leaving)
        return purged

    async def block(self, digest: Digest, reason: str) -> Block:
        """Serve a digest no more, in no door and by no method."""
        block = Block(digest, reason, self._now())
        await self._metadata.policy.block(block)
        return block

    async def unblock(self, digest: Digest) -> bool:
        """Serve it again; whether it was blocked."""
        return await self._metadata.policy.unblock(digest)

    async def blocks(self) -> list[Block]:
        """Every block."""
        return await self._metadata.policy.blocks()

    async def pin(self, text: str) -> str:
        """Never evict what a reference or glob names; the pattern as it is kept."""
        pattern = self._pattern(text)
        await self._metadata.policy.pin(pattern, self._now())
        return pattern

    async def unpin(self, text: str) -> tuple[str, bool]:
        """Take a pin back: its pattern, and whether there was one."""
        for pattern in dict.fromkeys((text, self._pattern(text))):
            if await self._metadata.policy.unpin(pattern):
                return pattern, True
        return self._pattern(text), False

    async def pins(self) -> list[str]:
        """Every pin."""
        return await self._metadata.policy.pins()

    async def pulls(self, digest: Digest) -> list[PullRecord]:
        """Who pulled a digest, or images with that layer or configuration.

        One row a caller, repository, reference and manifest, the latest first, all days together.
        """
        rows: dict[tuple[str, RepositoryKey, str, Digest], PullRecord] = {}
        for row in await self._metadata.pulls.of(digest, PULLS_MAX):
            key = (row.caller, row.repository, row.reference, row.digest)
            before = rows.get(key)
            rows[key] = row if before is None else _together(before, row)
        return sorted(rows.values(), key=lambda row: -row.last_at)

    def referred(self, text: str) -> Referred:
        """What a reference means here. Raises :class:`ServeError` (400)."""
        try:
            return refer(text, self._names())
        except (InvalidReference, InvalidDigest, InvalidName) as error:
            raise bad(error.message, hint=error.hint) from None

    async def _purge_reference(self, referred: Referred, purged: Purged) -> list[Digest]:
        if referred.own:
            raise _pushed(str(referred))
        which = referred.which
        if isinstance(which, Digest):
            return await self._evict(referred.key, which, purged)
        tag = await self._metadata.manifests.tag(referred.key, which)
        return [] if tag is None else await self._evict(referred.key, tag.digest, purged)

    async def _purge_digest(self, digest: Digest, purged: Purged) -> list[Digest]:
        keys = await self._metadata.blobs.repositories(digest, limit=100_000)
        own = [key for key in keys if (repository := await self._metadata.repositories.get(key)) is not None and repository.own]
        purged.kept = [str(key) for key in own]
        leaving: list[Digest] = []
        for key in keys:
            if key not in own:
                leaving += await self._evict(key, digest, purged)
        size = await self._metadata.blobs.size(digest)
        if size is not None and not own:
            await self._metadata.blobs.forget(digest)
            await self._blobs.delete(digest)
            purged.blobs, purged.bytes = purged.blobs + 1, purged.bytes + size
        if own and not (purged.images or purged.blobs):
            raise _pushed(f"{digest} in {', '.join(purged.kept[:3])}")
        return leaving

    async def _evict(self, key: RepositoryKey, digest: Digest, purged: Purged) -> list[Digest]:
        """Remove an image from a repository; the blobs whose files are to go."""
        evicted = await self._metadata.eviction.evict(key, digest, heed_pins=False)
        if evicted is None:
            return []
        for blob in evicted.blobs:
            if not await self._metadata.blobs.repositories(blob, limit=1):
                await self._blobs.delete(blob, stored_before=self._now())
        purged.images += 1
        purged.tags += [f"{key}:{name}" for name in evicted.tags]
        purged.blobs += len(evicted.blobs)
        purged.bytes += evicted.size
        return list(evicted.blobs)

    async def _tell_fetcher(self, leaving: list[Digest]) -> None:
        """Ask upstream again for what was not there, and let the files go. Without a fetcher its next start does both."""
        try:
            async for _ in self._operate("forget", {"blobs": [str(digest) for digest in leaving]}):
                pass
        except ServeError:
            return

    def _pattern(self, text: str) -> str:
        """A pin as it is compared: ``node:20`` is ``docker/library/node:20``, and ``node`` all of its tags."""
        if len(text) > 500 or not text:
            raise bad("cannot pin that: a pattern has 1 to 500 characters")
        if not _GLOB.search(text):
            referred = self.referred(text)
            if referred.digest is not None:
                raise bad(f"cannot pin {text}: pins name tags", hint="Pin the tag that means it")
            return f"{referred.key}:{referred.tag}" if referred.tag else str(referred.key)
        names = self._names()
        first = text.partition("/")[0]
        if text.startswith("*") or ("/" in text and first in {*names.own, *names.hosts.values()}):
            return text
        return f"{DOCKER}/{text}" if "/" in text else f"{DOCKER}/library/{text}"


def read_digest(text: str) -> Digest:
    """A digest that an operator wrote. Raises :class:`ServeError` (400)."""
    try:
        return Digest.parse(text)
    except InvalidDigest as error:
        raise bad(error.message) from None


def bad(message: str, *, hint: str | None = None) -> ServeError:
    """400: what was asked for makes no sense."""
    return ServeError(message, status=400, registry_code="UNSUPPORTED", hint=hint)


def told(record: Purged | Block | PullRecord) -> dict[str, object]:
    """A record as JSON has it: digests and repositories as text."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Digest | RepositoryKey) else value


def failed(error: UnhubError) -> dict[str, object]:
    """An error as JSON has it."""
    return {"schema": 1, "error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _together(one: PullRecord, other: PullRecord) -> PullRecord:
    return replace(
        one,
        day=min(one.day, other.day),
        count=one.count + other.count,
        bytes_answered=one.bytes_answered + other.bytes_answered,
        last_at=max(one.last_at, other.last_at),
    )


def _pushed(what: str) -> ServeError:
    return ServeError(
        f"cannot purge {what}: it was pushed here, and nobody else has it",
        status=409,
        registry_code="DENIED",
        hint="Delete it as a registry's client does, for example `skopeo delete`",
    )
