"""Answers for which nothing has to be waited for: the same bytes, lines and counts as those that are given by a task."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from unhub.image.digest import Digest
from unhub.image.manifest import OCI_INDEX, Manifest
from unhub.mirror.memory import Memory
from unhub.mirror.names import NameRules
from unhub.mirror.pull import Pull
from unhub.mirror.push import Push, PushRules
from unhub.mirror.upstream import Place, UpstreamRules
from unhub.server.distribution.app import Distribution
from unhub.server.note import Note
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import RepositoryKey
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

NODE = RepositoryKey("docker", "library/node")
DATA = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
PATH = "/v2/library/node/manifests/20"


class Pulls:
    """Counts as the recorder does."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int]] = []

    def pulled(self, key: RepositoryKey, digest: Digest, reference: str, caller: str, bytes_answered: int) -> None:
        self.rows.append((reference, caller, bytes_answered))


def scope(method: str = "GET", *headers: tuple[bytes, bytes], path: str = PATH) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": list(headers)}


async def opened(folder: Path, pulls: Pulls) -> tuple[Distribution, SqlMetadata]:
    url = f"sqlite:///{folder}/unhub.db"
    upgrade(url)
    metadata, blobs, memory = SqlMetadata(url), FilesystemBlobs(folder / "blobs"), Memory()
    await metadata.manifests.put(NODE, Manifest.parse(DATA, OCI_INDEX), now=time.time(), tags=["20"], source="docker", link_blobs=True)
    rules = {"docker": UpstreamRules(alias="docker", place=Place("docker.io"), title="Docker Hub")}
    pull = Pull(metadata, blobs, rules, None, memory, now=time.time)  # type: ignore[arg-type]
    push = Push(metadata, blobs, folder / "uploads", memory, PushRules(), now=time.time)
    names = NameRules(frozenset({"local"}), {"docker.io": "docker"})
    return Distribution(pull, push, blobs, names, recorder=pulls), metadata


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def by_task(registry: Distribution, asked: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await registry(asked, receive, send)
    return sent


def at_once(registry: Distribution, asked: dict[str, Any], note: Note) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    return sent if registry.at_once(asked, sent.append, note) else []


def test_what_is_ready_is_answered_at_once_and_alike(tmp_path: Path) -> None:
    async def work() -> None:
        pulls = Pulls()
        registry, metadata = await opened(tmp_path, pulls)
        note = Note("192.0.2.7")
        assert at_once(registry, scope(), note) == []
        for _ in range(20):  # until a pause falls into no turn of a second
            told = Note("192.0.2.7")
            await by_task(registry, scope())
            await by_task(registry, scope())
            slow = await by_task(registry, {**scope(), "unhub.note": told})
            if quick := at_once(registry, scope(), note):
                break
        assert quick == slow
        assert quick[1]["body"] == DATA
        assert [getattr(note, name) for name in Note.__slots__] == [getattr(told, name) for name in Note.__slots__]
        assert pulls.rows[-1] == pulls.rows[-2] == ("20", "192.0.2.7", len(DATA))
        await metadata.close()

    asyncio.run(work())


def test_a_head_has_no_body_and_a_condition_is_left_to_the_task(tmp_path: Path) -> None:
    async def work() -> None:
        pulls = Pulls()
        registry, metadata = await opened(tmp_path, pulls)
        for _ in range(20):
            for _ in range(3):
                await by_task(registry, scope())
            counted = len(pulls.rows)
            if quick := at_once(registry, scope("HEAD"), Note("")):
                break
        assert [message.get("body") for message in quick] == [None, b""]
        assert len(pulls.rows) == counted
        assert at_once(registry, scope("GET", (b"if-none-match", b"*")), Note("")) == []
        assert at_once(registry, scope("DELETE"), Note("")) == []
        assert at_once(registry, scope(path="/v2/"), Note("")) == []
        await metadata.close()

    asyncio.run(work())


def test_what_was_forgotten_is_not_answered_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        registry, metadata = await opened(tmp_path, Pulls())
        for _ in range(3):
            await by_task(registry, scope())
        registry._pull.memory.epoch += 1
        assert at_once(registry, scope(), Note("")) == []
        await metadata.close()

    asyncio.run(work())
