"""A finding as a flat record: the fields of docs/contracts.md, section 4, which JSON, CSV and the report share."""

from __future__ import annotations

from collections import Counter
from typing import Final

from unhub.image.found import Class, Found
from unhub.image.reference import Reference
from unhub.migrate.item import Item
from unhub.migrate.plan import Plan
from unhub.migrate.verification.verdict import Verdict, verified

SCHEMA: Final = 1
"""Version of the JSON of findings; a field may be added without a new one."""

FIELDS: Final = (
    "path",
    "line",
    "column",
    "start",
    "end",
    "text",
    "format",
    "where",
    "pulled_by",
    "canonical",
    "class",
    "target",
    "rule",
    "reason",
    "safety",
    "verified",
    "verdict",
    "applied",
)
"""The fields of a record, in their order."""

NOT_PULLED: Final = frozenset({Class.STAGE, Class.BUILD_OUTPUT, Class.INVALID})
"""Classes of what nobody pulls from a registry."""


def is_pulled(class_: Class, reference: Reference) -> bool:
    """Whether some registry is asked for it: neither one of :data:`NOT_PULLED` nor a name that only looks like Docker Hub's."""
    return class_ not in NOT_PULLED and not (class_ is Class.NOT_DOCKER_HUB and reference.is_docker_hub)


Record = dict[str, object]


def class_of(item: Item) -> Class:
    """The class of a reference now: ``migrated`` once it is written."""
    return Class.MIGRATED if item.applied else item.decision.class_


def canonical(item: Item) -> str | None:
    """The whole name with registry, tag and digest; ``None`` where a part of it is not known."""
    return None if item.reference is None or item.incomplete else str(item.reference.canonical)


def target(item: Item) -> str | None:
    """The reference that takes (or would take) this one's place."""
    return item.target_text


def verdict_of(item: Item) -> Verdict | None:
    """What verification said of the reference's target, ``None`` where nobody compared."""
    return item.decision.evidence.verdict if item.decision.evidence else None


def record(item: Item, format_name: str) -> Record:
    """One finding; absent values are ``None``.

    ``verified`` is ``unknown`` where there is a target that nobody has compared, or could compare, with the original;
    ``verdict`` is what comparing said.
    """
    span = item.finding.span
    verdict = verdict_of(item)
    values = (
        item.path,
        item.line,
        item.column,
        span.start,
        span.end,
        item.finding.text,
        format_name,
        item.finding.where,
        _word(item.pulled_by),
        canonical(item),
        class_of(item).value,
        target(item),
        item.decision.rule,
        item.decision.reason,
        _word(item.safety),
        None if item.decision.target is None else verified(verdict),
        _word(verdict),
        item.applied,
    )
    return dict(zip(FIELDS, values, strict=True))


def _word(value: object) -> str | None:
    return None if value is None else str(value)


def by_class(plan: Plan) -> dict[str, int]:
    """How many references ended in each class, the most frequent first."""
    return dict(Counter(class_of(item).value for item in plan.items).most_common())


def by_registry(plan: Plan) -> dict[str, dict[str, int]]:
    """References and distinct images a registry, as the tree now stands, the most used first; only what is pulled."""
    references: Counter[str] = Counter()
    images: dict[str, set[str]] = {}
    for item in plan.items:
        finding = item.finding
        if isinstance(finding, Found) and is_pulled(item.decision.class_, finding.reference):
            now = item.decision.target if item.applied and item.decision.target else finding.reference.canonical
            references[now.registry] += 1
            images.setdefault(now.registry, set()).add(str(now))
    return {registry: {"references": count, "images": len(images[registry])} for registry, count in references.most_common()}


def summary(plan: Plan, run: str | None = None) -> Record:
    """The numbers of a run. ``run`` is its ID in the journal, if it wrote."""
    return {
        "files": len(plan.files),
        "references": sum(len(file.items) for file in plan.files),
        "classes": by_class(plan),
        "registries": by_registry(plan),
        "changed_files": sorted(path for path in plan.after if plan.after[path] != plan.before[path]),
        "skipped_files": len(plan.skipped),
        "ignored_files": plan.ignored_files,
        "run": run,
    }
