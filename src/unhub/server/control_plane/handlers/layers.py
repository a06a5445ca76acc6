"""Operations about layers: whether they are there, and their upload in parts."""

from __future__ import annotations

from collections.abc import Mapping

from unhub.mirror.gallery.layers import LayerFailure, Layers, LayerState, Part
from unhub.mirror.gallery.quotas import quotas_of
from unhub.mirror.gallery.refusals import refusals_of
from unhub.server.control_plane.call import Call


async def batch_check_layer_availability(call: Call) -> Mapping[str, object]:
    """Which of up to a hundred layers a repository has."""
    states, failures = await _layers(call).check(call.repository, call.input["layerDigests"])
    return {"layers": [_state(one) for one in states], "failures": [_failure(one) for one in failures]}


async def initiate_layer_upload(call: Call) -> Mapping[str, object]:
    """Begin an upload."""
    upload_id, part_size = await _layers(call).begin(call.repository, _owner(call))
    return {"uploadId": upload_id, "partSize": part_size}


async def upload_layer_part(call: Call) -> Mapping[str, object]:
    """Take the next part of an upload."""
    given = call.input
    part = Part(given["partFirstByte"], given["partLastByte"], given["layerPartBlob"])
    last = await _layers(call).add_part(call.repository, _owner(call), given["uploadId"], part)
    return {**_about(call), "lastByteReceived": last}


async def complete_layer_upload(call: Call) -> Mapping[str, object]:
    """Make an upload a layer."""
    digest = await _layers(call).complete(call.repository, _owner(call), call.input["uploadId"], call.input["layerDigests"])
    return {**_about(call), "layerDigest": str(digest)}


def _layers(call: Call) -> Layers:
    services = call.services
    return Layers(services.push, services.metadata, services.blobs, refusals_of(services.facts), quotas_of(services.facts))


def _owner(call: Call) -> str:
    """Who may go on with an upload: the user, or whoever has the role."""
    return call.caller.principal.unique_id


def _about(call: Call) -> Mapping[str, object]:
    repository = call.repository
    return {"registryId": repository.account, "repositoryName": repository.key.path, "uploadId": call.input["uploadId"]}


def _state(state: LayerState) -> Mapping[str, object]:
    availability = "UNAVAILABLE" if state.size is None else "AVAILABLE"
    return {"layerDigest": state.digest, "layerAvailability": availability, "layerSize": state.size, "mediaType": state.media_type}


def _failure(failure: LayerFailure) -> Mapping[str, object]:
    return {"layerDigest": failure.digest, "failureCode": failure.code, "failureReason": failure.reason}
