"""What is written and said for one client."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

from unhub.setup.clients.mirror import Mirror


@dataclass(frozen=True, slots=True)
class ClientFile:
    """A file of a client's settings; ``path`` is absolute on the client's machine, or relative to a repository.

    A ``part`` belongs into a file that is there already and is only shown. ``merge`` makes the new content out of the
    one that is there, and raises :class:`unhub.image.errors.RefusedError` where it cannot; without it, a file with other
    content is left alone.
    """

    path: str
    text: str
    part: bool = False
    executable: bool = False
    merge: Callable[[str], str] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a client does, who says it, and when that was read."""

    says: str
    source: str
    date: datetime.date


@dataclass(frozen=True, slots=True)
class Tried:
    """The proof: the client's version, and the file of the test that runs it; ``None`` where no real client was at hand.

    ``how`` says what was tried of it, or what would have to be.
    """

    how: str
    version: str | None = None
    test: str | None = None

    def __str__(self) -> str:
        return f"tried with {self.version}: {self.how}" if self.version else f"untried: {self.how}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What a client does when the mirror does not answer. ``falls_back`` is whether it then asks Docker Hub itself.

    ``limited`` is what it does when the mirror answers 429; ``prevent`` says how to forbid that it goes past the mirror.
    """

    falls_back: bool
    says: str
    limited: str
    tried: bool
    source: str
    prevent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Everything for one client and one mirror: files, what to restart, commands that check it, and what else to know."""

    files: tuple[ClientFile, ...]
    restart: str
    check: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A kind of client. ``elsewhere``: it runs in a container or on another machine, where a loopback address means itself."""

    name: str
    title: str
    settings: Callable[[Mirror], ClientSettings]
    tried: Tried
    gone: Gone
    facts: tuple[Fact, ...]
    elsewhere: bool = False

    def warnings(self, mirror: Mirror) -> tuple[str, ...]:
        """What is likely wrong with this mirror for this client."""
        found: list[str] = []
        if self.elsewhere and mirror.local:
            found.append(
                f"{mirror.address} means the client's own machine or container: give the address by which it reaches the mirror (--server)"
            )
        if mirror.plain and not mirror.local:
            found.append(f"{mirror.url} is not encrypted: whoever is between can change what a tag means; `unhub certificate` helps")
        return tuple(found)


def indented(text: str, columns: int) -> str:
    """Every line that is not empty, moved to the right."""
    return textwrap.indent(text, " " * columns)


def ca_file(path: str, mirror: Mirror) -> tuple[ClientFile, ...]:
    """The file of the authority's certificate, or none."""
    return (ClientFile(path, mirror.ca),) if mirror.ca else ()


def direct_names(mirror: Mirror) -> str:
    """How images of the other registries are named where a client cannot be told to ask the mirror for them."""
    return f"images of {', '.join(mirror.others)} are pulled through by name: {mirror.address}/{mirror.others[0]}/NAME:TAG"
