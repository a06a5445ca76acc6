"""What the steps of a job do, one behind the other, as far as a login matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unhub.formats._scripts import commands as foreign_commands
from unhub.formats._text import Mapped, decode
from unhub.formats._yaml.parse import Node
from unhub.image.source import Source
from unhub.setup.called import all_acts
from unhub.setup.commands import Act, Does
from unhub.setup.logins import named


@dataclass(frozen=True, slots=True)
class Event:
    """Something that step ``at`` of a job does. ``shown`` says what, for people; ``act`` is the command, where it is one."""

    does: Does
    at: int
    shown: str
    node: Node
    act: Act | None = None


def of_script(source: Source, text: Mapped, at: int, node: Node) -> Iterator[Event]:
    """The events of one shell script."""
    for act in all_acts(source, [text]):
        yield Event(act.does, at, named(act), node, act)


def of_foreign_script(text: Mapped, at: int, node: Node) -> Iterator[Event]:
    """The events of a script in a language that is not read: its docker commands are uses."""
    for span in foreign_commands(text.data):
        yield Event(Does.USE, at, " ".join(decode(text.data[span.start : span.end]).split()[:2]), node)


@dataclass(frozen=True, slots=True)
class Story:
    """The events of one job in order."""

    events: tuple[Event, ...]

    def all(self, does: Does) -> list[Event]:
        """Every event of a kind."""
        return [event for event in self.events if event.does is does]

    def first(self, does: Does) -> Event | None:
        """The first event of a kind."""
        return next(iter(self.all(does)), None)

    @property
    def is_late(self) -> bool:
        """Whether images are used before the first login."""
        use, login = self.first(Does.USE), self.first(Does.LOGIN)
        return use is not None and login is not None and login.at > use.at

    @property
    def wrong_regions(self) -> list[Event]:
        """The calls for the password that name no region with ECR Public's API."""
        return [event for event in self.all(Does.PASSWORD) if event.act is not None and not event.act.region_is_right]


def story(events: Sequence[Event]) -> Story:
    """The events of a job as a story."""
    return Story(tuple(events))
