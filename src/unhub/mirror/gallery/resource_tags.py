"""Resource tags of repositories, by the rules that AWS has for tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from unhub.data.control_plane import api_limits
from unhub.mirror.gallery.refusals import refusals_of
from unhub.store.protocols_identity import Registrations
from unhub.store.records_identity import Registration

RESERVED: Final = "aws:"
"""How the keys of AWS's own tags begin (AWS general reference, tagging)."""

_TEXT = re.compile(r"[\w\s.:/=+@-]*")


class ResourceTags:
    """Reads, adds and removes tags. ``facts`` is a user's data file."""

    def __init__(self, registrations: Registrations, facts: Path | None = None) -> None:
        self._registrations = registrations
        self._refusals = refusals_of(facts)
        self._most = api_limits(facts)["repository-tags"].most

    def read(self, given: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """The tags of a request. Raises :class:`ApiRefused`: a key that is missing, twice there or reserved, or too many."""
        tags: dict[str, str] = {}
        for tag in given:
            key, value = tag.get("Key"), tag.get("Value", "")
            wrong = _wrong(key, value, tags)
            if key is None or wrong:
                raise self._refusals.make("tag-invalid", reason=wrong)
            tags[key] = value
        if len(tags) > self._most:
            raise self._refusals.make("too-many-resource-tags", most=self._most)
        return tags

    async def of(self, repository: Registration) -> dict[str, str]:
        """The tags of a repository."""
        return await self._registrations.tags(repository.key)

    async def add(self, repository: Registration, tags: Mapping[str, str]) -> None:
        """Add or overwrite. Raises :class:`ApiRefused` where there were too many then, or the repository is gone."""
        done = await self._registrations.set_tags(repository.key, tags, most=self._most)
        if done is None:
            raise self._gone(repository)
        if not done:
            raise self._refusals.make("too-many-resource-tags", most=self._most)

    async def remove(self, repository: Registration, keys: Iterable[str]) -> None:
        """Remove those that are there.

        Raises :class:`ApiRefused` for reserved keys, for more than a repository can have, or where the repository is gone.
        """
        names = list(keys)
        if len(set(names)) > self._most:
            raise self._refusals.make("too-many-resource-tags", most=self._most)
        if any(name.lower().startswith(RESERVED) for name in names):
            raise self._refusals.make("tag-invalid", reason=_RESERVED_TEXT)
        if not await self._registrations.remove_tags(repository.key, names):
            raise self._gone(repository)

    def _gone(self, repository: Registration) -> Exception:
        return self._refusals.make("repository-not-found", name=repository.key.path, registry=repository.account)


_RESERVED_TEXT: Final = f"keys that begin with {RESERVED} are reserved"


def _wrong(key: str | None, value: str, before: Mapping[str, str]) -> str:
    if not key:
        return "a tag has no key"
    if key.lower().startswith(RESERVED):
        return _RESERVED_TEXT
    if key in before:
        return f"the key {key!r} is there twice"
    if not _TEXT.fullmatch(key) or not _TEXT.fullmatch(value):
        return "keys and values may hold letters, digits, white space and _.:/=+-@"
    return ""
