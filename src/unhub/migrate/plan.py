"""The plan of a migration: every reference with its class, and the edits that move the migratable ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from unhub.image.found import Class, Found, Part, PulledBy, Safety, Skipped
from unhub.image.reference import Reference
from unhub.migrate.conflicts import Declaration, Declarations
from unhub.migrate.edits import Edit, Fix, apply, merge, overlaps, plan_fix
from unhub.migrate.look import Lines, LookedAt, SkippedFile, pragmas
from unhub.migrate.mapping import Decision, Mapper

Read = Callable[[str], bytes | None]


@dataclass(slots=True)
class Item:
    """One reference of one file with its decision; ``fix`` holds its edits if it will be moved."""

    path: str
    line: int
    column: int
    finding: Found | Skipped
    decision: Decision
    fix: Fix | None = None
    applied: bool = False

    @property
    def safety(self) -> Safety | None:
        """How sure the text is; ``None`` for what is not a reference to pull."""
        return self.finding.safety if isinstance(self.finding, Found) else None

    @property
    def pulled_by(self) -> PulledBy | None:
        """Who pulls, where that is known."""
        return self.finding.pulled_by

    @property
    def reference(self) -> Reference | None:
        """The reference as it is written today, where it could be evaluated."""
        return self.finding.reference if isinstance(self.finding, Found) else None


@dataclass(slots=True)
class FilePlan:
    """The references of one file, its bytes, and its format's name."""

    path: str
    data: bytes
    format: str
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """Everything that was found, and everything that would change.

    ``edits`` holds the edits of each changed file, ``before`` its bytes, ``after`` its new bytes.
    """

    files: list[FilePlan] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    ignored_files: int = 0
    edits: dict[str, list[Edit]] = field(default_factory=dict)
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)

    @property
    def items(self) -> Iterable[Item]:
        """Every reference of every file, in the order of paths and places."""
        return (item for file in self.files for item in file.items)


def make_plan(
    looked: Iterable[LookedAt | SkippedFile],
    mapper: Mapper,
    *,
    read: Read = lambda path: None,
    may_edit: Callable[[str], bool] = lambda path: True,
    counts: Callable[[FilePlan], bool] = lambda file: True,
) -> Plan:
    """Decide about every reference and plan the edits.

    ``read`` gives the bytes of a neighbouring file that a part may stand in; ``may_edit``
    says whether such a file may be changed (a ``.env`` that git does not track may not).
    ``counts`` chooses the files that the plan is about; the others only have their say about
    names they declare and values they share.
    """
    plan = Plan()
    declarations: list[Declaration] = []
    for result in looked:
        if isinstance(result, SkippedFile):
            plan.skipped.append(result)
            continue
        declarations.extend(Declaration.of(result.path, result.data, declared) for declared in result.declared)
        if result.references:
            plan.files.append(_file_plan(result, mapper))
    plan.files.sort(key=lambda file: file.path)
    plan.skipped.sort(key=lambda file: file.path)
    _hold_back_conflicts(plan, Declarations(declarations))
    _hold_back_foreign(plan, may_edit)
    _plan_fixes(plan, mapper)
    plan.files = [file for file in plan.files if counts(file)]
    _make_edits(plan, read)
    return plan


def _file_plan(looked: LookedAt, mapper: Mapper) -> FilePlan:
    file = FilePlan(looked.path, looked.data, looked.format)
    lines, ignoring = Lines(looked.data), pragmas(looked.data)
    for finding in looked.references:
        line = lines.line(finding.span.start)
        if ignoring.ignores(line):
            decision = Decision(Class.IGNORED, None, None, "an unhub: ignore comment says so")
        elif isinstance(finding, Skipped):
            decision = Decision(finding.class_, None, None, finding.reason)
        else:
            decision = mapper.decide(finding, looked.path)
        file.items.append(Item(looked.path, line, lines.column(finding.span.start), finding, decision))
    return file


def _movable(plan: Plan) -> list[tuple[Item, Found]]:
    return [(item, item.finding) for item in plan.items if item.decision.class_ is Class.MIGRATABLE and isinstance(item.finding, Found)]


