"""The one loader of dated knowledge: TOML beside this file, and a user's file over it."""

from __future__ import annotations

import datetime
import fnmatch
from functools import cache
from pathlib import Path

import msgspec

from unhub.data.override import override_text
from unhub.data.rows import CITATION, Row, converted, merged, own_rows


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

    ``images`` are paths below ``library/``, ``settings`` the rest of a package rule. A user's rule with the ``id``
    of a shipped one takes its place.
    """

    id: str = ""
    images: tuple[str, ...]
    says: str
    settings: dict[str, str]


class OfficialImages(Dated, frozen=True, kw_only=True):
    """Names of official images: single components below ``library/``. A user's row with the ``id`` takes the place."""

    id: str = ""
    images: tuple[str, ...]


class Knowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is known, by kind."""

    mirror: tuple[Mirror, ...] = ()
    lookalike: tuple[Lookalike, ...] = ()
    missing: tuple[Missing, ...] = ()
    renovate: tuple[RenovateRule, ...] = ()
    official: tuple[OfficialImages, ...] = ()


KINDS: dict[str, type[Dated]] = {field.name: field.type.__args__[0] for field in msgspec.structs.fields(Knowledge)}
"""The kinds of rows that are known here, by the names of their arrays."""

_FILES = ("registries.toml", "coverage.toml", "renovate.toml", "official.toml")
NO_TAG = "!"
"""A glob that no tag matches: a ``missing`` row with it alone says that nothing is missing."""


@cache
def builtin() -> Knowledge:
    """The knowledge shipped with this version."""
    return _knowledge(())


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
    return _knowledge(own_rows(path))


def override_lines(row: Dated, *, date: datetime.date, source: str, confidence: str = "source", carried_tag: str | None = None) -> str:
    """The lines of TOML that, in the user's data file (``[data] file``), take the place of a shipped fact.

    ``date``, ``source`` and ``confidence`` are those of the new knowledge. A ``missing`` row becomes one that says that
    the target carries ``carried_tag``, and what else the row's globs for tags take in with it; without a tag, everything.
    What another row says is to be edited by hand.
    """
    kind = next(name for name, type_ in KINDS.items() if isinstance(row, type_))
    fields = {name: value for name, value in msgspec.structs.asdict(row).items() if value not in ((), "", None)}
    if isinstance(row, Missing):
        still = [glob for glob in row.tags if carried_tag is not None and not fnmatch.fnmatchcase(carried_tag, glob)]
        fields |= {"tags": still or [NO_TAG]}
        if not still:
            fields.pop("alternatives", None)
            fields["says"] = f"{row.target} carries it"
    for name in CITATION:
        fields.pop(name)
    return override_text(kind, {**fields, "date": date, "source": source, "confidence": confidence})


def _knowledge(own: tuple[Row, ...]) -> Knowledge:
    found: dict[str, list[Dated]] = {kind: [] for kind in KINDS}
    for row in merged(own, _FILES):
        if row.kind in found:
            found[row.kind].append(converted(row, KINDS[row.kind]))
    return msgspec.convert({kind: tuple(rows) for kind, rows in found.items()}, Knowledge)
