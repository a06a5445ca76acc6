"""Operations about the resource tags of a repository."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.mirror.gallery.resource_tags import ResourceTags
from unhub.server.control_plane.call import Call


async def tag_resource(call: Call) -> Mapping[str, object]:
    """Add or overwrite tags."""
    rules, repository = _rules(call), call.repository
    await rules.add(repository, rules.read(call.input["tags"]))
    return {}


async def untag_resource(call: Call) -> Mapping[str, object]:
    """Remove tags by their keys."""
    await _rules(call).remove(call.repository, call.input["tagKeys"])
    return {}


async def list_tags_for_resource(call: Call) -> Mapping[str, object]:
    """Every tag."""
    tags = await _rules(call).of(call.repository)
    return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _rules(call: Call) -> ResourceTags:
    return ResourceTags(call.services.store.registrations, call.services.facts)
