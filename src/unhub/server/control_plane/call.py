"""One call of an operation: what a handler gets, and what it may ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unhub.mirror.gallery.refusals import refusals_of
from unhub.mirror.gallery.subjects import Subject
from unhub.mirror.memory import Memory
from unhub.mirror.principals import Surroundings
from unhub.mirror.push import Push
from unhub.server.control_plane.pagination import DEFAULT, PageTokens
from unhub.server.identity_services import Caller, IdentityServices
from unhub.store.protocols import BlobStore
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records import Change, ChangeKind, RepositoryKey
from unhub.store.records_identity import Registration
from unhub.store.sql.metadata import SqlMetadata

ACTION = "ecr-public:{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with. ``facts`` is a user's data file, ``now`` seconds since 1970."""

    identity: IdentityServices
    metadata: SqlMetadata
    blobs: BlobStore
    push: Push
    memory: Memory
    registry_name: str
    facts: Path | None
    now: Callable[[], float]

    @property
    def store(self) -> IdentityStore:
        """Accounts, aliases and registrations."""
        return self.metadata.identity

    def forget(self, key: RepositoryKey) -> None:
        """Let this worker answer nothing of a repository from memory; the others hear of it within a moment."""
        self.memory.apply([Change(0, ChangeKind.REPOSITORY, key.alias, key.path, "")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that was authenticated, checked against the model, and authorized.

    ``input`` holds validated members, absent where they are absent; ``after`` is the name after which a page begins.
    """

    operation: str
    input: Mapping[str, Any]
    caller: Caller
    around: Surroundings
    subjects: tuple[Subject, ...]
    services: Services
    pages: PageTokens
    after: str = ""

    @property
    def account(self) -> str:
        """The account that asks."""
        return self.caller.principal.account

    @property
    def repository(self) -> Registration:
        """The repository that the call is about. Raises :class:`ApiRefused` where there is none."""
        return self.repositories[0]

    @property
    def repositories(self) -> list[Registration]:
        """Every repository that the call names. Raises :class:`ApiRefused` where there is none."""
        return [self._existing(subject) for subject in self.subjects]

    @property
    def tags(self) -> Mapping[str, str]:
        """The resource tags of the repository that the call is about."""
        return self.subjects[0].tags

    @property
    def limit(self) -> int:
        """How many results a page may have."""
        return self.input.get("maxResults", DEFAULT)

    def next_token(self, after: str) -> str:
        """The token of the page that begins after a name."""
        return self.pages.make(after, self.operation, self.account, self.input)

    def require(self, operation: str) -> None:
        """Raise :class:`ApiRefused` unless the caller may do this to everything that the call is about."""
        for subject in self.subjects:
            around = replace(self.around, resource_tags=subject.tags)
            self.services.identity.authority.require(self.caller.principal, ACTION.format(operation), subject.target, around)

    def _existing(self, subject: Subject) -> Registration:
        if subject.registration is None:
            refusals = refusals_of(self.services.facts)
            raise refusals.make("repository-not-found", name=subject.name, registry=subject.target.account)
        return subject.registration


Handler = Callable[[Call], Awaitable[Mapping[str, object]]]
