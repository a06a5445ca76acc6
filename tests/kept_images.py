"""A mirror's stores with images in them, for tests of what looks after them: no server, and a clock that is set by hand."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from unhub.image.digest import Digest
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST, Manifest
from unhub.mirror.names import NameRules
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.records import RepositoryKey
from unhub.store.sql.metadata import SqlMetadata
from unhub.store.sql.upgrade import upgrade

NODE = RepositoryKey("docker", "library/node")
REDIS = RepositoryKey("docker", "library/redis")
APP = RepositoryKey("local", "team/app")
NAMES = NameRules(frozenset({"local"}), {"docker.io": "docker", "quay.io": "quay"})


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


@dataclass(frozen=True)
class Image:
    """A manifest with the blobs that it names."""

    manifest: Manifest
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> Digest:
        return self.manifest.digest


def image(name: str, *layers: bytes, subject: Manifest | None = None) -> Image:
    config = f"config of {name}".encode()
    kinds = ["application/vnd.oci.image.config.v1+json", *["application/vnd.oci.image.layer.v1.tar"] * len(layers)]
    rows = [
        {"mediaType": kind, "digest": str(digest_of(data)), "size": len(data)} for kind, data in zip(kinds, (config, *layers), strict=True)
    ]
    value: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": rows[0], "layers": rows[1:]}
    if subject is not None:
        value["subject"] = {"mediaType": subject.media_type, "digest": str(subject.digest), "size": len(subject.data)}
    return Image(Manifest.parse(json.dumps(value).encode(), OCI_MANIFEST), (config, *layers))


def index(**platforms: Image) -> Manifest:
    """An index of images by architecture."""
    rows = [
        {
            "mediaType": one.manifest.media_type,
            "digest": str(one.digest),
            "size": len(one.manifest.data),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, one in platforms.items()
    ]
    return Manifest.parse(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode(), OCI_INDEX)


@dataclass
class Kept:
    """The stores of a data folder."""

    folder: Path
    metadata: SqlMetadata
    blobs: FilesystemBlobs
    clock: list[float]

    def now(self) -> float:
        return self.clock[0]

    def later(self, seconds: float) -> None:
        self.clock[0] += seconds

    async def blob(self, data: bytes) -> Digest:
        """A blob as a flight or a push stores it, not linked."""
        digest = digest_of(data)
        await self.blobs.put(data, digest)
        await self.metadata.blobs.add(digest, len(data), self.now())
        return digest

    async def pull(self, key: RepositoryKey, tag: str | None, kept: Image) -> Image:
        """An image as a pull through leaves it."""
        await self.metadata.manifests.put(key, kept.manifest, now=self.now(), tags=[tag] if tag else [], source="docker", link_blobs=True)
        for data in kept.blobs:
            await self.blob(data)
        return kept

    async def pull_index(self, key: RepositoryKey, tag: str, of: Manifest) -> None:
        await self.metadata.manifests.put(key, of, now=self.now(), tags=[tag], source="docker", link_blobs=True)

    async def push(self, key: RepositoryKey, tag: str, kept: Image) -> Image:
        """An image as a push leaves it."""
        await self.metadata.repositories.create(key, self.now(), own=True)
        for data in kept.blobs:
            await self.metadata.blobs.link(key, await self.blob(data), self.now())
        await self.metadata.manifests.put(key, kept.manifest, now=self.now(), tags=[tag])
        return kept

    async def there(self, data: bytes) -> bool:
        """Whether a blob has both its row and its file."""
        digest = digest_of(data)
        return await self.blobs.stat(digest) is not None and await self.metadata.blobs.size(digest) is not None

    async def is_whole(self, key: RepositoryKey, tag: str) -> bool:
        """Whether a tag can be pulled with every upstream down."""
        found = await self.metadata.manifests.resolve(key, tag)
        return found is not None and await self._whole(key, found[1].manifest)

    async def _whole(self, key: RepositoryKey, manifest: Manifest) -> bool:
        for child in manifest.children:
            stored = await self.metadata.manifests.get(key, child.digest)
            if stored is None or not await self._whole(key, stored.manifest):
                return False
        rows = [*([manifest.config] if manifest.config else []), *manifest.layers]
        for row in rows:
            linked = await self.metadata.blobs.linked(key, row.digest)
            if not linked or await self.blobs.stat(row.digest) is None or await self.metadata.blobs.size(row.digest) is None:
                return False
        return True


def with_kept(folder: Path, work: Callable[[Kept], Awaitable[None]]) -> None:
    """Run some work on the stores of a data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'unhub.db'}"
    upgrade(url)

    async def run() -> None:
        metadata = SqlMetadata(url)
        clock = [1_000_000.0]
        kept = Kept(folder, metadata, FilesystemBlobs(folder / "blobs", clock=lambda: clock[0]), clock)
        try:
            await work(kept)
        finally:
            await metadata.close()

    asyncio.run(run())
