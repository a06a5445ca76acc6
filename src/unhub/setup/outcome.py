"""What setting up a CI comes to: for each file what changes, what was there already, and what a person has to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from unhub.image.source import Source
from unhub.migrate.edits import Edit
from unhub.setup.login_line import REGIONS


class Status(StrEnum):
    """What becomes of a file."""

    CHANGES = "changes"
    PRESENT = "present"
    """Everything that is needed is there."""
    NOT_NEEDED = "not-needed"
    """Nothing in it builds or pulls images."""
    BY_HAND = "by-hand"
    """Something is needed and unhub does not put it in; a note says why."""
    REFUSED = "refused"
    """The edited file did not stand the self-check."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something for a person to know about a file. ``kind`` is a stable word for programs; ``line`` counts from 1."""

    path: str
    line: int
    kind: str
    text: str


@dataclass(slots=True)
class FileSetup:
    """One file of a CI: its bytes, the edits (ordered, apart) and what is to be said."""

    path: str
    data: bytes
    status: Status
    notes: list[Note] = field(default_factory=list[Note])
    edits: list[Edit] = field(default_factory=list[Edit])
    after: bytes = b""
    hub_logins: int = 0
    """Logins to Docker Hub in it."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for. ``role`` is the ARN of the role that a CI outside AWS assumes, ``connection`` Azure's to AWS."""

    region: str = REGIONS[0]
    robust: bool = False
    repair: bool = False
    remove_hub_login: bool = False
    role: str | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """A CI: its name on the command line, its title, the formats its files have, which are its, and how one is set up.

    ``set_up`` raises :class:`unhub.image.errors.UnreadableError` for a file that cannot be
    read; ``names_files`` gives paths of files of this CI that a file names.
    """

    name: str
    title: str
    formats: tuple[str, ...]
    recognise: Callable[[Source], bool]
    set_up: Callable[[Source, Wishes], FileSetup]
    names_files: Callable[[Source], list[str]] = lambda source: []
