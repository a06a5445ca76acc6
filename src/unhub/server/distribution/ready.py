"""Answers that are ready to go: the manifests that everybody pulls, with their headers, for the second that runs.

A manifest of a fresh tag is asked for far more often than it changes. What is kept here is good until the clock's next
second (``Age`` changes then), and only as long as nothing was forgotten from memory (:attr:`Memory.epoch`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from unhub.image.digest import Digest
from unhub.mirror.memory import Memory
from unhub.mirror.names import Name
from unhub.mirror.pull import ManifestAnswer
from unhub.server.distribution.answers import Answer, Header
from unhub.store.records import RepositoryKey

Path = tuple[bytes, bytes]
"""A raw path and a query."""

NO_BODY: Final[dict[str, Any]] = {"type": "http.response.body", "body": b""}

ENTRIES_MAX: Final = 1024
SIZE_MAX: Final = 32 * 1024
"""Bytes of the largest manifest that is kept ready; with all entries full that is 32 MiB."""


class Known(NamedTuple):
    """What the path of a manifest means."""

    key: RepositoryKey
    which: str
    name: Name


class Ready(NamedTuple):
    """An answer as its two ASGI messages, how long it is good, and what the request log says of it."""

    until: float
    epoch: int
    start: dict[str, Any]
    body: dict[str, Any]
    key: RepositoryKey
    digest: Digest
    which: str
    door: str
    shown: str
    size: int


class ReadyAnswers:
    """Lives in one event loop."""

    def __init__(self, memory: Memory, now: Callable[[], float]) -> None:
        """``now`` is seconds since 1970."""
        self._memory = memory
        self._now = now
        self._entries: dict[Path, Ready] = {}

    def find(self, path: Path, headers: Sequence[Header]) -> Ready | None:
        """The answer to a request without conditions, if it is still good."""
        ready = self._entries.get(path)
        if ready is None:
            return None
        if ready.epoch != self._memory.epoch or not self._memory.trusted or self._now() >= ready.until:
            del self._entries[path]
            return None
        for header in headers:
            if header[0] == b"if-none-match":
                return None
        return ready

    def keep(self, path: Path, known: Known, found: ManifestAnswer, made: Answer) -> None:
        """Keep an answer that memory gave until the next second; not those that are large, or outdated by then."""
        until = math.floor(self._now()) + 1.0
        if made.size > SIZE_MAX or found.stale is not None or not found.is_fresh_at(until):
            return
        if len(self._entries) >= ENTRIES_MAX:
            self._entries.clear()
        self._entries[path] = Ready(
            until=until,
            epoch=self._memory.epoch,
            start={"type": "http.response.start", "status": made.status, "headers": made.headers},
            body={"type": "http.response.body", "body": made.body},
            key=known.key,
            digest=found.manifest.digest,
            which=known.which,
            door=known.name.door.value,
            shown=str(known.key),
            size=made.size,
        )
