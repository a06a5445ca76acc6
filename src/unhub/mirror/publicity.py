"""Whether everybody may read a repository: what only a login can see must not become everybody's through the mirror."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from unhub.image.digest import Digest
from unhub.image.errors import AccessRefused, RegistryError
from unhub.mirror.source import Gone, Unavailable
from unhub.mirror.sources import Upstream
from unhub.store.protocols import MetadataStore
from unhub.store.records import RepositoryKey

AGAIN: Final = 86_400.0
"""Seconds after which it is looked at again whether a repository is public."""


class Publicity:
    """Asks without a login, and keeps the answer with the repository. ``now`` is seconds since 1970."""

    def __init__(self, metadata: MetadataStore, *, now: Callable[[], float]) -> None:
        self._metadata = metadata
        self._now = now

    async def check(self, upstream: Upstream, key: RepositoryKey, which: str | Digest) -> None:
        """Find out by a manifest whether everybody may read a repository, where an account might read more.

        Raises :class:`Gone` for what is private, unless the settings serve it, and :class:`Unavailable` where nobody can tell.
        """
        anonymous = upstream.anonymous
        if anonymous is not None:
            await self._prove(upstream, key, lambda: anonymous.head(key.path, which))

    async def check_listable(self, upstream: Upstream, key: RepositoryKey) -> None:
        """The same where no manifest is asked for: whoever may list the tags of a repository may read it."""
        anonymous = upstream.anonymous
        if anonymous is None:
            return

        async def first() -> None:
            async for _ in anonymous.registry.tags(anonymous.place.reference(key.path, "latest")):
                return

        await self._prove(upstream, key, lambda: anonymous.ask(first))

    async def _prove(self, upstream: Upstream, key: RepositoryKey, prove: Callable[[], Awaitable[object]]) -> None:
        if upstream.rules.serve_private:
            return
        stored = await self._metadata.repositories.get(key)
        if stored is not None and stored.public is not None and self._now() - (stored.public_checked_at or 0) < AGAIN:
            if not stored.public:
                raise Gone(_private(key, upstream))
            return
        try:
            await prove()
        except Gone as gone:
            if not isinstance(gone.error, AccessRefused):
                raise
            await self._metadata.repositories.set_public(key, False, self._now())
            raise Gone(_private(key, upstream)) from None
        except Unavailable:
            if stored is not None and stored.public:
                return
            raise
        await self._metadata.repositories.set_public(key, True, self._now())


def _private(key: RepositoryKey, upstream: Upstream) -> RegistryError:
    return AccessRefused(
        f"cannot serve {key.path}: it is private at {upstream.rules.title}",
        host=upstream.rules.place.registry,
        hint=f"Set serve-private = true for [upstream.{key.alias}] if everybody who reaches this mirror may have it",
    )
