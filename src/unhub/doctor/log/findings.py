"""What a log comes to: each cause once, however often it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from unhub.data.symptoms import Case, Symptom
from unhub.doctor.log.events import ABOUT_IMAGES, Event, family, kind
from unhub.doctor.log.images import Mention

NUMBERS_MAX: Final = 20
IMAGES_MAX: Final = 100
FINDINGS_MAX: Final = 200
"""Line numbers and images of one finding, and findings, that are kept; more are only counted."""

EXCERPT: Final = 600
"""Characters of a long line that are shown."""


@dataclass(slots=True)
class Face:
    """A symptom of a finding: where it first stood, the case that held there, and the values for its texts."""

    symptom: Symptom
    case: Case | None
    number: int
    params: dict[str, str]
    count: int = 1


@dataclass(slots=True)
class Finding:
    """One cause: its faces, innermost first; the first line that shows it; how many do; and the images it hit."""

    family: str
    kind: str
    number: int
    text: str
    faces: list[Face] = field(default_factory=list["Face"])
    count: int = 0
    numbers: list[int] = field(default_factory=list[int])
    images: dict[str, Mention] = field(default_factory=dict[str, Mention])

    @property
    def first(self) -> Face:
        """The face that tells the cause."""
        return self.faces[0]

    def add(self, event: Event) -> None:
        """Take in one more line."""
        self.count += 1
        if len(self.numbers) < NUMBERS_MAX and event.line.number not in self.numbers:
            self.numbers.append(event.line.number)
        for match in event.matches:
            self._face(Face(match.symptom, event.case(match), event.line.number, event.params(match)))
        for mention in event.images():
            self._image(mention, event)

    def _face(self, face: Face) -> None:
        for known in self.faces:
            if known.symptom is face.symptom:
                known.count += 1
                return
        self.faces.append(face)
        self.faces.sort(key=lambda one: (-one.symptom.depth, one.symptom.number))

    def _image(self, mention: Mention, event: Event) -> None:
        outer = next((match.symptom.label for match in reversed(event.matches) if match.symptom.label), None)
        mention = Mention(mention.reference, outer or mention.label)
        known = self.images.get(mention.key)
        if known is None and len(self.images) < IMAGES_MAX:
            self.images[mention.key] = mention
        elif known and known.label is None:
            self.images[mention.key] = Mention(known.reference, mention.label)


def excerpt(event: Event) -> str:
    """The line that shows a cause, cut around the symptom where it is long."""
    text, start = event.line.text, max(event.first.start - EXCERPT // 3, 0)
    if len(text) <= EXCERPT:
        return text
    end = start + EXCERPT
    return ("… " if start else "") + text[start:end] + (" …" if end < len(text) else "")


class Findings:
    """The findings of a log, by what they are about."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], Finding] = {}
        self.left_out = 0

    def add(self, event: Event) -> None:
        """Put an event to the cause it is another sign of, or make that cause known."""
        symptom = event.first.symptom
        case = event.case(event.first)
        about = event.params(event.first).get("reference", "") if kind(symptom, case) in ABOUT_IMAGES else ""
        key = (family(symptom, case), about)
        if key not in self._by_key:
            if len(self._by_key) >= FINDINGS_MAX:
                self.left_out += 1
                return
            self._by_key[key] = Finding(key[0], kind(symptom, case), event.line.number, excerpt(event))
        self._by_key[key].add(event)

    def all(self) -> Iterable[Finding]:
        """Every finding, by its first line."""
        return sorted(self._by_key.values(), key=lambda finding: (finding.number, finding.first.symptom.number))
