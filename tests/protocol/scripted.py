"""An upstream that is a folder: it answers what lies there, and lets tests hold back, break and release its blobs.

``FOLDER/<path>/tags/<tag>`` and ``FOLDER/<path>/manifests/<digest>`` are manifests, ``FOLDER/<path>/blobs/<digest>`` blobs.
Beside a blob may lie ``<digest>.published`` (how many bytes have come: it is read again and again), and ``<digest>.fails``
(the flight fails). ``FOLDER/refuses`` holds a status: then every question is refused with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from unhub.image.digest import Digest
from unhub.image.errors import ServeError
from unhub.image.manifest import Descriptor, Manifest
from unhub.mirror.upstream import Place, UpstreamRules
from unhub.store.protocols import MetadataStore
from unhub.store.records import RepositoryKey

RULES = UpstreamRules("docker", Place("docker.io"), "Docker Hub", hosts=("docker.io",))


class ScriptedFlight:
    def __init__(self, path: Path, digest: Digest) -> None:
        self._path = path
        self.digest = digest
        self.size = path.stat().st_size

    async def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        end = self.size if end is None else end
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            while start < end:
                if self._path.with_suffix(".fails").exists():
                    raise ServeError("cannot fetch it now: the script says so", status=503, registry_code="UNAVAILABLE", retry_after=7)
                upto = min(self._published(), end)
                if upto <= start:
                    await asyncio.sleep(0.01)
                    continue
                piece = os.pread(descriptor, min(upto - start, 64 * 1024), start)
                start += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    def _published(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(self._path.with_suffix(".published").read_text())
        return self.size


class ScriptedUpstreams:
    def __init__(self, metadata: MetadataStore, folder: Path) -> None:
        self._metadata = metadata
        self._folder = folder

    async def tag(self, key: RepositoryKey, name: str, *, wait: float | None = None) -> None:
        await self._take(key, self._folder / key.path / "tags" / name, name)

    async def digest(self, key: RepositoryKey, digest: Digest) -> None:
        await self._take(key, self._folder / key.path / "manifests" / str(digest))

    async def revalidate(self, key: RepositoryKey, name: str) -> None:
        pass

    async def blob(self, key: RepositoryKey, digest: Digest) -> ScriptedFlight:
        self._check()
        path = self._folder / key.path / "blobs" / str(digest)
        if not path.exists():
            raise ServeError(f"cannot serve {digest}: the upstream has none", status=404, registry_code="BLOB_UNKNOWN")
        return ScriptedFlight(path, digest)

    async def tags(self, key: RepositoryKey) -> list[str]:
        self._check()
        folder = self._folder / key.path / "tags"
        if not folder.is_dir():
            raise ServeError(f"cannot list {key}: there is no such repository", status=404, registry_code="NAME_UNKNOWN")
        return sorted(os.listdir(folder))

    async def referrers(self, key: RepositoryKey, digest: Digest) -> Sequence[Descriptor]:
        self._check()
        return ()

    async def _take(self, key: RepositoryKey, path: Path, *tags: str) -> None:
        self._check()
        if not path.exists():
            raise ServeError(f"cannot serve {path.name}: the upstream has none", status=404, registry_code="MANIFEST_UNKNOWN")
        manifest = Manifest.parse(path.read_bytes())
        await self._metadata.manifests.put(key, manifest, now=time.time(), tags=tags, source="docker.io", link_blobs=True)

    def _check(self) -> None:
        with contextlib.suppress(OSError):
            status = int((self._folder / "refuses").read_text())
            code = "TOOMANYREQUESTS" if status == 429 else "UNAVAILABLE"
            raise ServeError("cannot fetch it now: the limit is reached", status=status, registry_code=code, retry_after=29.2)
