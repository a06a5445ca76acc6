"""``GET /v2/<name>/referrers/<digest>``: what is attached to a manifest."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import msgspec

from unhub.image.manifest import OCI_INDEX
from unhub.mirror.pull import Pull
from unhub.server.distribution.answers import Answer, Header, answer
from unhub.server.distribution.errors import parse_digest
from unhub.server.distribution.paging import next_link, page_size
from unhub.server.distribution.request import Request
from unhub.store.records import Referrer

PAGE_MAX = 1000
BYTES_MAX = 4 * 1024 * 1024
"""Bytes of descriptors in a page: clients read no longer manifests (distribution specification, "Listing Referrers")."""


async def list_referrers(request: Request, pull: Pull) -> Answer:
    """An index of what is attached, empty where nothing is. Raises :class:`ServeError` 400 for a broken digest."""
    subject = parse_digest(request.route.reference)
    wanted = request.parameter("artifactType")
    size = page_size(request, PAGE_MAX)
    found = await pull.referrers(request.repository.key, subject, wanted)
    start = bisect_right(found, request.parameter("last") or "", key=lambda referrer: str(referrer.digest))
    shown = _fitting(found[start : start + size])
    headers: list[Header] = [(b"content-type", OCI_INDEX.encode("ascii"))]
    if wanted is not None:
        headers.append((b"oci-filters-applied", b"artifactType"))
    if shown and start + len(shown) < len(found):
        headers.append(next_link(request, str(shown[-1].digest), size, "artifactType", "ns"))
    if request.repository.namespace is not None:
        headers.append((b"oci-namespace", request.repository.namespace.encode("ascii")))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_descriptor(referrer) for referrer in shown]}
    return answer(200, headers, msgspec.json.encode(index))


def _fitting(referrers: list[Referrer]) -> list[Referrer]:
    """As many as fit into a page, one at least."""
    room, fitting = BYTES_MAX, list[Referrer]()
    for referrer in referrers:
        room -= len(msgspec.json.encode(_descriptor(referrer)))
        if room < 0 and fitting:
            break
        fitting.append(referrer)
    return fitting


def _descriptor(referrer: Referrer) -> dict[str, Any]:
    row: dict[str, Any] = {"mediaType": referrer.media_type, "digest": str(referrer.digest), "size": referrer.size}
    if referrer.artifact_type:
        row["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        row["annotations"] = referrer.annotations
    return row
