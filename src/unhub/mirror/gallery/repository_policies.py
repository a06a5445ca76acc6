"""Repository policies: texts that are kept byte for byte, what they say, and whom they lock out."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from unhub.aws.json_places import parse
from unhub.aws.policy_document import Kind, Policy, policy_of
from unhub.image.errors import InvalidPolicy
from unhub.mirror.authorization import Target, ask
from unhub.mirror.gallery.refusals import refusals_of
from unhub.mirror.principals import Principal, Surroundings
from unhub.store.protocols_identity import Registrations
from unhub.store.records_identity import Registration

SET_POLICY: Final = "ecr-public:SetRepositoryPolicy"

_NAME: Final = "the repository policy"


@lru_cache(maxsize=1024)
def policy_from(text: str) -> Policy:
    """The policy of a repository, read. Raises :class:`InvalidPolicy` for what is none."""
    values = parse(text.encode(), _NAME)
    if len(values) != 1:
        raise values[1].place.wrong("a second document begins here")
    return policy_of(values[0], Kind.RESOURCE, _NAME)


class RepositoryPolicies:
    """Sets, reads and removes them. ``facts`` is a user's data file."""

    def __init__(self, registrations: Registrations, facts: Path | None = None) -> None:
        self._registrations = registrations
        self._refusals = refusals_of(facts)

    def of(self, repository: Registration) -> str:
        """The text as it was set. Raises :class:`ApiRefused` where there is none."""
        if repository.policy is None:
            raise self._refusals.make("policy-not-found", name=repository.key.path, registry=repository.account)
        return repository.policy

    async def set(self, repository: Registration, text: str) -> None:
        """Set a policy. Raises :class:`ApiRefused` for what is none."""
        self.read(text)
        await self._keep(repository, text)

    def check_lockout(self, text: str, principal: Principal, target: Target, around: Surroundings) -> None:
        """Raise :class:`ApiRefused` where ``principal`` could set no other policy after this one."""
        _, decision = ask(principal, SET_POLICY, replace(target, policy=self.read(text)), around)
        if not decision.allowed:
            raise self._refusals.make("policy-locks-out")

    async def delete(self, repository: Registration) -> str:
        """Remove the policy; its text. Raises :class:`ApiRefused` where there is none."""
        text = self.of(repository)
        await self._keep(repository, None)
        return text

    def read(self, text: str) -> Policy:
        """What a text says. Raises :class:`ApiRefused` where it is no policy of a repository."""
        try:
            return policy_from(text)
        except InvalidPolicy as error:
            raise self._refusals.make("policy-invalid", reason=f"line {error.line}, column {error.column}: {error.reason}") from None

    async def _keep(self, repository: Registration, text: str | None) -> None:
        if not await self._registrations.set_policy(repository.key, text):
            raise self._refusals.make("repository-not-found", name=repository.key.path, registry=repository.account)
