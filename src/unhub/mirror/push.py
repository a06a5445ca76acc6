"""The rules of pushing: what is taken, what it must fit to, and what deleting means. Knows no HTTP framework."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import InvalidDigest, ServeError
from unhub.image.manifest import InvalidManifest, Manifest
from unhub.mirror.memory import Memory
from unhub.mirror.push_words import Words, WrongDigest, in_our_words
from unhub.mirror.uploads import BLOB_SIZE_MAX, Uploads
from unhub.store.protocols import BlobStore, MetadataStore
from unhub.store.records import Change, ChangeKind, RepositoryKey
from unhub.store.records_images import ImageName, Kept, Needs, Removal
from unhub.store.refusals import ContentMissing, Listed, StoreRefused

MANIFEST_SIZE_MAX: Final = 8 * 1024 * 1024

FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign."
"""How media types of Docker's layers begin that need not be in a registry; OCI's hold ``nondistributable``."""


@dataclass(frozen=True, slots=True)
class PushRules:
    """What the operator allows: sizes in bytes, and whether anything may be deleted.

    ``require_blobs`` refuses manifests whose config, layers or children are not here. The specification leaves that to the
    registry, and its suite pushes such "sparse" images: by default they are taken, with a warning.

    ``immutable_tags`` are globs on ``NAME:TAG`` (the repository's name without its alias): such tags never move.

    The rest is ECR Public's way: no push makes a repository (``create``), there are at most so many images in a repository
    and tags of an image (``images_max``, ``tags_max``), and an image leaves with its last tag but stays while an index
    lists it (``whole_images``).
    """

    manifest_size: int = MANIFEST_SIZE_MAX
    blob_size: int = BLOB_SIZE_MAX
    delete: bool = True
    require_blobs: bool = False
    create: bool = True
    images_max: int | None = None
    tags_max: int | None = None
    whole_images: bool = False
    immutable_tags: tuple[str, ...] = ()

    @property
    def demanding(self) -> bool:
        """Whether a manifest must be looked at before it is taken."""
        counted = self.images_max is not None or self.tags_max is not None
        return self.require_blobs or not self.create or counted or bool(self.immutable_tags)

    def is_fixed(self, key: RepositoryKey, tag: str) -> bool:
        """Whether a tag never moves."""
        return any(fnmatch.fnmatchcase(f"{key.path}:{tag}", pattern) for pattern in self.immutable_tags)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A manifest that was stored, and the blobs of it that are missing."""

    manifest: Manifest
    missing: tuple[Digest, ...] = ()


class Push:
    """Takes content into own repositories. ``uploads`` holds the blobs that are on their way."""

    def __init__(
        self,
        metadata: MetadataStore,
        blobs: BlobStore,
        folder: Path,
        memory: Memory,
        rules: PushRules | None = None,
        *,
        now: Callable[[], float],
        words: Words | None = None,
    ) -> None:
        """``folder`` is for uploads in progress, ``memory`` what this worker answers from, ``now`` seconds since 1970.

        ``words`` say at the registry why the store refuses something, by default in our own words.
        """
        self.rules = rules or PushRules()
        self.uploads = Uploads(
            metadata, blobs, folder, now=now, size_max=self.rules.blob_size, create=self.rules.create, check=self._check_blocked
        )
        self._metadata = metadata
        self._blobs = blobs
        self._memory = memory
        self._now = now
        self._words = words or in_our_words

    async def manifest(
        self, key: RepositoryKey, data: bytes, media_type: str | None, *, digest: Digest | None = None, tags: Sequence[str] = ()
    ) -> Pushed:
        """Store a manifest, verbatim, and point tags at it.

        Raises :class:`ServeError`: ``MANIFEST_INVALID`` for what is none or calls itself otherwise inside,
        ``DIGEST_INVALID`` where it is not ``digest``, ``MANIFEST_BLOB_UNKNOWN`` where content is required and missing (or
        what :attr:`words` has instead).
        """
        manifest = parsed(data, media_type, "sha256" if digest is None else digest.algorithm)
        if digest is not None and manifest.digest != digest:
            raise self._words(key, WrongDigest(digest, manifest.digest))
        try:
            await self.take(key, manifest, tags)
        except StoreRefused as error:
            raise self._words(key, error) from None
        return Pushed(manifest, () if self.rules.require_blobs else await self._missing_blobs(key, manifest))

    async def take(self, key: RepositoryKey, manifest: Manifest, tags: Sequence[str] = ()) -> bool:
        """Store a manifest, and point tags at it, if the rules allow it; whether anything changed.

        Raises :class:`StoreRefused`, and :class:`ServeError` ``DENIED`` for what is blocked.
        """
        self._check_blocked(manifest.digest)
        if self.rules.demanding:
            changed = await self._take_if_whole(key, manifest, tags)
        else:
            changed = True
            await self._metadata.manifests.put(key, manifest, now=self._now(), tags=tags)
        self._changed(key, ChangeKind.TAG, *tags)
        return changed

    async def delete_manifest(self, key: RepositoryKey, which: str | Digest) -> None:
        """Remove a tag only, or a manifest with all its tags. Raises :class:`ServeError`.

        In ECR Public's way an image leaves with its last tag, too, and stays while an index lists it.
        """
        self._check_deletes()
        if self.rules.whole_images:
            name = ImageName(which) if isinstance(which, Digest) else ImageName(tag=which)
            (done,) = await self.remove(key, [name])
            if done.kept is Kept.LISTED and done.digest is not None:
                raise self._words(key, Listed(done.digest, done.listed_by))
            gone = done.kept is None
        elif isinstance(which, Digest):
            gone = await self._metadata.manifests.delete(key, which, self._now())
            self._changed(key, ChangeKind.MANIFEST, str(which))
        else:
            gone = await self._metadata.manifests.delete_tag(key, which)
            self._changed(key, ChangeKind.TAG, which)
        if not gone:
            raise ServeError(f"cannot delete {which}: {key} has none", status=404, registry_code="MANIFEST_UNKNOWN")

    async def remove(self, key: RepositoryKey, names: Sequence[ImageName]) -> list[Removal]:
        """Remove images as ECR Public does; what became of each. Raises :class:`ServeError` where deleting is switched off."""
        self._check_deletes()
        done = await self._metadata.images.remove(key, names, self._now())
        for one in done:
            self._changed(key, ChangeKind.TAG, *one.tags)
            if one.whole:
                self._changed(key, ChangeKind.MANIFEST, str(one.digest))
        return done

    async def delete_blob(self, key: RepositoryKey, digest: Digest) -> None:
        """Take a blob away from a repository. Raises :class:`ServeError`."""
        self._check_deletes()
        if not await self._metadata.blobs.unlink(key, digest):
            raise ServeError(f"cannot delete {digest}: {key} has no such blob", status=404, registry_code="BLOB_UNKNOWN")

    async def link(self, key: RepositoryKey, digest: Digest) -> None:
        """Let a repository serve a blob that is stored. Raises :class:`ServeError`."""
        self._check_blocked(digest)
        if self.rules.create:
            await self._metadata.repositories.create(key, self._now(), own=True)
        try:
            await self._metadata.blobs.link(key, digest, self._now(), create=self.rules.create)
        except StoreRefused as error:
            raise self._words(key, error) from None

    async def repositories_of(self, digest: Digest, limit: int) -> list[RepositoryKey]:
        """The repositories that link a blob."""
        return await self._metadata.blobs.repositories(digest, limit)

    async def repositories(self, own: Iterable[str], *, after: str = "", limit: int) -> list[str]:
        """Names of repositories of the aliases ``own``, after a name."""
        found: list[str] = []
        first, _, path = after.partition("/")
        for alias in sorted(own):
            if alias >= first and len(found) < limit:
                start = RepositoryKey(alias, path) if alias == first else None
                found += map(str, await self._metadata.repositories.names(alias=alias, after=start, limit=limit - len(found)))
        return found

    async def clean(self, before: float) -> int:
        """Forget uploads that nobody has touched since ``before`` (seconds since 1970); how many."""
        return await self.uploads.clean(before)

    async def _take_if_whole(self, key: RepositoryKey, manifest: Manifest, tags: Sequence[str]) -> bool:
        blobs = _needed_blobs(manifest) if self.rules.require_blobs else ()
        children = tuple(dict.fromkeys(child.digest for child in manifest.children)) if self.rules.require_blobs else ()
        lost = [digest for digest in blobs if await self._blobs.stat(digest) is None]
        missing = await self._missing_blobs(key, manifest) if lost else ()
        if missing:
            raise ContentMissing(blobs=missing)
        fixed = tuple(tag for tag in tags if self.rules.is_fixed(key, tag))
        needs = Needs(blobs, children, self.rules.images_max, self.rules.tags_max, fixed)
        return await self._metadata.images.put(key, manifest, now=self._now(), tags=tags, needs=needs, create=self.rules.create)

    async def _missing_blobs(self, key: RepositoryKey, manifest: Manifest) -> tuple[Digest, ...]:
        """Config and layers that are not here, but for layers that may be elsewhere; children of an index are left out."""
        missing: list[Digest] = []
        for digest in _needed_blobs(manifest):
            if not await self._metadata.blobs.linked(key, digest) or await self._blobs.stat(digest) is None:
                missing.append(digest)
        return tuple(missing)

    def _check_blocked(self, digest: Digest) -> None:
        reason = self._memory.blocked(digest)
        if reason is not None:
            raise ServeError(f"cannot take {digest}: it is blocked here ({reason})", status=403, registry_code="DENIED")

    def _check_deletes(self) -> None:
        if not self.rules.delete:
            message = "cannot delete: deleting is switched off at this mirror"
            raise ServeError(message, status=405, registry_code="UNSUPPORTED", hint="Set delete = true under [serve]")

    def _changed(self, key: RepositoryKey, kind: ChangeKind, *what: str) -> None:
        """This worker forgets at once what the others hear of within a second."""
        self._memory.apply([Change(0, kind, key.alias, key.path, one) for one in what])


def parsed(data: bytes, media_type: str | None, algorithm: str = "sha256") -> Manifest:
    """The manifest that is to be pushed. Raises :class:`ServeError`, ``MANIFEST_INVALID``."""
    try:
        return Manifest.parse(data, media_type, algorithm=algorithm)
    except (InvalidManifest, InvalidDigest) as error:
        raise ServeError(error.message, status=400, registry_code="MANIFEST_INVALID") from None


def _needed_blobs(manifest: Manifest) -> tuple[Digest, ...]:
    """Config and layers, each once, but for layers that may be elsewhere."""
    wanted = [*([manifest.config] if manifest.config else []), *manifest.layers]
    return tuple(dict.fromkeys(descriptor.digest for descriptor in wanted if not _may_be_elsewhere(descriptor.media_type)))


def _may_be_elsewhere(media_type: str) -> bool:
    return "nondistributable" in media_type or media_type.startswith(FOREIGN)
