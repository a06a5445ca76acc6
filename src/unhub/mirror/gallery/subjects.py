"""What a request of the API is about, as policies see it: a repository with its own policy and tags, a registry, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from unhub.aws.arns import registry_arn, repository_arn
from unhub.mirror.authorization import Target
from unhub.mirror.gallery.registries import Registries
from unhub.mirror.gallery.repository_policies import policy_from
from unhub.store.protocols_identity import IdentityStore
from unhub.store.records_identity import Registration


@dataclass(frozen=True, slots=True)
class Subject:
    """What one action is done to. ``registration`` is ``None`` where there is no such repository, ``tags`` are its resource tags."""

    target: Target
    name: str = ""
    registration: Registration | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


NOTHING = Subject(Target())
"""Actions without a resource."""


class Subjects:
    """Finds them."""

    def __init__(self, store: IdentityStore) -> None:
        self._registrations = store.registrations
        self._registries = Registries(store)

    def registry(self, account: str) -> Subject:
        """A registry."""
        return Subject(Target(registry_arn(account), account))

    def every_repository(self, account: str) -> Subject:
        """All repositories of an account: what a list is about that names none."""
        return Subject(Target(repository_arn(account, "*"), account))

    async def repository(self, account: str, name: str) -> Subject:
        """A repository, whether there is one or not."""
        found = await self._registries.find(account, name)
        policy = policy_from(found.policy) if found and found.policy is not None else None
        tags = await self._registrations.tags(found.key) if found else {}
        return Subject(Target(repository_arn(account, name), account, policy), name, found, tags)

    async def repositories(self, account: str, names: Sequence[str]) -> tuple[Subject, ...]:
        """Several of one account, each once, in the order in which they are named."""
        return tuple([await self.repository(account, name) for name in dict.fromkeys(names)])
