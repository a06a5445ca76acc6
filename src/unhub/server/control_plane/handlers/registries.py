"""Operations about registries: what they are, and how they call themselves."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.aws.arns import registry_arn
from unhub.mirror.gallery.registries import Registries, Registry
from unhub.server.control_plane.call import Call
from unhub.store.records_identity import StoredAlias


async def describe_registries(call: Call) -> Mapping[str, object]:
    """The caller's registry: an account has one, so that there is never a second page."""
    found = await Registries(call.services.store).registry(call.account)
    return {"registries": [_registry(found, call.services.registry_name)] if found and not call.after else []}


async def get_registry_catalog_data(call: Call) -> Mapping[str, object]:
    """The display name, where one was set."""
    found = await Registries(call.services.store).registry(call.account)
    return {"registryCatalogData": {"displayName": found.account.display_name if found else None}}


async def put_registry_catalog_data(call: Call) -> Mapping[str, object]:
    """Set the display name; without one it is removed."""
    name: str | None = call.input.get("displayName")
    await Registries(call.services.store).set_display_name(call.account, name)
    return {"registryCatalogData": {"displayName": name}}


def _registry(found: Registry, registry_name: str) -> Mapping[str, object]:
    account = found.account
    return {
        "registryId": account.id,
        "registryArn": registry_arn(account.id),
        "registryUri": f"{registry_name}/{found.shown_alias}" if found.shown_alias else "",
        "verified": account.verified,
        "aliases": [_alias(alias) for alias in found.aliases],
    }


def _alias(alias: StoredAlias) -> Mapping[str, object]:
    return {
        "name": alias.name,
        "status": alias.status.value,
        "primaryRegistryAlias": alias.primary,
        "defaultRegistryAlias": alias.default,
    }
