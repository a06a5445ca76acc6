"""``GET /v2/<name>/tags/list`` and ``GET /v2/_catalog``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from unhub.mirror.pull import Pull
from unhub.mirror.push import Push
from unhub.server.distribution.answers import JSON, Answer, answer, stale_warning
from unhub.server.distribution.paging import next_link, page, page_size
from unhub.server.distribution.request import Request
from unhub.server.distribution.routing import is_tag

CATALOG_PAGE_MAX: Final = 1000


async def list_tags(request: Request, pull: Pull) -> Answer:
    """A page of the tags of a repository, in ASCII order. Raises :class:`ServeError`."""
    name = request.repository
    page_size(request)
    everything, stale = await pull.tags(name.key)
    shown, more = page([tag for tag in everything if is_tag(tag)], request)
    headers = [JSON]
    if more:
        headers.append(next_link(request, shown[-1], len(shown), "ns"))
    if stale is not None:
        headers.append(stale_warning(None, stale))
    if name.namespace is not None:
        headers.append((b"oci-namespace", name.namespace.encode("ascii")))
    return answer(200, headers, msgspec.json.encode({"name": name.written, "tags": shown}))


async def list_repositories(request: Request, push: Push, own: Iterable[str]) -> Answer:
    """A page of the own repositories; what was pulled through is nobody's business."""
    size = page_size(request, CATALOG_PAGE_MAX)
    found = await push.repositories(own, after=request.parameter("last") or "", limit=size + 1)
    shown, more = found[:size], size > 0 and len(found) > size
    headers = [JSON, *([next_link(request, shown[-1], size)] if more else [])]
    return answer(200, headers, msgspec.json.encode({"repositories": shown}))
