"""What a worker remembers of the store: bounded, and forgotten as soon as somebody changes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from unhub.image.digest import Digest
from unhub.store.records import Block, Change, ChangeKind, RepositoryKey, StoredManifest, StoredTag

BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of manifests that are remembered."""

ENTRY: Final = 512
"""Bytes that an entry takes beside its manifest, roughly."""

_NOT_HERE: Final = frozenset({ChangeKind.BLOB, ChangeKind.IDENTITY, ChangeKind.REVOCATION, ChangeKind.SIGNING_KEY})
"""Changes of what is not remembered here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest under a tag or digest. ``fresh_until`` is seconds since 1970."""

    manifest: StoredManifest
    tag: StoredTag | None
    fresh_until: float


class Memory:
    """Lives in one event loop. :meth:`apply` keeps it true."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._entries: OrderedDict[tuple[RepositoryKey, str], Entry] = OrderedDict()
        self._bytes = 0
        self._blocked: dict[Digest, str] = {}
        self.trusted = True
        """Whether changes can be heard of; where not, tags and blocks are not answered from here."""
        self.epoch = 0
        """Counts the times that something was forgotten: what was read before is not remembered after."""

    def get(self, key: RepositoryKey, which: str) -> Entry | None:
        """What is remembered under a tag or digest, unless it is blocked."""
        entry = self._entries.get((key, which))
        if entry is None or not self.trusted or (self._blocked and entry.manifest.digest in self._blocked):
            return None
        self._entries.move_to_end((key, which))
        return entry

    def put(
        self,
        key: RepositoryKey,
        which: str,
        manifest: StoredManifest,
        tag: StoredTag | None,
        fresh_until: float,
        *,
        epoch: int | None = None,
    ) -> None:
        """Remember a manifest; the longest unused are forgotten where there are too many bytes.

        ``epoch`` is :attr:`epoch` from before it was read: it is not remembered if something was forgotten since.
        """
        if epoch is not None and epoch != self.epoch:
            return
        self._drop((key, which))
        self._entries[key, which] = Entry(manifest, tag, fresh_until)
        self._bytes += len(manifest.data) + ENTRY
        while self._bytes > self._bytes_max and self._entries:
            self._drop(next(iter(self._entries)))

    def blocked(self, digest: Digest) -> str | None:
        """Why a digest must not be served, ``None`` where it may."""
        return self._blocked.get(digest)

    def set_blocks(self, blocks: Iterable[Block]) -> None:
        """Take over the operator's blocks."""
        self.epoch += 1
        self._blocked = {block.digest: block.reason for block in blocks}

    def apply(self, changes: Iterable[Change]) -> bool:
        """Forget what changed; whether the blocks must be read anew."""
        self.epoch += 1
        blocks = False
        for change in changes:
            if change.kind is ChangeKind.BLOCK:
                blocks = True
            elif change.kind is ChangeKind.TAG:
                self._drop((RepositoryKey(change.alias, change.path), change.key))
            elif change.kind not in _NOT_HERE:
                self._forget_repository(RepositoryKey(change.alias, change.path))
        return blocks

    def clear(self) -> None:
        """Forget everything but the blocks."""
        self.epoch += 1
        self._entries.clear()
        self._bytes = 0

    def _forget_repository(self, key: RepositoryKey) -> None:
        if not key.alias:
            self.clear()
            return
        for entry in [entry for entry in self._entries if entry[0] == key]:
            self._drop(entry)

    def _drop(self, entry: tuple[RepositoryKey, str]) -> None:
        dropped = self._entries.pop(entry, None)
        if dropped is not None:
            self._bytes -= len(dropped.manifest.data) + ENTRY
