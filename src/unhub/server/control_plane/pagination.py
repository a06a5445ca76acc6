"""Tokens of pages: opaque, sealed with the instance's key, and good for nothing but the next page of the same question.

A token is bound to the operation, the caller's account and every other member of the input but ``maxResults``, and holds for a
day. Whatever else is presented is refused as one: nothing tells a foreign token from a damaged one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from unhub.image.errors import RefusedError
from unhub.mirror.sealing import InstanceKey

SECONDS: Final = 86_400
DEFAULT: Final = 100
"""Results of a page where a client does not say how many (ecr-public.md, 6.3)."""

TEXT_MAX: Final = 800
"""Characters of a token that is looked into: a name of 300, sealed."""


class _Page(msgspec.Struct, array_like=True, frozen=True):
    after: str
    until: int


class PageTokens:
    """Makes and reads tokens. ``now`` is seconds since 1970."""

    def __init__(self, instance: InstanceKey, *, now: Callable[[], float]) -> None:
        self._instance = instance
        self._now = now

    def make(self, after: str, operation: str, account: str, given: Mapping[str, Any]) -> str:
        """The token of the page that begins after a name."""
        page = msgspec.json.encode(_Page(after, int(self._now()) + SECONDS))
        return base64.urlsafe_b64encode(self._instance.seal(page, _purpose(operation, account, given))).decode()

    def read(self, token: str, operation: str, account: str, given: Mapping[str, Any]) -> str | None:
        """The name after which the page begins; ``None`` for what is no token of this question, or one that has ended."""
        if len(token) > TEXT_MAX:
            return None
        try:
            sealed = base64.b64decode(token.encode("ascii"), b"-_", validate=True)
            page = msgspec.json.decode(self._instance.open(sealed, _purpose(operation, account, given)), type=_Page)
        except (ValueError, RefusedError, msgspec.MsgspecError):
            return None
        return page.after if self._now() < page.until else None


def _purpose(operation: str, account: str, given: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in given.items() if name not in ("nextToken", "maxResults")}
    question = hashlib.sha256(msgspec.json.encode(rest, order="deterministic")).hexdigest()
    return f"page {operation} {account} {question}"
