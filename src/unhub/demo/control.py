"""``/_demo/`` on the registry's port: what the handle does in tests, over HTTP for everybody else. Needs the control token."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any, get_type_hints

import msgspec

from unhub.demo.exchange import Answer, Asked, Service, Site, json_answer
from unhub.demo.faults import Fault
from unhub.demo.settings import FIXED, HubSettings
from unhub.demo.state import State
from unhub.image.errors import LimitKind, UsageError

PREFIX = "/_demo/"
CHANGEABLE = frozenset(field.name for field in fields(HubSettings)) - FIXED - {"control_token", "accounts"}
"""Settings that may be changed over HTTP."""

_SHOWN = 1000
"""Requests that one answer lists at most, the newest."""


def changed(settings: HubSettings, changes: dict[str, Any]) -> HubSettings:
    """The settings with changes. Raises :class:`UsageError` for one that does not exist or cannot change any more."""
    known = {field.name for field in fields(HubSettings)}
    for name in changes:
        if name not in known:
            raise UsageError(f"cannot change the setting {name!r}: there is none of that name")
        if name in FIXED:
            raise UsageError(f"cannot change the setting {name!r} while the stand-in runs")
    return replace(settings, **changes)


class Control:
    """The registry with ``/_demo/`` before it. ``listen`` opens or closes the port of a site."""

    def __init__(self, state: State, registry: Service, listen: Callable[[Site, bool, float | None], None]) -> None:
        self._state, self._registry, self._listen = state, registry, listen
        self._actions: dict[tuple[str, str], Callable[[Asked], object]] = {
            ("GET", "counts"): lambda _: counts_shown(state),
            ("GET", "requests"): lambda _: [asdict(record) for record in list(state.log)[-_SHOWN:]],
            ("POST", "faults"): self._arm,
            ("DELETE", "faults"): lambda _: state.faults.clear(),
            ("POST", "exhaust"): self._exhaust,
            ("POST", "refill"): lambda _: state.refill(),
            ("POST", "settings"): self._set,
            ("POST", "advance"): self._advance,
            ("POST", "listen"): self._listening,
        }

    def answer(self, asked: Asked) -> Answer:
        """Do what a path below ``/_demo/`` means; everything else is the registry's."""
        if not asked.path.startswith(PREFIX) or self._state.settings.control_token is None:
            return self._registry.answer(asked)
        scheme, token = asked.authorization
        if scheme != "bearer" or not hmac.compare_digest(token.encode("utf-8", "replace"), self._state.settings.control_token.encode()):
            return json_answer(401, {"error": "this needs the control token: Authorization: Bearer TOKEN"})
        action = self._actions.get((asked.method, asked.path.removeprefix(PREFIX)))
        if action is None:
            known = sorted(f"{method} {PREFIX}{name}" for method, name in self._actions)
            return json_answer(404, {"error": "there is nothing here", "known": known})
        try:
            return json_answer(200, {"schema": 1, "done": action(asked)})
        except (UsageError, msgspec.MsgspecError, TypeError, ValueError) as error:
            return json_answer(400, {"error": str(error)})

    def under(self, fault: Fault, asked: Asked) -> Answer | None:
        """The registry's own answer under a fault; ``/_demo/`` itself never fails."""
        under: Callable[[Fault, Asked], Answer | None] | None = getattr(self._registry, "under", None)
        return under(fault, asked) if under else None

    def _arm(self, asked: Asked) -> str:
        fault = msgspec.json.decode(asked.body, type=Fault)
        self._state.faults.arm(fault)
        return fault.kind

    def _exhaust(self, asked: Asked) -> str:
        default = LimitKind.PULLS if self._state.settings.persona == "docker-hub" else LimitKind.DATA
        kind = msgspec.convert(_object(asked).get("kind", default), LimitKind)
        self._state.exhaust(kind)
        return kind

    def _set(self, asked: Asked) -> list[str]:
        changes = _object(asked)
        for name in changes:
            if name not in CHANGEABLE:
                raise UsageError(f"cannot change the setting {name!r} here; those that can be are {', '.join(sorted(CHANGEABLE))}")
        typed = msgspec.convert(changes, _CHANGES)
        self._state.apply(changed(self._state.settings, {name: getattr(typed, name) for name in changes}))
        return sorted(changes)

    def _advance(self, asked: Asked) -> float:
        self._state.offset += msgspec.convert(_object(asked).get("seconds"), float, strict=False)
        return self._state.offset

    def _listening(self, asked: Asked) -> str:
        wanted = msgspec.json.decode(asked.body, type=_Listen)
        if wanted.site is Site.REGISTRY and not wanted.listening and wanted.seconds is None:
            raise UsageError("cannot close the registry's own port for ever: say for how many `seconds`")
        self._listen(wanted.site, wanted.listening, wanted.seconds)
        return wanted.site


class _Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    site: Site
    listening: bool
    seconds: float | None = None


_CHANGES = msgspec.defstruct("Changes", [(name, kind, None) for name, kind in get_type_hints(HubSettings).items() if name in CHANGEABLE])


def counts_shown(state: State) -> dict[str, object]:
    """The counts for a JSON answer."""
    return {"pulls": state.counts.total, "by_caller": dict(state.counts.by_caller), "by_reference": dict(state.counts.by_reference)}


def _object(asked: Asked) -> dict[str, Any]:
    return msgspec.json.decode(asked.body or b"{}", type=dict[str, Any])
