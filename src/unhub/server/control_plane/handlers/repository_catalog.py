"""Operations about what the gallery shows of a repository."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.mirror.gallery.catalog import CatalogRules
from unhub.server.control_plane.call import Call
from unhub.server.control_plane.logos import logo_path
from unhub.store.records_identity import Registration


async def get_repository_catalog_data(call: Call) -> Mapping[str, object]:
    """The catalog data, where there ever was any."""
    repository = call.repository
    return {"catalogData": _rules(call).of(repository).shown(logo_url(call, repository))}


async def put_repository_catalog_data(call: Call) -> Mapping[str, object]:
    """Set the catalog data, whole."""
    repository, rules = call.repository, _rules(call)
    kept = await rules.put(repository, rules.read(call.input["catalogData"]))
    return {"catalogData": kept.shown(logo_url(call, repository))}


def logo_url(call: Call, repository: Registration) -> str:
    """Where the logo of a repository is had, with ``{logo}`` for its digest."""
    return f"https://{call.services.registry_name}{logo_path(repository.key, '{logo}')}"


def _rules(call: Call) -> CatalogRules:
    return CatalogRules(call.services.store.registrations, call.services.facts)
