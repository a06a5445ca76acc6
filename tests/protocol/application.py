"""The edge of the registry alone, for Granian: a store in a folder, own names below ``conformance/`` and ``local/``.

``UNHUB_TEST_FOLDER`` is the data folder. What stands in for upstreams is in ``tests.protocol.scripted``. The digests in
``FOLDER/blocked`` are those that the operator blocked; they are read at every request, as a worker hears of changes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.protocol.scripted import RULES, ScriptedUpstreams
from unhub.image.digest import Digest
from unhub.mirror.memory import Memory
from unhub.mirror.names import NameRules
from unhub.mirror.pull import Pull
from unhub.mirror.push import Push, PushRules
from unhub.server.distribution.app import Distribution
from unhub.server.distribution.open_access import OpenAccess
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import Block
from unhub.store.sql.metadata import SqlMetadata

NAMES = NameRules(own=frozenset({"local", "conformance"}), hosts={"docker.io": "docker", "registry-1.docker.io": "docker"})


class Application:
    """Opens its store at the first request, in the loop that serves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._url = f"sqlite:///{folder}/unhub.db"
        self._distribution: Distribution | None = None
        self.memory = Memory()
        self._blocked: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self._distribution is None:
            self._distribution = self._open()
        self._look_for_blocks()
        await self._distribution(scope, receive, send)

    def _look_for_blocks(self) -> None:
        blocked = self._folder / "blocked"
        digests = blocked.read_text().split() if blocked.exists() else []
        if digests != self._blocked:
            self._blocked = digests
            self.memory.set_blocks([Block(Digest.parse(digest), "malware", 0.0) for digest in digests])

    def _open(self) -> Distribution:
        metadata, blobs = SqlMetadata(self._url), FilesystemBlobs(self._folder / "blobs")
        upstreams = ScriptedUpstreams(metadata, self._folder / "upstream")
        pull = Pull(metadata, blobs, {"docker": RULES}, upstreams, self.memory, now=time.time)
        settings = {key.removeprefix("UNHUB_TEST_"): value for key, value in os.environ.items()}
        rules = PushRules(
            manifest_size=int(settings.get("MANIFEST_SIZE", 8 * 1024 * 1024)),
            blob_size=int(settings.get("BLOB_SIZE", 64 * 1024 * 1024)),
            delete=settings.get("DELETE", "1") == "1",
            require_blobs=settings.get("REQUIRE_BLOBS", "0") == "1",
        )
        push = Push(metadata, blobs, self._folder / "uploads", self.memory, rules, now=time.time)
        access = OpenAccess(
            push_password=settings.get("PASSWORD"),
            loopback_only=settings.get("LOOPBACK", "1") == "1",
        )
        return Distribution(pull, push, blobs, NAMES, access=access)


def application() -> Application:
    return Application(Path(os.environ["UNHUB_TEST_FOLDER"]))
