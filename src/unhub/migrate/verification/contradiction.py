"""Facts that verification proved wrong: a target serves what it was reported not to carry."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from unhub.data.facts import Knowledge, Missing, override_lines
from unhub.migrate.targets import Place
from unhub.migrate.verification.verdict import Evidence, registry_title, short


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A fact, and the evidence against it; ``override`` are the lines for the user's file of facts (``[data] file``)."""

    fact: Missing
    evidence: Evidence
    override: str

    @property
    def message(self) -> str:
        """What is wrong, in one sentence without its full stop."""
        fact, evidence = self.fact, self.evidence
        served = f"{registry_title(evidence.target.registry)} serves {evidence.target} ({short(evidence.target_digest)})"
        when = f" on {evidence.seen:%Y-%m-%d}" if evidence.seen else ""
        return f'fact contradicted: "{fact.says}" {fact.cite()}, but {served}{when}'


def contradictions(evidences: Iterable[Evidence], places: Iterable[Place], knowledge: Knowledge) -> list[Contradiction]:
    """Every fact about what a target does not carry that the evidence contradicts, once, in the order of the evidence."""
    by_spec = {place.spec: place for place in places}
    found: dict[int, Contradiction] = {}
    for evidence in evidences:
        origin = evidence.origin
        if origin is None or evidence.target_digest is None or evidence.seen is None or origin.tag is None:
            continue
        for row in knowledge.missing:
            place = by_spec.get(row.target)
            at_place = place is not None and (name := place.name_of(origin)) is not None and name.name == evidence.target.name
            if at_place and row.matches(origin.repository, origin.tag):
                found.setdefault(id(row), Contradiction(row, evidence, _override(row, evidence, origin.tag, evidence.seen.date())))
    return list(found.values())


def _override(row: Missing, evidence: Evidence, tag: str, date: datetime.date) -> str:
    source = f"unhub verify: {evidence.target} answered with {evidence.target_digest}"
    return override_lines(row, date=date, source=source, carried_tag=tag)
