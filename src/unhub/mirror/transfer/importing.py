"""From a layout to the cache: verified byte by byte, blobs before the manifests that name them, tags last."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, InvalidReference, UnhubError, WriteFailed
from unhub.image.manifest import SIZE_MAX, Descriptor, InvalidManifest, Manifest
from unhub.image.reference import Reference
from unhub.mirror.eviction import DEPTH_MAX
from unhub.mirror.fsck import kept_blobs
from unhub.mirror.names import InvalidName, NameRules, understand
from unhub.mirror.referring import Referred, refer
from unhub.mirror.transfer import layout
from unhub.mirror.transfer.layout import Entry, Index, InvalidLayout, Moved
from unhub.mirror.transfer.reading import Reader
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import RepositoryKey

SOURCE: Final = "import"
"""The source of tags that came from a layout."""

PUSHED: Final = "push"


class Importer:
    """Copies images from a layout. No server may use the stores meanwhile."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        reader: Reader,
        names: NameRules,
        *,
        spool: Path,
        now: Callable[[], float],
        as_name: str | None = None,
    ) -> None:
        """``as_name`` is the repository for images that do not say theirs. ``now`` is seconds since 1970."""
        self._metadata = metadata
        self._blobs = blobs
        self._reader = reader
        self._names = names
        self._spool = spool
        self._now = now
        self._as_name = as_name
        self.read = 0
        """Bytes of blobs that were taken in."""

    async def run(self) -> AsyncIterator[Moved]:
        """Every image of the layout. Raises :class:`InvalidLayout` where content is not what it says: nothing of that image is served."""
        for entry in await asyncio.to_thread(self._entries):
            yield await self._image(entry)

    def _entries(self) -> list[Entry]:
        try:
            index = msgspec.json.decode(self._reader.index(), type=Index)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidLayout(f"cannot read {layout.INDEX_FILE}: {error}") from None
        return index.manifests

    async def _image(self, entry: Entry) -> Moved:
        shown = entry.annotations.get(layout.NAME) or entry.digest
        try:
            referred = self._referred(entry)
        except UnhubError as error:
            return Moved(shown, entry.digest, skipped=error.message)
        digest = _digest(entry.digest)
        before = self.read
        manifests: list[Manifest] = []
        note = await self._tree(referred.key, Descriptor(entry.media_type, digest, entry.size), manifests, 0)
        tags, kept = await self._tags(referred, entry)
        for manifest in manifests:
            source = PUSHED if referred.own else SOURCE
            mine = tags if manifest.digest == digest else []
            await self._metadata.manifests.put(referred.key, manifest, now=self._now(), tags=mine, source=source, link_blobs=True)
        blobs = len({row.digest for manifest in manifests for row in _rows(manifest)})
        return Moved(str(referred), str(digest), blobs, self.read - before, kept or note)

    def _referred(self, entry: Entry) -> Referred:
        """Where an image belongs. Raises :class:`UnhubError` where this mirror has no such place."""
        said = entry.annotations
        alias, path, tag = said.get(layout.ALIAS), said.get(layout.PATH), said.get(layout.TAG)
        if alias is None or path is None:
            return self._by_name(said.get(layout.NAME))
        if tag is not None:
            _check_tag(tag)
        if alias in self._names.own:
            return Referred(understand(f"{alias}/{path}", None, self._names).key, True, tag)
        host = next((host for host, name in self._names.hosts.items() if name == alias), None)
        if host is None:
            raise InvalidName(f"{alias!r} is neither pulled through nor an alias for pushes here")
        key = understand(path, host, self._names).key
        if key != RepositoryKey(alias, path):
            raise InvalidName(f"{alias}/{path} is no name of a repository")
        return Referred(key, False, tag)

    def _by_name(self, name: str | None) -> Referred:
        """What another tool wrote: a whole reference, or only a tag beside ``--as``."""
        if self._as_name is not None:
            referred = refer(self._as_name, self._names)
            tag = (name or "").rpartition(":")[2] or referred.tag
            if tag is not None:
                _check_tag(tag)
            return Referred(referred.key, referred.own, referred.tag or tag)
        if name is None or "/" not in name:
            raise InvalidName("it does not say which repository it belongs to; --as NAME does")
        return refer(name, self._names)

    async def _tags(self, referred: Referred, entry: Entry) -> tuple[list[str], str | None]:
        """The tag to point at the image, unless this mirror's own was confirmed later."""
        if referred.tag is None:
            return [], None
        known = await self._metadata.manifests.tag(referred.key, referred.tag)
        checked = _seconds(entry.annotations.get(layout.CHECKED))
        if known is not None and checked is not None and known.checked_at > checked and str(known.digest) != entry.digest:
            return [], "the tag here is newer, and stays"
        return [referred.tag], None

    async def _tree(self, key: RepositoryKey, row: Descriptor, found: list[Manifest], depth: int) -> str | None:
        """Take in the blobs of a manifest and of what is below it; the manifests come in the order in which to store them."""
        if depth > DEPTH_MAX:
            raise InvalidLayout(f"cannot take {row.digest}: its indexes are nested too deep")
        manifest = await asyncio.to_thread(self._manifest, row)
        note = None
        if manifest.is_index:
            there = [child for child in manifest.children if await asyncio.to_thread(self._reader.size, child.digest) is not None]
            for child in there:
                await self._tree(key, child, found, depth + 1)
            if len(there) < len(manifest.children):
                note = f"{len(there)} of {len(manifest.children)} manifests"
        for blob in _rows(manifest):
            await self._blob(blob)
        found.append(manifest)
        return note

    def _manifest(self, row: Descriptor) -> Manifest:
        size = self._reader.size(row.digest)
        if size is None:
            raise InvalidLayout(f"cannot take {row.digest}: it is not in the layout")
        if size != row.size or size > SIZE_MAX:
            raise InvalidLayout(f"cannot take {row.digest}: it has {size} bytes, {row.size} were announced, {SIZE_MAX} are the most")
        data = b"".join(self._reader.read(row.digest))
        if hashlib.new(row.digest.algorithm, data, usedforsecurity=False).hexdigest() != row.digest.encoded:
            raise InvalidLayout(f"cannot take {row.digest}: its bytes are not what its name says")
        try:
            return Manifest.parse(data, row.media_type or None, algorithm=row.digest.algorithm)
        except (InvalidManifest, InvalidDigest) as error:
            raise InvalidLayout(f"cannot take {row.digest}: {error.message}") from None

    async def _blob(self, row: Descriptor) -> None:
        digest = row.digest
        info = await self._blobs.stat(digest)
        if info is not None and info.size == row.size:
            if await self._metadata.blobs.size(digest) is None:
                await self._metadata.blobs.add(digest, info.size, self._now())
            return
        size = await asyncio.to_thread(self._reader.size, digest)
        if size is None:
            raise InvalidLayout(f"cannot take {digest}: it is not in the layout")
        if size != row.size:
            raise InvalidLayout(f"cannot take {digest}: it has {size} bytes, {row.size} were announced")
        partial = await asyncio.to_thread(self._copy, digest)
        info = await self._blobs.commit(partial, digest)
        await self._metadata.blobs.add(digest, info.size, self._now())
        self.read += info.size

    def _copy(self, digest: Digest) -> Path:
        """Copy a blob into a file of our own, and hash it on the way."""
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._spool / f"import-{os.getpid()}-{time.monotonic_ns()}"
        hash_ = hashlib.new(digest.algorithm, usedforsecurity=False)
        kept = False
        try:
            with partial.open("xb") as file:
                for piece in self._reader.read(digest):
                    hash_.update(piece)
                    file.write(piece)
            kept = hash_.hexdigest() == digest.encoded
        except OSError as error:
            raise WriteFailed(f"cannot keep {digest}: {error.strerror or error}") from None
        finally:
            if not kept:
                with contextlib.suppress(OSError):
                    partial.unlink()
        if not kept:
            raise InvalidLayout(f"cannot take {digest}: its bytes are not what its name says")
        return partial


def _rows(manifest: Manifest) -> list[Descriptor]:
    """The blobs of a manifest, each once; layers that are kept elsewhere are left out as everywhere."""
    return list({row.digest: row for row in kept_blobs(manifest)}.values())


def _digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except InvalidDigest as error:
        raise InvalidLayout(error.message) from None


def _check_tag(tag: str) -> None:
    """Raise :class:`InvalidReference` for what is no tag."""
    if Reference.parse(f"a/b:{tag}").tag != tag:
        raise InvalidReference(tag, 0, "it is no tag")


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
