"""Who may do what at the registry, and how they are told: one implementation for each mode (docs/contracts.md, names at the mirror)."""

from __future__ import annotations

from typing import Any, Protocol

from unhub.image.errors import ServeError
from unhub.mirror.names import UnknownRepository
from unhub.server.distribution.answers import Answer
from unhub.server.distribution.note import Note
from unhub.server.distribution.request import Request


class Access(Protocol):
    """Asked in this order: ``admit`` (or ``knows``, where nothing may be waited for), ``check``, then ``visitor`` or ``writer``."""

    def knows(self, scope: dict[str, Any], note: Note | None) -> bool:
        """Whether whoever asks is known to be admitted; notes the account. Nothing is verified for it that was not before."""
        ...

    def admit(self, scope: dict[str, Any], note: Note | None) -> None:
        """Let somebody ask anything at all, and note the account. Raises :class:`ServeError` before the path is looked at."""
        ...

    async def check(self, request: Request) -> None:
        """Raise :class:`ServeError` for what nobody may ask of this registry."""
        ...

    def visitor(self, scope: dict[str, Any]) -> None:
        """Whoever asks ``/v2/``. Raises :class:`Unauthorized` where a token could be had and none was sent."""
        ...

    async def writer(self, request: Request) -> str:
        """Who pushes to or deletes from a repository: an owner of upload sessions. Raises :class:`ServeError`."""
        ...

    def unknown(self, error: UnknownRepository) -> ServeError:
        """What is said where a name can be nobody's."""
        ...

    def refused(self, error: ServeError) -> Answer:
        """How a refusal is answered."""
        ...

    async def explained(self, error: ServeError, request: Request | None) -> ServeError:
        """An error in the words of this registry."""
        ...
