"""Every dated fact that decisions rest on, of every data file, with the lines that override it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from unhub.data import control_plane, ecr_public, facts, gallery, signing, terms
from unhub.data.identities import IdentityLimit
from unhub.data.override import override_text, toml_value
from unhub.data.rows import CITATION, DATA_FILE, IN_SETTINGS, Row, converted, own_rows, shipped
from unhub.image.errors import ConfigurationError

State = Literal["shipped", "overridden", "own"]
"""Whose the fact is: of this version; the user's in the place of one of this version; the user's alone."""

IN_UNHUB_TOML: Final = "unhub.toml"
IN_DATA_FILE: Final = "the data file"


_ELSEWHERE: Final = frozenset({"iam.toml"})
"""Files whose kinds have the name of another file's, and which no data file overrides."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of knowledge.

    ``id`` is its kind and key, ``file`` where it stands, ``value`` what it says in words. ``override`` holds lines of TOML
    for ``override_in`` (the user's data file, or ``unhub.toml``); both are empty for what cannot be overridden.
    ``replaced`` is the shipped row that the user's took the place of.
    """

    id: str
    kind: str
    file: str
    value: str
    date: datetime.date
    source: str
    confidence: str
    override: str
    override_in: str
    state: State
    fields: Mapping[str, Any]
    replaced: Row | None = None

    def age(self, today: datetime.date) -> int:
        """Days since the fact was read."""
        return (today - self.date).days


def list_facts(own: Path | None = None) -> list[Fact]:
    """All facts in the order of files and rows, each of the user's where the shipped row stood, new ones at the end.

    Raises :class:`ConfigurationError` where the user's file has a row that is wrong.
    """
    mine = [_checked(row) for row in own_rows(own)] if own else []
    result: list[Fact] = []
    used: set[int] = set()
    for row in shipped():
        instead = [(number, other) for number, other in enumerate(mine) if row.key and (other.kind, other.key) == (row.kind, row.key)]
        if not instead:
            result.append(_fact(row, "shipped"))
        result += [_fact(other, "overridden", replaced=row) for number, other in instead if number not in used]
        used.update(number for number, _ in instead)
    result += [_fact(row, "own", number) for number, row in enumerate(mine) if number not in used]
    return result


def check(own: Path) -> None:
    """Raise :class:`ConfigurationError` where a user's file has a row that is wrong."""
    for row in own_rows(own):
        _checked(row)


def older_than(found: list[Fact], days: int, today: datetime.date) -> list[Fact]:
    """The facts that are older than so many days."""
    return [fact for fact in found if fact.age(today) > days]


def _fact(row: Row, state: State, number: int = 0, *, replaced: Row | None = None) -> Fact:
    about = ":".join(row.key) or f"{state}-{number + 1}"
    fields = row.fields
    override, place = _override(row)
    return Fact(
        f"{row.kind}:{about}",
        row.kind,
        row.file,
        _value(row),
        fields["date"],
        fields["source"],
        fields["confidence"],
        override,
        place,
        state,
        fields,
        replaced,
    )


def _override(row: Row) -> tuple[str, str]:
    if row.kind in IN_SETTINGS:
        field, key = IN_SETTINGS[row.kind]
        return f"[registry.{toml_value(row.fields['registry'])}]\n{key} = {toml_value(row.fields[field])}\n", IN_UNHUB_TOML
    if row.kind not in DATA_FILE or row.file in _ELSEWHERE:
        return "", ""
    body = {name: value for name, value in row.fields.items() if name not in CITATION}
    return override_text(row.kind, {**body, **{name: row.fields[name] for name in CITATION}}), IN_DATA_FILE


def _checked(row: Row) -> Row:
    """A row of the user's with everything that a fact has; rows that other parts read are checked there again."""
    for name, type_ in (("date", datetime.date), ("source", str), ("confidence", str)):
        if not isinstance(row.fields.get(name), type_) or isinstance(row.fields[name], datetime.datetime):
            about = " ".join(row.key) or "a row"
            hint = "`unhub facts NAME --format toml` prints whole rows to start from"
            raise ConfigurationError(f"cannot read {row.file}: [[{row.kind}]] {about} has no {name}", hint=hint)
    if row.kind in _TYPES:
        converted(row, _TYPES[row.kind])
    return row


_TYPES: Final = {
    **facts.KINDS,
    **terms.TYPES,
    **signing.TYPES,
    **control_plane.TYPES,
    **gallery.TYPES,
    **ecr_public.TYPES,
    "identity_limit": IdentityLimit,
}


def _value(row: Row) -> str:
    describe = _DESCRIBE.get(row.kind)
    if describe is not None:
        return describe(row.fields)
    return terms.described(row) if row.kind in terms.TYPES else _plain(row)


def _plain(row: Row) -> str:
    """What a row says in its own words, else all of its fields but the key and the citation."""
    if isinstance(row.fields.get("says"), str):
        return row.fields["says"]
    rest = {name: value for name, value in row.fields.items() if name not in CITATION and str(value) not in row.key}
    return ", ".join(f"{name}: {value if isinstance(value, str) else json.dumps(value, default=str)}" for name, value in rest.items())


def _tags(fields: Mapping[str, Any]) -> str:
    tags = fields.get("tags")
    return f"{fields['says']} ({', '.join(tags)})" if tags and tags != [facts.NO_TAG] else fields["says"]


_DESCRIBE: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": _tags,
    "mirror": lambda fields: f"names that begin so are copies of Docker Hub's: {fields['title']}",
    "official": lambda fields: f"{len(fields['images'])} official images: {', '.join(fields['images'][:3])}, …",
    "endpoint": lambda fields: f"{fields['title']} is reached at {fields['url']}",
    "realm": lambda fields: f"the login for {fields['registry']} may be given to {fields['host']}",
    "rate": lambda fields: f"at most {fields['requests_per_second']:g} a second ({fields['caller']}), counting every request",
    "actions": lambda fields: f"{fields['service']}: {', '.join(fields['names'])} ({fields['level']}, on {fields['resource']})",
    "managed": lambda fields: f"AWS's policy allows {', '.join(fields['actions'])}",
    "assumed": lambda fields: f"{fields['key']} is {fields['value']}: {fields['says']}",
    "provider": lambda fields: f"{fields['title']}: {fields['host']}, audience {fields['audience']}, subject {fields['subject']}",
    "registry_password": lambda fields: f"user name {fields['username']}; a password holds {fields['hours']} hours",
    "pause": lambda fields: f"{fields['seconds']:g} seconds without a request after a 429 that says no time",
    "symptom": lambda fields: fields["title"],
    "shared": lambda fields: f"{len(fields['names'])} domains below which anybody can have a name: {', '.join(fields['names'][:3])}, …",
}
