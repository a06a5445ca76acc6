"""Which findings are causes, and which only follow from another: root causes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from unhub.doctor.log.findings import Finding

ECHO_AHEAD: Final = 30
"""Lines by which an echo may stand before its cause: two programs of a pipe write at the same time."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The findings in the order of cause: each cause with its follow-ups, and what is only a warning."""

    causes: tuple[tuple[Finding, tuple[Finding, ...]], ...]
    warnings: tuple[Finding, ...]


def ranked(findings: Iterable[Finding]) -> Ranked:
    """Sort findings by cause: a follow-up goes below the first cause that it follows from."""
    ordered = sorted(findings, key=_order)
    leaders = {id(finding): _leader(finding, ordered) for finding in ordered}
    for finding in ordered:
        if _leads_itself(finding, leaders):
            leaders[id(finding)] = None  # of those that could each follow from the next, the first is told
    roots = [finding for finding in ordered if leaders[id(finding)] is None]
    followers: dict[int, list[Finding]] = {id(root): [] for root in roots}
    for finding in ordered:
        root = _root(finding, leaders)
        if root is not finding:
            followers[id(root)].append(finding)
    causes = [(root, tuple(followers[id(root)])) for root in roots if root.first.symptom.role != "warning"]
    return Ranked(tuple(causes), tuple(root for root in roots if root.first.symptom.role == "warning"))


def _order(finding: Finding) -> tuple[bool, int, int]:
    """A wrapper whose reason the log does not show comes after what it may wrap."""
    symptom = finding.first.symptom
    return (symptom.role == "wrapper" and symptom.kind == finding.kind, finding.number, symptom.number)


def _leader(finding: Finding, ordered: list[Finding]) -> Finding | None:
    wanted = set(finding.first.symptom.echo_of)
    for other in ordered:
        if other is finding or other.first.symptom.role == "warning":
            continue  # what is only a warning explains no failure
        if not wanted & {other.kind, other.family, other.first.symptom.id}:
            continue
        if other.kind == finding.kind and finding.first.symptom.id in other.first.symptom.echo_of:
            continue  # each could follow from the other: neither does
        ahead = ECHO_AHEAD if finding.first.symptom.role in ("echo", "warning", "wrapper") else 0
        if other.number <= finding.number + ahead:
            return other
    return None


def _leads_itself(finding: Finding, leaders: dict[int, Finding | None]) -> bool:
    seen: set[int] = set()
    leader = leaders[id(finding)]
    while leader is not None and leader is not finding and id(leader) not in seen:
        seen.add(id(leader))
        leader = leaders[id(leader)]
    return leader is finding


def _root(finding: Finding, leaders: dict[int, Finding | None]) -> Finding:
    while (leader := leaders[id(finding)]) is not None:
        finding = leader
    return finding
