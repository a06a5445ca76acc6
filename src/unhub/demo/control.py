"""``/_demo/`` on a stand-in's port: what the handle does in tests, over HTTP for everybody else. Needs the control token."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar, get_type_hints

import msgspec

from unhub.demo.ecr_public_api import ApiSettings, ApiState
from unhub.demo.exchange import Answer, Asked, Service, Site, json_answer
from unhub.demo.faults import Fault, Faults
from unhub.demo.settings import FIXED, HubSettings
from unhub.demo.state import Record, State
from unhub.image.errors import LimitKind, UsageError

S = TypeVar("S", HubSettings, ApiSettings)
Action = Callable[[Asked], object]
Listen = Callable[[Site, bool, float | None], None]
"""Opens or closes the port of a site, for some seconds or for good."""

PREFIX = "/_demo/"
_SECRET = frozenset({"control_token", "accounts"})
_SHOWN = 1000
"""Requests that one answer lists at most, the newest."""


class Control:
    """A service with ``/_demo/`` before it, whose actions are known by method and name. Without a token there is no ``/_demo/``."""

    def __init__(self, service: Service, token: str | None, actions: Mapping[tuple[str, str], Action]) -> None:
        self._service, self._token, self._actions = service, token, actions

    def answer(self, asked: Asked) -> Answer:
        """Do what a path below ``/_demo/`` means; everything else is the service's."""
        if not asked.path.startswith(PREFIX) or self._token is None:
            return self._service.answer(asked)
        scheme, token = asked.authorization
        if scheme != "bearer" or not hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            return json_answer(401, {"error": "this needs the control token: Authorization: Bearer TOKEN"})
        action = self._actions.get((asked.method, asked.path.removeprefix(PREFIX)))
        if action is None:
            known = sorted(f"{method} {PREFIX}{name}" for method, name in self._actions)
            return json_answer(404, {"error": "there is nothing here", "known": known})
        try:
            return json_answer(200, {"schema": 1, "done": action(asked)})
        except (UsageError, msgspec.MsgspecError, ValueError) as error:
            return json_answer(400, {"error": str(error)})

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """The service's own answer under a fault; ``/_demo/`` itself never fails."""
        under: Callable[[Fault, Asked], Answer | None] | None = getattr(self._service, "under", None)
        return under(fault, asked) if under else None


def changed(settings: S, changes: Mapping[str, Any]) -> S:
    """The settings with changes. Raises :class:`UsageError` for one that does not exist or cannot change any more."""
    known = {field.name for field in fields(settings)}
    for name in changes:
        if name not in known:
            raise UsageError(f"cannot change the setting {name!r}: there is none of that name")
        if name in FIXED:
            raise UsageError(f"cannot change the setting {name!r} while the stand-in runs")
    return replace(settings, **changes)


def hub_actions(state: State, listen: Listen) -> dict[tuple[str, str], Action]:
    """What can be done with Docker Hub or ECR Public."""

    def exhaust(asked: Asked) -> str:
        default = LimitKind.PULLS if state.settings.persona == "docker-hub" else LimitKind.DATA
        kind = msgspec.convert(_object(asked).get("kind", default), LimitKind)
        state.exhaust(kind)
        return kind

    def settings(asked: Asked) -> list[str]:
        changes = _typed(HubSettings, _object(asked))
        state.apply(changed(state.settings, changes))
        return sorted(changes)

    def advance(asked: Asked) -> float:
        state.offset += msgspec.convert(_object(asked).get("seconds"), float, strict=False)
        return state.offset

    return {
        **_common(state.faults, state.log, listen),
        ("GET", "counts"): lambda _: counts_shown(state),
        ("POST", "exhaust"): exhaust,
        ("POST", "refill"): lambda _: state.refill(),
        ("POST", "settings"): settings,
        ("POST", "advance"): advance,
    }


def api_actions(state: ApiState, listen: Listen) -> dict[tuple[str, str], Action]:
    """What can be done with the AWS endpoint."""

    def settings(asked: Asked) -> list[str]:
        changes = _typed(ApiSettings, _object(asked))
        state.apply(changed(state.settings, changes))
        return sorted(changes)

    return {**_common(state.faults, state.log, listen), ("POST", "settings"): settings}


def counts_shown(state: State) -> dict[str, object]:
    """The counts for a JSON answer."""
    return {"pulls": state.counts.total, "by_caller": dict(state.counts.by_caller), "by_reference": dict(state.counts.by_reference)}


class _Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    site: Site
    listening: bool
    seconds: float | None = None


def _common(faults: Faults, log: deque[Record], listen: Listen) -> dict[tuple[str, str], Action]:
    def arm(asked: Asked) -> str:
        fault = msgspec.json.decode(asked.body, type=Fault)
        faults.arm(fault)
        return fault.kind

    def listening(asked: Asked) -> str:
        wanted = msgspec.json.decode(asked.body, type=_Listen)
        if wanted.site is asked.site and not wanted.listening and wanted.seconds is None:
            raise UsageError("cannot close the port of /_demo/ itself for good: say for how many `seconds`")
        listen(wanted.site, wanted.listening, wanted.seconds)
        return wanted.site

    return {
        ("GET", "requests"): lambda _: [asdict(record) for record in list(log)[-_SHOWN:]],
        ("POST", "faults"): arm,
        ("DELETE", "faults"): lambda _: faults.clear(),
        ("POST", "listen"): listening,
    }


def _typed(settings: type[HubSettings] | type[ApiSettings], changes: Mapping[str, object]) -> dict[str, Any]:
    """The changes with the types of their settings. Raises :class:`UsageError` for what may not be changed over HTTP."""
    kinds = {name: kind for name, kind in get_type_hints(settings).items() if name not in FIXED | _SECRET}
    for name in changes:
        if name not in kinds:
            raise UsageError(f"cannot change the setting {name!r} here; those that can be are {', '.join(sorted(kinds))}")
    return {name: msgspec.convert(value, kinds[name]) for name, value in changes.items()}


def _object(asked: Asked) -> dict[str, Any]:
    return msgspec.json.decode(asked.body or b"{}", type=dict[str, Any])
