"""The rules of ECR Public's API about layers and images on real stores, without a server: workers share a data folder.

::

    async def work(here: Pushed) -> None:
        await here.upload(b"a layer")
        await here.images.put(here.app, manifest, None, ImageId(tag="1"))

    with_pushed(tmp_path, work)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kept_images import digest_of
from unhub.image.errors import ApiRefused
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST
from unhub.mirror.gallery.image_tags import ImageTags
from unhub.mirror.gallery.images import Images
from unhub.mirror.gallery.layers import Layers, Part
from unhub.mirror.gallery.push_words import GalleryWords
from unhub.mirror.gallery.quotas import Quotas
from unhub.mirror.gallery.refusals import Refusals
from unhub.mirror.memory import Memory
from unhub.mirror.push import Push, PushRules
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import Block, RepositoryKey
from unhub.store.records_identity import Account, Registration
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

ACCOUNT = "123456789012"
APP = RepositoryKey("u7m1j8y0", "team/app")
SMALL = Quotas(repositories=10, images=50, tags=10, parts=5, part_max=20, part_min=10, layer_max=90)
"""Quotas that a test reaches quickly: parts of 10 to 20 bytes."""

OWNER = "AIDAOWNER"


@dataclass
class Pushed:
    """One worker on a data folder, with a repository ``app``."""

    folder: Path
    metadata: SqlMetadata
    quotas: Quotas = SMALL
    delete: bool = True
    immutable_tags: tuple[str, ...] = ()
    clock: list[float] = field(default_factory=lambda: [1000.0])

    def __post_init__(self) -> None:
        refusals, blobs = Refusals(), FilesystemBlobs(self.folder / "blobs", clock=self.now)
        rules = PushRules(
            blob_size=self.quotas.layer_max,
            delete=self.delete,
            require_blobs=True,
            create=False,
            images_max=self.quotas.images,
            tags_max=self.quotas.tags,
            whole_images=True,
            immutable_tags=self.immutable_tags,
        )
        self.blobs, self.memory = blobs, Memory()
        self.push = Push(self.metadata, blobs, self.folder / "uploads", self.memory, rules, now=self.now, words=GalleryWords(refusals))
        self.layers = Layers(self.push, self.metadata, blobs, refusals, self.quotas)
        self.images = Images(self.push, self.metadata.images, refusals)
        self.tags = ImageTags(self.metadata.images)
        self.app = Registration(APP, ACCOUNT, 1)
        self.other = Registration(APP._replace(path="team/other"), ACCOUNT, 1)

    def now(self) -> float:
        return self.clock[0]

    def later(self, seconds: float) -> None:
        self.clock[0] += seconds

    def worker(self) -> Pushed:
        """Another worker on the same folder: it shares nothing with this one but what is on the disk."""
        return Pushed(self.folder, self.metadata, self.quotas, self.delete, self.immutable_tags, self.clock)

    async def register(self) -> None:
        """Both repositories."""
        await self.metadata.identity.accounts.create(Account(ACCOUNT, 1))
        for one in (self.app, self.other):
            assert await self.metadata.identity.registrations.create(one, {}, most=10)

    async def part(self, upload_id: str, first: int, data: bytes, *, owner: str = OWNER, repository: Registration | None = None) -> int:
        return await self.layers.add_part(repository or self.app, owner, upload_id, Part(first, first + len(data) - 1, data))

    async def upload(self, data: bytes, *, repository: Registration | None = None, size: int = 20) -> str:
        """A whole layer, in parts; its digest."""
        where = repository or self.app
        upload_id, _ = await self.layers.begin(where, OWNER)
        for start in range(0, len(data), size):
            await self.part(upload_id, start, data[start : start + size], repository=where)
        return str(await self.layers.complete(where, OWNER, upload_id, [str(digest_of(data))]))

    def block(self, data: bytes) -> None:
        self.memory.set_blocks([Block(digest_of(data), "malware", 0)])


def manifest(config: bytes, *layers: bytes, media_type: str | None = OCI_MANIFEST, **more: Any) -> str:
    """The manifest of an image as text."""
    rows = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **_blob(layer)} for layer in layers]
    value = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **_blob(config)},
    }
    return json.dumps({name: one for name, one in {**value, "layers": rows, **more}.items() if one is not None})


def index(*children: str, **more: Any) -> str:
    rows = [{"mediaType": OCI_MANIFEST, **_blob(child.encode())} for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows, **more})


def digest(text: str) -> str:
    """The digest of a manifest's text."""
    return str(digest_of(text.encode()))


def _blob(data: bytes) -> dict[str, object]:
    return {"digest": str(digest_of(data)), "size": len(data)}


async def refused(work: Awaitable[object]) -> ApiRefused:
    """The refusal that some work ends with."""
    try:
        done = await work
    except ApiRefused as error:
        return error
    raise AssertionError(f"it was not refused: {done}")


def with_pushed(folder: Path, work: Callable[[Pushed], Awaitable[None]], **settings: Any) -> None:
    """Run some work on new stores."""
    url = f"sqlite:///{folder}/unhub.db"
    upgrade(url)

    async def run() -> None:
        metadata = SqlMetadata(url)
        try:
            here = Pushed(folder, metadata, **settings)
            await here.register()
            await work(here)
        finally:
            await metadata.close()

    asyncio.run(run())