def _hold_back(item: Item, reason: str, class_: Class = Class.CONFLICT) -> None:
    item.decision = replace(item.decision, class_=class_, reason=reason)
    item.fix = None


def _hold_back_conflicts(plan: Plan, declarations: Declarations) -> None:
    for item, found in _movable(plan):
        built, conflict = declarations.built(found, item.path), declarations.conflict(found, item.path)
        if built:
            item.decision = Decision(Class.BUILD_OUTPUT, None, None, built)
        elif conflict:
            _hold_back(item, conflict)


def _hold_back_foreign(plan: Plan, may_edit: Callable[[str], bool]) -> None:
    for item, found in _movable(plan):
        for part in found.parts:
            if part.path is not None and not may_edit(part.path):
                _hold_back(item, f"its value stands in {part.path}, which git does not track, so it is not edited", Class.VARIABLE)


def _plan_fixes(plan: Plan, mapper: Mapper) -> None:
    for item, found in _movable(plan):
        target = item.decision.target
        if target is not None:
            item.fix = plan_fix(found, target, item.path, keep_host=mapper.options.gitlab_alias)
    _hold_back_disagreeing(plan)


Cluster = list[tuple[Item, Part]]


def _shared_bytes(plan: Plan) -> list[tuple[str, Cluster]]:
    """The bytes (an ARG's default, an anchor, a ``.env`` line) that spell several references, with their users."""
    clusters: dict[tuple[str, int], Cluster] = {}
    for item in plan.items:
        if isinstance(item.finding, Found):
            for part in item.finding.parts:
                clusters.setdefault((part.path or item.path, part.span.start), []).append((item, part))
    return [(path, users) for (path, _), users in clusters.items() if len(users) > 1]


def _hold_back_disagreeing(plan: Plan) -> None:
    """Hold back the users of shared bytes that cannot all move together.

    Holding one back may leave another alone, so this goes on until nothing changes.
    """
    shared = _shared_bytes(plan)
    together = _moving_together(plan)
    changed = True
    while changed:
        changed = False
        for path, users in shared:
            for item, other in _disagreeing(path, users):
                reason = (
                    f"shares its value with {other.path}:{other.line} ({other.finding.text}), "
                    f"which stays: {other.decision.reason or other.decision.class_}"
                )
                _hold_back(item, reason)
                changed = True
        for items in together:
            stays = next((item for item in items if item.fix is None), None)
            for item in items:
                if stays is not None and item.fix is not None:
                    reason = f"is the image of {stays.path}:{stays.line}, which stays: {stays.decision.reason or stays.decision.class_}"
                    _hold_back(item, reason)
                    changed = True


def _moving_together(plan: Plan) -> list[list[Item]]:
    """References that move all or none, because they name one image on one machine."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in plan.items:
        if isinstance(item.finding, Found) and item.finding.together is not None:
            groups.setdefault((item.path, item.finding.together), []).append(item)
    return [items for items in groups.values() if len(items) > 1]


def _disagreeing(path: str, users: Cluster) -> list[tuple[Item, Item]]:
    """Each user whose edit of the shared bytes another user does not make too, with that other one."""
    found: list[tuple[Item, Item]] = []
    for item, _ in users:
        edits = [edit for edit in item.fix.edits if edit.path == path] if item.fix else []
        for other, part in users:
            agrees = other is item or all(
                other.fix is not None and edit in other.fix.edits for edit in edits if overlaps(edit.span, part.span)
            )
            if not agrees:
                found.append((item, other))
                break
    return found


def _make_edits(plan: Plan, read: Read) -> None:
    by_path: dict[str, list[Edit]] = {}
    for item in plan.items:
        for edit in item.fix.edits if item.fix else ():
            by_path.setdefault(edit.path, []).append(edit)
    known = {file.path: file.data for file in plan.files}
    for path in sorted(by_path):
        data = known.get(path)
        if data is None:
            data = read(path)
        if data is None:
            continue
        edits = merge(by_path[path])
        plan.edits[path] = edits
        plan.before[path] = data
        plan.after[path] = apply(data, edits)
