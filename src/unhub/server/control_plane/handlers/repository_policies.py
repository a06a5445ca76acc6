"""Operations about the policy of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from unhub.mirror.gallery.repository_policies import RepositoryPolicies
from unhub.server.control_plane.call import Call
from unhub.store.records_identity import Registration


async def set_repository_policy(call: Call) -> Mapping[str, object]:
    """Set the policy; its text is kept as it is."""
    repository, text, rules = call.repository, call.input["policyText"], _rules(call)
    if not call.input.get("force", False):
        around = replace(call.around, resource_tags=call.tags)
        rules.check_lockout(text, call.caller.principal, call.subjects[0].target, around)
    await rules.set(repository, text)
    return _answer(repository, text)


async def get_repository_policy(call: Call) -> Mapping[str, object]:
    """The policy's text."""
    repository = call.repository
    return _answer(repository, _rules(call).of(repository))


async def delete_repository_policy(call: Call) -> Mapping[str, object]:
    """The text of the policy that is no more."""
    repository = call.repository
    return _answer(repository, await _rules(call).delete(repository))


def _rules(call: Call) -> RepositoryPolicies:
    return RepositoryPolicies(call.services.store.registrations, call.services.facts)


def _answer(repository: Registration, text: str) -> Mapping[str, object]:
    return {"registryId": repository.account, "repositoryName": repository.key.path, "policyText": text}
