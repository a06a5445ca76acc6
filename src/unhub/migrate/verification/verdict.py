"""What verification says of one reference and one target, and what it saw to say so."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from unhub.image.errors import RegistryError
from unhub.image.reference import DOCKER_HUB, Reference


class Verdict(StrEnum):
    """How a target's image compares with Docker Hub's, from the best to the least that can be said."""

    SAME = "same"
    """The same digest: the same bytes, every platform included."""
    LAGGING = "lagging"
    """Another digest than Docker Hub's now, and one that Docker Hub had not long ago."""
    SAME_PLATFORMS = "same-platforms"
    """Another index, whose images are the same ones for every platform."""
    DIFFERENT = "different"
    """Another image, as far as could be seen."""
    MISSING = "missing"
    """The target does not have it, or not all of it."""
    UNKNOWN = "unknown"
    """It could not be seen; the cause says why."""


PROVEN: Final = frozenset({Verdict.SAME, Verdict.LAGGING})
"""What moves a reference without anybody's leave."""

UNVERIFIED_DIGESTS: Final = "unverified-digests"
"""The leave to move digest-pinned references that nobody could compare."""


def verified(verdict: Verdict | None) -> str:
    """``yes``, ``no`` or ``unknown``: the word of the JSON of findings (docs/contracts.md, 4)."""
    if verdict is None or verdict is Verdict.UNKNOWN:
        return "unknown"
    return "yes" if verdict in PROVEN else "no"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a registry gave no answer to a question: the error's ``code``, its words, the registry's name."""

    code: str
    message: str
    registry: str
    status: int | None = None
    hint: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether this is an answer, too: there is no such thing."""
        return self.code == "not-found"

    @classmethod
    def of(cls, error: RegistryError, reference: Reference) -> Failure:
        """What ``error`` says about ``reference``."""
        return cls(error.code, error.message, reference.registry, error.status, error.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A verdict with everything that was seen.

    ``origin`` is the reference at Docker Hub (``None`` where the target's name stands for none), the digests are
    of the index or manifest that each side serves under the name. ``platforms`` are the target's; of them
    ``same`` are at Docker Hub under the same digest, ``other`` are not; ``only_origin`` and ``only_target`` are
    known where Docker Hub's index was read. ``oldest`` and ``newest`` are when the target's images were built,
    by their own configuration. ``cause`` is a sentence without its full stop; ``failure`` the code of the error
    behind an ``unknown``. ``seen`` is when the registries were
    asked (``None``: nobody could be), ``from_lock`` whether an earlier run did it.
    """

    origin: Reference | None
    target: Reference
    verdict: Verdict
    seen: datetime.datetime | None
    cause: str | None = None
    failure: str | None = None
    origin_digest: str | None = None
    target_digest: str | None = None
    platforms: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    only_origin: tuple[str, ...] = ()
    only_target: tuple[str, ...] = ()
    oldest: datetime.datetime | None = None
    newest: datetime.datetime | None = None
    deep: bool = False
    from_lock: bool = False

    @property
    def digest(self) -> str | None:
        """The digest that the target serves: what ``--pin`` writes."""
        return self.target_digest

    def accepted(self, accept: Collection[str]) -> bool:
        """Whether the verdict is good enough to move, ``accept`` holding what the user takes beside the proven ones."""
        if self.verdict in PROVEN or self.verdict.value in accept:
            return True
        pinned = self.origin is not None and self.origin.digest is not None
        return pinned and self.verdict is Verdict.UNKNOWN and UNVERIFIED_DIGESTS in accept


def registry_title(registry: str) -> str:
    """A registry's name for people."""
    return "Docker Hub" if registry == DOCKER_HUB else registry


def short(digest: str | None) -> str:
    """A digest as people compare it: the algorithm and the first twelve digits."""
    if digest is None:
        return "-"
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}:{encoded[:12]}"


def tagged(reference: Reference) -> Reference:
    """The reference with the tag that docker implies, so that ``node`` and ``node:latest`` are one question."""
    if reference.tag is not None or reference.digest is not None:
        return reference
    return Reference(reference.registry, reference.repository, "latest")
