"""Operations about repositories: made, shown and deleted."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.aws.arns import repository_arn
from unhub.mirror.gallery.catalog import Catalog, CatalogRules
from unhub.mirror.gallery.registries import Registries
from unhub.mirror.gallery.repositories import Repositories
from unhub.mirror.gallery.resource_tags import ResourceTags
from unhub.server.control_plane.call import Call
from unhub.server.control_plane.handlers.repository_catalog import logo_url
from unhub.store.records_identity import Registration


async def create_repository(call: Call) -> Mapping[str, object]:
    """A new repository; with tags another permission is needed, as at AWS."""
    store, facts = call.services.store, call.services.facts
    given = call.input.get("catalogData")
    catalog = None if given is None else CatalogRules(store.registrations, facts).read(given)
    tags = ResourceTags(store.registrations, facts).read(call.input.get("tags", ()))
    if tags:
        call.require("TagResource")
    made = await _rules(call).create(call.account, call.input["repositoryName"], catalog, tags)
    shown = Catalog.of(made.catalog).shown(logo_url(call, made)) if made.catalog else {}
    return {"repository": _shown(made, await _uri(call, made.account)), "catalogData": shown}


async def describe_repositories(call: Call) -> Mapping[str, object]:
    """The repositories that are named, or a page of all of an account."""
    owner = call.subjects[0].target.account or call.account
    uri = await _uri(call, owner)
    if "repositoryNames" in call.input:
        return {"repositories": [_shown(one, uri) for one in call.repositories]}
    page = await _rules(call).page(owner, call.after, call.limit)
    token = call.next_token(page.rows[-1].key.path) if page.more else None
    return {"repositories": [_shown(one, uri) for one in page.rows], "nextToken": token}


async def delete_repository(call: Call) -> Mapping[str, object]:
    """The repository that is no more."""
    repository = call.repository
    shown = _shown(repository, await _uri(call, repository.account))
    await _rules(call).delete(repository, force=call.input.get("force", False))
    return {"repository": shown}


def _rules(call: Call) -> Repositories:
    services = call.services
    return Repositories(
        services.store, services.identity.identities.default_alias, now=services.now, forget=services.forget, facts=services.facts
    )


async def _uri(call: Call, account: str) -> str:
    """What stands before the names of an account's repositories."""
    return f"{call.services.registry_name}/{await Registries(call.services.store).shown_alias(account)}"


def _shown(repository: Registration, uri: str) -> Mapping[str, object]:
    return {
        "repositoryArn": repository_arn(repository.account, repository.key.path),
        "registryId": repository.account,
        "repositoryName": repository.key.path,
        "repositoryUri": f"{uri}/{repository.key.path}",
        "createdAt": repository.created_at,
    }
