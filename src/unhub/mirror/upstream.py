"""Upstreams: where a repository is pulled through from, and who else has the same content."""

from __future__ import annotations

import fnmatch
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from unhub.image.digest import Digest
from unhub.image.manifest import Descriptor
from unhub.image.reference import Reference
from unhub.mirror.freshness import Freshness
from unhub.registry.answers import Fetched, Head
from unhub.registry.blobs import Begun
from unhub.store.records import RepositoryKey


class Registry(Protocol):
    """What the mirror needs of a registry client; :class:`unhub.registry.client.RegistryClient` is one.

    It asks once and does not wait: waiting is decided here.
    """

    async def head_manifest(self, reference: Reference) -> Head:
        """See the client."""
        ...

    async def get_manifest(self, reference: Reference) -> Fetched:
        """See the client."""
        ...

    async def head_blob(self, reference: Reference, digest: Digest) -> int:
        """See the client."""
        ...

    def blob(
        self,
        reference: Reference,
        digest: Digest,
        *,
        size: int | None = None,
        begun: Begun | None = None,
        withhold: bool = True,
        on_size: Callable[[int], None] | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See the client."""
        ...

    def tags(self, reference: Reference) -> AsyncIterator[str]:
        """See the client."""
        ...

    async def referrers(self, reference: Reference, digest: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """See the client."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A registry and what stands before a repository's name there: ``public.ecr.aws`` and ``docker/``."""

    registry: str
    prefix: str = ""

    def reference(self, path: str, which: str | Digest) -> Reference:
        """The reference to a repository's tag or digest at this place."""
        if isinstance(which, Digest):
            return Reference(self.registry, self.prefix + path, None, str(which))
        return Reference(self.registry, self.prefix + path, which)


@dataclass(frozen=True, slots=True)
class FallbackRules:
    """Another registry with the same content, by digest.

    ``repositories`` are globs on the path at the upstream; ``rate`` is in manifests a second, 0 means no limit.
    """

    name: str
    place: Place
    repositories: tuple[str, ...] = ("library/*",)
    rate: float = 0.0

    def carries(self, path: str) -> bool:
        """Whether it may have a repository of the upstream."""
        return any(fnmatch.fnmatchcase(path, glob) for glob in self.repositories)


@dataclass(frozen=True, slots=True)
class UpstreamRules:
    """A registry that is pulled through under an alias. Times are seconds.

    ``credential`` names the account that is used (empty: anonymous). ``serve_private`` serves everybody what that
    account may read. ``hold`` is how long a client is kept waiting at most, ``fallback_hold`` how long for a fallback's
    pace while the upstream could still be asked; ``revalidate`` is how long a client waits for news of an old tag.
    """

    alias: str
    place: Place
    title: str
    hosts: tuple[str, ...] = ()
    fallbacks: tuple[FallbackRules, ...] = ()
    freshness: Freshness = field(default_factory=Freshness)
    credential: str = ""
    serve_private: bool = False
    hold: float = 25.0
    fallback_hold: float = 5.0
    revalidate: float = 2.0
    keep_deleted: bool = True

    def reference(self, key: RepositoryKey, which: str | Digest) -> Reference:
        """The reference at the upstream itself."""
        return self.place.reference(key.path, which)
