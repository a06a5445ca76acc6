"""Findings in words: what happened, why, and what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from unhub.data.symptoms import Step
from unhub.doctor.log.diagnosis import Diagnosis
from unhub.doctor.log.events import kind
from unhub.doctor.log.filling import command, sentence
from unhub.doctor.log.findings import Face, Finding
from unhub.doctor.log.masking import masked
from unhub.doctor.log.ranking import Ranked
from unhub.doctor.log.targets import Moved, Target

MIGRATE = "unhub migrate --write"
"""The step that helps only where some image has a target."""

DOCKER_HUB_LIMIT = "docker-hub-limit"
"""The kind of cause that moving images ends."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A symptom in the log: its id, what it means, the number of its first line, how often it stands there."""

    id: str
    title: str
    line: int
    count: int


@dataclass(frozen=True, slots=True)
class Explained:
    """A cause as it is told: ``signs`` innermost first, ``where`` where to act if that is known, the line as shown."""

    id: str
    title: str
    why: str
    where: str | None
    steps: tuple[Step, ...]
    images: tuple[Moved, ...]
    line: int
    text: str
    lines: tuple[int, ...]
    count: int
    signs: tuple[Sign, ...]
    follow_ups: tuple[Sign, ...]
    source: str
    confidence: str
    date: datetime.date


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """A line that looks like an error and is not known."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about a log, with no secret in it.

    ``unknown`` holds the first and the last of ``unknown_count`` lines; ``consequences`` counts the lines that only
    repeat that something failed; ``left_out`` signs of causes beyond those that are kept.
    """

    causes: tuple[Explained, ...]
    warnings: tuple[Explained, ...]
    unknown: tuple[UnknownLine, ...]
    unknown_count: int
    consequences: int
    lines: int
    left_out: int


def report(diagnosis: Diagnosis, result: Ranked, target: Target) -> Report:
    """What a diagnosis comes to, in words; ``target`` tells what becomes of an image."""
    unknown = diagnosis.unknown
    lines = unknown.lines()
    if not lines and not result.causes and unknown.first_follow_up:
        lines = [unknown.first_follow_up]  # the only trace of a failure
    return Report(
        causes=tuple(_explained(finding, follow_ups, target) for finding, follow_ups in result.causes),
        warnings=tuple(_explained(finding, (), target) for finding in result.warnings),
        unknown=tuple(UnknownLine(line.number, masked(line.text[:600])) for line in lines),
        unknown_count=max(unknown.count, len(lines)),
        consequences=unknown.follow_ups,
        lines=diagnosis.lines,
        left_out=diagnosis.left_out,
    )


def _explained(finding: Finding, follow_ups: tuple[Finding, ...], target: Target) -> Explained:
    face, symptom = finding.first, finding.first.symptom
    images = _images(finding, target)
    places = [place for place in reversed(finding.faces) if place.symptom.place and kind(place.symptom, place.case) == finding.kind]
    where = next((_why(place) for place in places if place is not face), None)
    return Explained(
        id=symptom.id,
        title=_title(face),
        why=_why(face),
        where=where,
        steps=tuple(_steps(places or [face], images)),
        images=images,
        line=finding.number,
        text=masked(finding.text),
        lines=tuple(finding.numbers),
        count=finding.count,
        signs=tuple(_sign(one) for one in finding.faces),
        follow_ups=tuple(_sign(one.first, one.count) for one in follow_ups),
        source=symptom.source,
        confidence=symptom.confidence,
        date=symptom.date,
    )


def _sign(face: Face, count: int | None = None) -> Sign:
    return Sign(face.symptom.id, _title(face), face.number, face.count if count is None else count)


def _title(face: Face) -> str:
    return sentence((face.case or face.symptom).title, face.params)


def _why(face: Face) -> str:
    return sentence((face.case or face.symptom).cause, face.params)


def _images(finding: Finding, target: Target) -> tuple[Moved, ...]:
    if finding.kind != DOCKER_HUB_LIMIT:
        return ()
    return tuple(target(mention) for mention in finding.images.values())


def _steps(faces: list[Face], images: tuple[Moved, ...]) -> Iterator[Step]:
    """The steps of where to act, each once; moving is no step where no image can move."""
    stuck = bool(images) and not any(image.target for image in images)
    seen: set[Step] = set()
    for face in faces:
        params = face.params | _first_move(images)
        for step in (face.case or face.symptom).fix:
            done = Step(do=sentence(step.do, params), run=command(step.run, params) if step.run else None)
            if done not in seen and not (stuck and step.run == MIGRATE):
                seen.add(done)
                yield done


def _first_move(images: tuple[Moved, ...]) -> dict[str, str]:
    for image in images:
        if image.target:
            return {"target": image.target}
    return {}
