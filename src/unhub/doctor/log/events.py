"""One line that shows symptoms, together with what the lines around it tell about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from unhub.data.symptoms import Case, Place, Symptom, loose
from unhub.doctor.log.cleaning import Line
from unhub.doctor.log.images import Mention, addresses, mentions, place_of
from unhub.doctor.log.matching import Match
from unhub.doctor.log.suggesting import derived
from unhub.doctor.log.surroundings import Seen

NEIGHBOURS: Final = 20
"""Lines before, beside those of the same build step, that may tell what a line means."""

FOLLOWING: Final = 12
"""Lines behind that may tell it, too: BuildKit shows the FROM only after the error."""

BESIDE: Final = 3
"""Lines behind one without a known build step that are taken for the same step."""

ABOUT_IMAGES: Final = frozenset({"reference", "platform"})
"""Kinds of symptoms that are about one image, each image a cause of its own."""

OF_BUILDERS: Final = frozenset({"docker.io/docker/dockerfile", "docker.io/moby/buildkit"})
"""Images that a builder pulls for itself: no FROM names them."""


@dataclass(slots=True)
class Event:
    """A line with its symptoms, the innermost first; ``before`` is nearest first, ``behind`` still grows."""

    line: Line
    matches: list[Match]
    before: tuple[Seen, ...]
    behind: list[Seen] = field(default_factory=list["Seen"])

    @property
    def first(self) -> Match:
        """The innermost symptom: the cause, of which the others are wrappers."""
        return self.matches[0]

    def is_open(self) -> bool:
        """Whether more lines behind may still tell something."""
        return len(self.behind) < FOLLOWING

    def place(self) -> Place | None:
        """The registry that is meant: of the line, else of the nearest line that names one."""
        own = mentions(self.line.text)
        return place_of(self.line.text, own) or next((seen.place for seen in self._around() if seen.place), None)

    def images(self) -> list[Mention]:
        """The image of Docker Hub that is meant: of the line, else of the nearest line that names one."""
        if not all(match.symptom.image for match in self.matches):
            return []
        for named in (mentions(self.line.text), *(seen.images for seen in self._around())):
            at_hub = [mention for mention in named if mention.reference.is_docker_hub and mention.reference.name not in OF_BUILDERS]
            if at_hub:
                return [self._best(at_hub)]
        return []

    def _best(self, named: list[Mention]) -> Mention:
        """Of several names of one image the one with a tag; the label is taken over where only another has it."""
        best = next((mention for mention in named if mention.reference.digest is None), named[0])
        if best.reference.digest is not None and (tagged := self._tagged(best)):
            best = tagged
        label = best.label or next((mention.label for mention in named if mention.label), None)
        return Mention(best.reference, label)

    def _tagged(self, wanted: Mention) -> Mention | None:
        """The same repository with a tag, in the lines before: manifests of platforms are asked for by digest."""
        around = (mention for seen in self._around() for mention in seen.images)
        same = (mention for mention in around if mention.reference.name == wanted.reference.name)
        return next((mention for mention in same if mention.reference.digest is None), None)

    def params(self, match: Match) -> dict[str, str]:
        """Everything that is known for the texts of a symptom: its own captures, hosts nearby, and what follows from both."""
        known = {**self._addresses(), **match.params}
        if "reference" not in known and (named := self._named(match)):
            known["reference"] = named.reference.familiar()
        return {**known, **derived(known)}

    def _named(self, match: Match) -> Mention | None:
        """The image of the line; for a symptom about images else the nearest one at the same registry."""
        own = mentions(self.line.text)
        if own or match.symptom.kind not in ABOUT_IMAGES:
            return own[0] if own else None
        place = self.place()
        around = (mention for seen in self._around() if seen.place == place for mention in seen.images)
        return next(around, None)

    def _addresses(self) -> dict[str, str]:
        for text in (self.line.text, *(seen.text for seen in self._around())):
            if found := addresses(text):
                return found
        return {}

    def case(self, match: Match) -> Case | None:
        """The first case of a symptom that holds here."""
        return next((case for case in match.symptom.case if self._holds(case, match)), None)

    def _holds(self, case: Case, match: Match) -> bool:
        if case.here and not loose(case.here).search(shown_part(self.line.text, match)):
            return False
        if case.near and not self._is_near(case.near):
            return False
        if case.registry and case.registry != self.place():
            return False
        return not case.param or case.param in self.params(match)

    def _is_near(self, pattern: str) -> bool:
        return any(loose(pattern).search(text) for text in (self.line.text[:4_000], *(seen.text for seen in self._around())))

    def is_failure(self, match: Match) -> bool:
        """Whether a symptom is one: a line that is harmless alone needs another beside it, in its own build step."""
        if match.symptom.together is None:
            return True
        pattern = loose(match.symptom.together)
        return any(pattern.search(text) for text in (self.line.text[:4_000], *self._same_step()))

    def _same_step(self) -> Iterator[str]:
        """The lines of the same build step; where none is known, the next few."""
        if self.line.step:
            yield from (seen.text for seen in self._around() if seen.step == self.line.step)
        else:
            yield from (seen.text for seen in self.behind[:BESIDE])

    def _around(self) -> Iterator[Seen]:
        yield from self.before
        yield from self.behind


def shown_part(text: str, match: Match) -> str:
    """The piece of a line around a symptom, short enough for any pattern."""
    return text[max(match.start - 1_000, 0) : match.start + 3_000]


def innermost_first(matches: list[Match]) -> list[Match]:
    """The symptoms of a line by how deep they lie, then by their numbers."""
    return sorted(matches, key=lambda match: (-match.symptom.depth, match.symptom.number))


def family(symptom: Symptom, case: Case | None) -> str:
    """The cause that a symptom is a face of."""
    return (case and case.family) or symptom.family or symptom.id


def kind(symptom: Symptom, case: Case | None) -> str:
    """The part of the way that a symptom belongs to."""
    return (case and case.kind) or symptom.kind
