"""How long a tag is believed: by its shape, then by what the settings say (docs/contracts.md, freshness and order)."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from unhub.store.records import StoredTag

BY_TAG: Final = " by tag"
"""What ends the source of a tag that a fallback gave while the upstream said nothing: it is believed for a minute only."""

UNCONFIRMED: Final = 60.0
"""Seconds that such a tag is fresh."""


class Shape(StrEnum):
    """What a tag looks like, which says how often it moves."""

    EXACT = "exact version"
    ROLLING = "rolling version"
    MOVING = "latest and the like"


PERIODS: Final = {Shape.EXACT: 86_400.0, Shape.ROLLING: 3_600.0, Shape.MOVING: 600.0}
"""Seconds that a tag of each shape is fresh, unless the settings say otherwise."""

JITTER: Final = 0.1
"""The share by which periods differ from tag to tag, so that what was fetched together is not checked together."""

_EXACT = re.compile(r"v?\d+\.\d+\.\d+.*|(?:.*[-.])?\d{8}(?:[-.]\w*)*|[0-9a-f]{40}|sha256-[0-9a-f]{64}(?:\.\w+)?")
_ROLLING = re.compile(r"v?\d+(?:\.\d+)?(?:[-_.+].*)?")


def shape(tag: str) -> Shape:
    """What a tag looks like: ``21.7.0-alpine3.19`` and ``noble-20240429`` are exact, ``21`` and ``1.22-alpine`` roll."""
    if _EXACT.fullmatch(tag):
        return Shape.EXACT
    return Shape.ROLLING if _ROLLING.fullmatch(tag) else Shape.MOVING


class Age(StrEnum):
    """What may be done with a stored tag."""

    FRESH = "fresh"
    """Serve it."""
    STALE = "stale"
    """Serve it, and ask in the background."""
    OLD = "old"
    """Ask first, for a short time; then serve the answer, or this."""
    EXPIRED = "expired"
    """Older than may be served even when nobody answers."""


@dataclass(frozen=True, slots=True)
class FreshnessRule:
    """Tags that match a glob, of repositories that match another, are fresh for ``seconds``."""

    tags: str
    seconds: float
    repositories: str = "*"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The rules of one upstream. ``stale_while_revalidate`` ``None`` means one period more; all times are seconds."""

    rules: Sequence[FreshnessRule] = ()
    stale_while_revalidate: float | None = None
    stale_if_error: float = 30 * 86_400.0

    def period(self, repository: str, tag: str) -> float:
        """Seconds for which a tag of a repository is fresh; the first rule that matches counts."""
        for rule in self.rules:
            if fnmatch.fnmatchcase(tag, rule.tags) and fnmatch.fnmatchcase(repository, rule.repositories):
                return rule.seconds
        return PERIODS[shape(tag)]

    def fresh_until(self, tag: StoredTag) -> float:
        """When a stored tag stops being fresh (seconds since 1970); the same for every worker."""
        period = self.period(tag.repository.path, tag.name)
        if tag.source.endswith(BY_TAG):
            period = min(period, UNCONFIRMED)
        return tag.checked_at + period * (1 - JITTER * _share(f"{tag.repository}:{tag.name}@{tag.checked_at}"))

    def served_until(self, tag: StoredTag) -> float:
        """Until when it is served at once, while somebody asks in the background."""
        extra = self.stale_while_revalidate
        return self.fresh_until(tag) + (self.period(tag.repository.path, tag.name) if extra is None else extra)

    def age(self, tag: StoredTag, now: float) -> Age:
        """What may be done with a stored tag now. A clock that went back makes nothing fresh for longer than a period."""
        if tag.checked_at <= now < self.fresh_until(tag):
            return Age.FRESH
        if tag.checked_at > now or now < self.served_until(tag):
            return Age.STALE
        return Age.OLD if now < tag.checked_at + max(self.stale_if_error, self.served_until(tag) - tag.checked_at) else Age.EXPIRED


def _share(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4).digest()) / 2**32
