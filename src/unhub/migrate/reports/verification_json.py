"""The JSON of ``unhub verify``: one object, one row a distinct reference."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from unhub.image.found import Found
from unhub.migrate.verification.contradiction import Contradiction
from unhub.migrate.verification.subjects import Result
from unhub.migrate.verification.verdict import Evidence, verified

SCHEMA: Final = 1
"""Version of this JSON; a field may be added without a new one."""

Record = dict[str, object]


def render(results: Sequence[Result], contradicted: Sequence[Contradiction], summary: Mapping[str, object]) -> str:
    """The object. ``summary`` is what the command knows of the run beside the results: requests, spent pulls, the lock."""
    verdicts = Counter(result.evidence.verdict.value for result in results)
    whole = {"references": len(results), "accepted": sum(result.accepted for result in results), "verdicts": dict(verdicts.most_common())}
    rows = ",\n  ".join(json.dumps(_row(result)) for result in results)
    facts = json.dumps([{"fact": row.fact.says, "message": row.message, "override": row.override} for row in contradicted])
    opening = f'{{"schema": {SCHEMA},\n "verifications": [\n  {rows}],\n' if rows else f'{{"schema": {SCHEMA},\n "verifications": [],\n'
    return f'{opening} "contradicted": {facts},\n "summary": {json.dumps({**whole, **summary})}}}\n'


def _row(result: Result) -> Record:
    evidence = result.evidence
    return {
        "reference": result.subject.name,
        "canonical": str(evidence.origin.canonical) if evidence.origin else None,
        "target": str(evidence.target) if evidence.failure != "variable" else None,
        "verdict": evidence.verdict.value,
        "verified": verified(evidence.verdict),
        "accepted": result.accepted,
        "reason": evidence.cause,
        "failure": evidence.failure,
        "suggestion": str(result.suggestion) if result.suggestion else None,
        "docker_hub_digest": evidence.origin_digest,
        "target_digest": evidence.target_digest,
        "platforms": list(evidence.platforms),
        "same_platforms": list(evidence.same),
        "other_platforms": list(evidence.other),
        "only_at_docker_hub": list(evidence.only_origin),
        "only_at_target": list(evidence.only_target),
        "built_from": _time(evidence.oldest),
        "built_to": _time(evidence.newest),
        "seen": _time(evidence.seen),
        "from_lock": evidence.from_lock,
        "passed_over": [_passed(passed) for passed in result.passed],
        "places": [
            {"path": item.path, "line": item.line, "column": item.column, "where": item.finding.where}
            for item in result.subject.items
            if isinstance(item.finding, Found)
        ],
    }


def _passed(evidence: Evidence) -> Record:
    return {"target": str(evidence.target), "verdict": evidence.verdict.value, "reason": evidence.cause}


def _time(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
