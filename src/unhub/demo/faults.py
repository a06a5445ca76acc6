"""Faults on command: what goes wrong, with which requests, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from unhub.demo.exchange import Answer, Asked
from unhub.image.errors import LimitKind

FaultKind = Literal[
    "reset", "break", "truncate", "wrong-bytes", "drip", "delay", "html", "garbage", "oversize", "status", "redirect", "headers",
    "limit", "expired-token", "realm",
]  # fmt: skip
"""What can go wrong.

``reset``: the connection is cut before any answer; ``break``: it is cut after ``bytes`` of the body, though more was promised;
``truncate``: the body ends after ``bytes``, as if that were all; ``wrong-bytes``: the length is right, the content is not;
``drip``: ``rate`` bytes a second; ``delay``: ``seconds`` before the answer; ``html``: a page in the place of JSON, with ``status`` (200);
``garbage``: JSON that is none; ``oversize``: ``bytes`` of content more than there are; ``status``: that status, ``text`` and ``headers``;
``redirect``: a redirect ``to`` elsewhere, with ``status`` (307); ``headers``: headers set, or taken away (``null``);
``limit``: one of the 429s (``limit``); ``expired-token``: a good token is said to have expired; ``realm``: a challenge whose realm
is ``to``.
"""

PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Attention Required! | Cloudflare</title></head><body>Sorry, you have been blocked</body></html>\n"
)
"""What a content network or a firewall says in the place of a registry."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. ``path``, ``method`` and ``site`` (``registry``, ``token``, ``cdn``, ``api``) are globs that a request must match.

    ``after`` requests that match pass unharmed first, then ``count`` of them suffer (``None``: until the faults are cleared).
    """

    kind: FaultKind
    path: str = "*"
    method: str = "*"
    site: str = "*"
    count: int | None = 1
    after: int = 0
    bytes: int = 0
    status: int | None = None
    seconds: float = 0.0
    rate: float = 10.0
    to: str = ""
    text: str = ""
    headers: dict[str, str | None] = {}
    limit: LimitKind = LimitKind.PULLS

    def matches(self, asked: Asked) -> bool:
        """Whether the fault is meant for a request."""
        pairs = ((asked.path, self.path), (asked.method, self.method), (asked.site, self.site))
        return all(fnmatchcase(value, glob) for value, glob in pairs)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    passing: int
    left: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer goes out: cut before it (``reset``) or after some bytes of its body, slowly, late."""

    reset: bool = False
    break_after: int | None = None
    rate: float | None = None
    delay: float = 0.0


@dataclass(slots=True)
class Faults:
    """The faults that are armed."""

    _armed: list[_Armed] = field(default_factory=list[_Armed])

    def arm(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        self._armed.append(_Armed(fault, fault.after, fault.count))

    def clear(self) -> None:
        """Let nothing more go wrong."""
        self._armed.clear()

    def __len__(self) -> int:
        return len(self._armed)

    def take(self, asked: Asked) -> tuple[Fault, ...]:
        """The faults that this request suffers; each is counted down."""
        if not self._armed:
            return ()
        return tuple(armed.fault for armed in list(self._armed) if armed.fault.matches(asked) and self._strikes(armed))

    def _strikes(self, armed: _Armed) -> bool:
        if armed.passing > 0:
            armed.passing -= 1
            return False
        if armed.left is not None:
            armed.left -= 1
            if armed.left <= 0:
                self._armed.remove(armed)
        return True


def instead(fault: Fault) -> Answer | None:
    """The answer that a fault gives in the place of the true one, for faults that need to know nothing of the service."""
    match fault.kind:
        case "html":
            return Answer(fault.status or 200, {"Content-Type": "text/html; charset=UTF-8"}, PAGE)
        case "garbage":
            return Answer(fault.status or 200, {"Content-Type": "application/json"}, b'{"token": "abc", "errors": [}{\xff')
        case "status":
            said = {name: value for name, value in fault.headers.items() if value is not None}
            return Answer(fault.status or 503, {"Content-Type": "text/plain", **said}, (fault.text or "upstream error\n").encode())
        case "redirect":
            return Answer(fault.status or 307, {"Location": fault.to})
        case _:
            return None


def spoiled(answer: Answer, fault: Fault) -> Answer:
    """The answer with what a fault does to its body and headers."""
    match fault.kind:
        case "truncate":
            return replace(answer, body=answer.body[: fault.bytes], size=None)
        case "wrong-bytes":
            return replace(answer, body=_flipped(answer.body))
        case "oversize":
            return replace(answer, body=bytes(answer.body) + b" " * fault.bytes)
        case "headers":
            return replace(answer, headers=_changed(answer.headers, fault.headers))
        case _:
            return answer


def delivery(faults: tuple[Fault, ...]) -> Delivery:
    """How the answer goes out under these faults."""
    if not faults:
        return _PLAIN
    breaks = [fault.bytes for fault in faults if fault.kind == "break"]
    drips = [fault.rate for fault in faults if fault.kind == "drip"]
    return Delivery(
        reset=any(fault.kind == "reset" for fault in faults),
        break_after=min(breaks, default=None),
        rate=min(drips, default=None),
        delay=sum(fault.seconds for fault in faults if fault.kind == "delay"),
    )


_PLAIN = Delivery()


def _flipped(body: bytes | memoryview) -> bytes:
    """The same length with the byte in the middle changed."""
    changed = bytearray(body)
    if changed:
        changed[len(changed) // 2] ^= 1
    return bytes(changed)


def _changed(headers: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    lowered = {name.lower() for name in changes}
    kept = {name: value for name, value in headers.items() if name.lower() not in lowered}
    return kept | {name: value for name, value in changes.items() if value is not None}
