"""What ``unhub verify`` is about: the distinct references of a tree or of the command line, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from unhub.image.found import Class, Found
from unhub.image.reference import Reference
from unhub.migrate.item import Item
from unhub.migrate.mapping import Mapper, is_known
from unhub.migrate.verification.question import Question
from unhub.migrate.verification.verdict import Evidence, Verdict, tagged
from unhub.migrate.verification.verifier import Verifier

_NOT_ABOUT = frozenset(
    {Class.IGNORED, Class.BUILD_OUTPUT, Class.STAGE, Class.INVALID, Class.SHORT_NAME, Class.UNREADABLE},
)
"""Classes of what is not pulled, not meant to move, or not known to be Docker Hub's."""


@dataclass(slots=True)
class Subject:
    """One distinct reference: the question about it, or what is known of it without asking; and where it stands in the tree.

    ``name`` is what people call it: as docker shows it, or, with unknown parts, as it is written.
    """

    name: str
    question: Question | None = None
    given: Evidence | None = None
    items: list[Item] = field(default_factory=list[Item])


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a subject: the evidence that counts, what was seen of targets before it, what may be meant instead."""

    subject: Subject
    evidence: Evidence
    passed: tuple[Evidence, ...]
    accepted: bool
    suggestion: Reference | None


def subjects_of_tree(items: Iterable[Item], mapper: Mapper) -> tuple[list[Subject], Counter[str]]:
    """The subjects of a plan's items in their order, and how many references of which class are none."""
    subjects: dict[object, Subject] = {}
    left_out: Counter[str] = Counter()
    for item in items:
        subject = _of_item(item, mapper)
        if subject is None:
            left_out[item.decision.class_.value] += 1
            continue
        key = subject.question.distinct if subject.question else subject.name
        subjects.setdefault(key, subject).items.append(item)
    return list(subjects.values()), left_out


def _of_item(item: Item, mapper: Mapper) -> Subject | None:
    found, class_ = item.finding, item.decision.class_
    if not isinstance(found, Found) or class_ in _NOT_ABOUT:
        return None
    if class_ is Class.NO_TARGET and item.decision.question is None and item.decision.evidence is None:
        return None
    if not is_known(found):
        return _unknown(found, item, mapper)
    if class_ is Class.NOT_DOCKER_HUB:
        return _near_miss(found.reference, mapper)
    return _about(found.reference, mapper, item.path)


def _unknown(found: Found, item: Item, mapper: Mapper) -> Subject | None:
    target = item.decision.target
    if target is None:
        return None
    cause = f"{found.note or 'a part of it is not known here'}, so nobody can be asked"
    origin = mapper.hub_name(found.reference)
    given = Evidence(origin=origin, target=target, verdict=Verdict.UNKNOWN, seen=None, cause=cause, failure="variable")
    return Subject(found.text, given=given)


def subject_of_reference(reference: Reference, mapper: Mapper) -> Subject:
    """The subject of a reference that the user named, whatever it is."""
    subject = _about(reference, mapper, "")
    if subject is not None:
        return subject
    origin = mapper.hub_name(reference)
    if origin is None:
        cause = f"is at {reference.registry}, and is not known to be a copy of anything at Docker Hub"
        given = Evidence(origin=None, target=tagged(reference), verdict=Verdict.UNKNOWN, seen=None, cause=cause, failure="variable")
        return Subject(reference.familiar(), given=given)
    cause = "; ".join(choice.obstacle or "" for choice in mapper.choices(origin, ""))
    given = Evidence(origin=origin, target=tagged(origin), verdict=Verdict.MISSING, seen=None, cause=cause, failure="variable")
    return Subject(reference.familiar(), given=given)


def _about(reference: Reference, mapper: Mapper, path: str) -> Subject | None:
    name = tagged(reference).familiar()
    origin = mapper.origin.origin_of(reference)
    if origin is not None:
        targets = tuple(choice.target for choice in mapper.choices(origin, path) if choice.target is not None)
        return Subject(name, Question(origin, targets)) if targets else None
    origin = mapper.hub_name(reference)
    if origin is not None:
        return Subject(name, Question(origin, (reference,)))
    return _near_miss(reference, mapper)


def _near_miss(reference: Reference, mapper: Mapper) -> Subject | None:
    """A name that is nearly an official image's at a mirror: asked there, since it may exist all the same."""
    near = mapper.suggestions.near_miss(reference)
    return None if near is None else Subject(tagged(reference).familiar(), Question(None, (reference,)))


def results(subjects: Sequence[Subject], verifier: Verifier, mapper: Mapper) -> list[Result]:
    """What became of each subject once its question was asked."""
    return [_result(subject, verifier, mapper) for subject in subjects]


def _result(subject: Subject, verifier: Verifier, mapper: Mapper) -> Result:
    accept = verifier.options.accept
    seen = [subject.given] if subject.given else _seen(subject.question, verifier)
    chosen = next((evidence for evidence in seen if evidence.accepted(accept)), seen[0])
    passed = tuple(evidence for evidence in seen if evidence is not chosen)
    suggestion = None
    if chosen.verdict in (Verdict.MISSING, Verdict.UNKNOWN) and chosen.failure != "variable":
        suggestions = mapper.suggestions
        suggestion = suggestions.suggest(chosen.origin) if chosen.origin else suggestions.suggest(chosen.target)
    return Result(subject, chosen, passed, chosen.accepted(accept), suggestion)


def _seen(question: Question | None, verifier: Verifier) -> list[Evidence]:
    if question is None:
        return []
    found = (verifier.evidence(question.origin, target) for target in question.targets)
    return [replace(evidence) for evidence in found if evidence is not None]
