"""The one loader of dated knowledge: TOML beside this file, and a user's file over it."""

from __future__ import annotations

import datetime
import fnmatch
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

from unhub.image.errors import ConfigurationError

T = TypeVar("T")


class Dated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fact: when it was so, who says it, and how sure that is.

    ``confidence`` is ``source`` (read in the cited page), ``issue report`` or ``unverified``.
    """

    date: datetime.date
    source: str
    confidence: str

    def cite(self) -> str:
        """The date, source and confidence in one bracket, for a message that rests on the fact."""
        return f"(as of {self.date.isoformat()}, {self.confidence}: {self.source})"


class Mirror(Dated, frozen=True, kw_only=True):
    """A name prefix under which Docker Hub's images are served."""

    prefix: str
    title: str


class Lookalike(Dated, frozen=True, kw_only=True):
    """A name prefix that parses as Docker Hub's and is something else."""

    prefix: str
    says: str


class Missing(Dated, frozen=True, kw_only=True):
    """Repositories (glob on Docker Hub's path) and tags (globs) that a target is known not to carry."""

    target: str
    repository: str
    says: str
    tags: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()

    def matches(self, repository: str, tag: str | None) -> bool:
        """Whether a repository and tag are among the missing."""
        if not fnmatch.fnmatchcase(repository, self.repository):
            return False
        return not self.tags or any(fnmatch.fnmatchcase(tag or "latest", glob) for glob in self.tags)


class RenovateRule(Dated, frozen=True, kw_only=True):
    """What Renovate does for some official images by their short names, and would no longer do for the new names.

    ``images`` are paths below ``library/``, ``settings`` the rest of a package rule.
    """

    images: tuple[str, ...]
    says: str
    settings: dict[str, str]


class OfficialImages(Dated, frozen=True, kw_only=True):
    """Names of official images: single components below ``library/``."""

    images: tuple[str, ...]


class Knowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is known, by kind."""

    mirror: tuple[Mirror, ...] = ()
    lookalike: tuple[Lookalike, ...] = ()
    missing: tuple[Missing, ...] = ()
    renovate: tuple[RenovateRule, ...] = ()
    official: tuple[OfficialImages, ...] = ()


_FILES = ("registries.toml", "coverage.toml", "renovate.toml", "official.toml")


@cache
def builtin() -> Knowledge:
    """The knowledge shipped with this version."""
    merged: dict[str, list[object]] = {}
    for name in _FILES:
        for key, rows in tomllib.loads((files("unhub.data") / name).read_text("utf-8")).items():
            merged.setdefault(key, []).extend(rows)
    return msgspec.convert(merged, Knowledge)


@cache
def official_images() -> frozenset[str]:
    """The names of official images that this version knows."""
    return frozenset(name for row in builtin().official for name in row.images)


def overridden(path: Path) -> Knowledge:
    """The shipped knowledge with a user's rows before it: of two rows about one thing the user's counts.

    A ``missing`` row takes the place of every shipped row about its target and repository; one
    whose ``tags`` match nothing (``["!"]``) says that the target carries them all.
    Raises :class:`ConfigurationError` where the file cannot be read.
    """
    try:
        own = msgspec.toml.decode(path.read_bytes(), type=Knowledge)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"cannot read the data file {path}: {error}") from None
    shipped = builtin()
    replaced = {(row.target, row.repository) for row in own.missing}
    return Knowledge(
        mirror=own.mirror + shipped.mirror,
        lookalike=own.lookalike + shipped.lookalike,
        missing=own.missing + tuple(row for row in shipped.missing if (row.target, row.repository) not in replaced),
        renovate=own.renovate or shipped.renovate,
        official=own.official + shipped.official,
    )
