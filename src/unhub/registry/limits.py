"""Limits that registries tell of: what is left of a pull limit, how long to wait, and which limit a 429 speaks of."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from unhub.image.errors import LimitKind
from unhub.registry.answers import Budget
from unhub.registry.exchange import Answer

WAIT_MAX: Final = 7 * 24 * 3600.0
"""Seconds; a longer ``Retry-After`` is taken for this."""

_QUOTA = re.compile(r"\s*(-?\d{1,12})\s*(?:;\s*w\s*=\s*(\d{1,9}))?", re.IGNORECASE)
_SOURCE = re.compile(r"[\x21-\x7e]{1,100}")
_SECONDS = re.compile(r"\d{1,9}")

_TEXTS: Final = (
    (re.compile(r"you have reached your (?:unauthenticated )?pull rate limit", re.IGNORECASE), LimitKind.PULLS),
    (re.compile(r"too many failed login attempts", re.IGNORECASE), LimitKind.LOGINS),
    (re.compile(r"data limit exceeded", re.IGNORECASE), LimitKind.DATA),
)


def budget(answer: Answer) -> Budget | None:
    """What Docker Hub's ``ratelimit-*`` headers say; ``None`` where none of them can be read (docker-hub.md, 4)."""
    limit, window = _quota(answer.header("ratelimit-limit"))
    remaining, other_window = _quota(answer.header("ratelimit-remaining"))
    if limit is None and remaining is None:
        return None
    source = answer.header("docker-ratelimit-source")
    source = source if source and _SOURCE.fullmatch(source) else None
    return Budget(limit, remaining, window if window is not None else other_window, source)


def _quota(value: str | None) -> tuple[int | None, int | None]:
    """Read ``100;w=21600``: how many, in how many seconds."""
    match = _QUOTA.match(value) if value else None
    if match is None:
        return None, None
    return int(match[1]), int(match[2]) if match[2] else None


def retry_after(answer: Answer, wall: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait by ``Retry-After`` (a number or a date, RFC 9110 section 10.2.3); ``None`` where it says nothing.

    A date is compared with the answer's own ``Date``, so that a wrong clock here does not matter.
    """
    value = (answer.header("retry-after") or "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), WAIT_MAX)
    at = _moment(value)
    if at is None:
        return None
    now = _moment(answer.header("date"))
    return min(max(at - (wall() if now is None else now), 0.0), WAIT_MAX)


def _moment(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError, OSError):
        return None


def limit_kind(answer: Answer) -> LimitKind:
    """Which limit a 429 speaks of: by its body, and for one without (HEAD) by its other headers.

    Docker Hub has four (docker-hub.md, 5), ECR Public two (ecr-public.md, 2.5). Docker Hub's limit of all requests is
    plain text with ``Retry-After``, its limit of pulls JSON, with or without ``ratelimit-remaining``.
    """
    text = answer.body.decode("utf-8", "replace")
    for pattern, kind in _TEXTS:
        if pattern.search(text):
            return kind
    if re.search(r"rate (?:limit )?exceeded", text, re.IGNORECASE):
        return LimitKind.API if _has_detail(answer.body) else LimitKind.RATE
    if re.match(r"\s*too many requests", text, re.IGNORECASE) or "HAP429" in text:
        return LimitKind.ABUSE
    return LimitKind.OTHER if text.strip() else _by_headers(answer)


def _by_headers(answer: Answer) -> LimitKind:
    said = budget(answer)
    if said is not None and said.remaining is not None and said.remaining <= 0:
        return LimitKind.PULLS
    if answer.media_type == "text/plain" and answer.header("retry-after") is not None:
        return LimitKind.ABUSE
    return LimitKind.OTHER


class _Detail(msgspec.Struct, frozen=True):
    detail: str


def _has_detail(body: bytes) -> bool:
    """Whether this is the form of hub.docker.com's own API: ``{"detail": "Rate limit exceeded"}``."""
    try:
        msgspec.json.decode(body, type=_Detail)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True
