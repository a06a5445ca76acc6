"""The API of hub.docker.com, as far as tools list tags with it; its limit has nothing to do with pulls (docker-hub.md, 5)."""

from __future__ import annotations

import re

from unhub.demo.docker_hub_limits import HubLimits
from unhub.demo.exchange import Answer, Asked, json_answer
from unhub.demo.faults import Fault
from unhub.demo.limits import counted_address
from unhub.demo.registry import Caller
from unhub.demo.state import State
from unhub.image.errors import LimitKind

_TAGS = re.compile(
    r"/v2/(?:repositories/(?P<old>[^/]+/[^/]+)|namespaces/(?P<owner>[^/]+)/repositories/(?P<name>[^/]+))/tags(?:/(?P<tag>[^/]+))?/?"
)


class DockerHubApi:
    """``GET /v2/repositories/OWNER/NAME/tags[/TAG]`` and its newer spelling with ``namespaces``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._limits = HubLimits(state)

    def answer(self, asked: Asked) -> Answer:
        """A page of tags, one tag, or 404."""
        if self._is_over(asked):
            return self._limits.api_refusal()
        match = _TAGS.fullmatch(asked.path)
        name = match and (match["old"] or f"{match['owner']}/{match['name']}")
        repository = self._state.store.repositories.get(name or "")
        if match is None or repository is None or repository.private:
            return json_answer(404, {"message": "object not found", "errinfo": {}})
        if match["tag"]:
            digest = repository.tags.get(match["tag"])
            return json_answer(200, _row(match["tag"], digest)) if digest else json_answer(404, {"message": "tag not found", "errinfo": {}})
        return json_answer(200, self._page(asked, repository.tags))

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """What the API says under a fault that concerns its own limit."""
        kind = LimitKind.API if fault.limit is LimitKind.PULLS else fault.limit
        return self._limits.answer(kind, Caller(None, counted_address(asked.address))) if fault.kind == "limit" else None

    def _is_over(self, asked: Asked) -> bool:
        state, address = self._state, counted_address(asked.address)
        state.api.add(address, 1, state.now())
        most = state.settings.api_limit
        return state.is_exhausted(LimitKind.API) or (most is not None and state.api.used(address, state.now()) > most)

    def _page(self, asked: Asked, tags: dict[str, str]) -> dict[str, object]:
        size, number = _number(asked.query.get("page_size"), 10, 100), _number(asked.query.get("page"), 1, 10_000)
        names = sorted(tags)
        shown = names[(number - 1) * size : number * size]
        following = f"{asked.path}?page={number + 1}&page_size={size}" if number * size < len(names) else None
        return {"count": len(names), "next": following, "previous": None, "results": [_row(name, tags[name]) for name in shown]}


def _row(name: str, digest: str) -> dict[str, object]:
    return {"name": name, "digest": digest, "tag_status": "active", "content_type": "image"}


def _number(text: str | None, default: int, most: int) -> int:
    return min(max(1, int(text)), most) if text and text.isascii() and text.isdigit() and len(text) < 10 else default
