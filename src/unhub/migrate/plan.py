"""The plan of a migration: every reference with its class, and the edits that move the migratable ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct, field

from unhub.image.found import Class, Skipped
from unhub.migrate.conflicts import Declaration, Declarations
from unhub.migrate.edits import Edit, apply, merge, plan_fix
from unhub.migrate.holding import hold_back, hold_back_conflicts, hold_back_disagreeing, hold_back_foreign, movable
from unhub.migrate.item import FilePlan, Item
from unhub.migrate.look import Lines, LookedAt, SkippedFile, pragmas
from unhub.migrate.mapping import Decision, Mapper
from unhub.migrate.verification.question import Question

Read = Callable[[str], bytes | None]


class Refusal(Struct, frozen=True):
    """A file that is left as it is because its edits did not stand the self-check."""

    path: str
    reason: str


class Plan(Struct):
    """Everything that was found, and everything that would change.

    ``edits`` holds the edits of each changed file, ``before`` its bytes, ``after`` its new bytes.
    """

    files: list[FilePlan] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
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
            plan.skipped += _misspelt(result)
    plan.files.sort(key=lambda file: file.path)
    plan.skipped.sort(key=lambda file: file.path)
    hold_back_conflicts(plan.files, Declarations(declarations))
    hold_back_foreign(plan.files, may_edit)
    _plan_fixes(plan, mapper)
    hold_back_disagreeing(plan.files)
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


def _misspelt(looked: LookedAt) -> list[SkippedFile]:
    """A note for each ``unhub:`` comment that says nothing: its writer meant something to stay."""
    words = "ignore, ignore-next-line and ignore-file"
    return [
        SkippedFile(looked.path, f"line {line}: there is no comment 'unhub: {word}', only {words}", looked.format, unreadable=False)
        for line, word in pragmas(looked.data).unknown
    ]


def _plan_fixes(plan: Plan, mapper: Mapper) -> None:
    for item, found in movable(plan.files):
        if item.decision.target is not None:
            item.fix = plan_fix(found, item.decision.target, item.path, keep_host=mapper.options.gitlab_alias)


def open_questions(plan: Plan) -> list[Question]:
    """What has to be asked before the plan holds: one question for each distinct reference that would change."""
    classes = (Class.MIGRATABLE, Class.ALREADY_MIRRORED)
    asked = (item.decision.question.distinct for item in plan.items if item.decision.question and item.decision.class_ in classes)
    return list(dict.fromkeys(asked))


def refuse(plan: Plan, refusals: Iterable[Refusal], read: Read) -> None:
    """Leave the refused files as they are, and whatever would no longer fit without them."""
    reasons = {refusal.path: refusal.reason for refusal in refusals}
    for item in plan.items:
        if item.fix is not None and not reasons.keys().isdisjoint({item.path, *(edit.path for edit in item.fix.edits)}):
            path = item.path if item.path in reasons else next(edit.path for edit in item.fix.edits if edit.path in reasons)
            hold_back(item, f"refused: {reasons[path]}")
    plan.refused += [Refusal(path, reason) for path, reason in reasons.items()]
    hold_back_disagreeing(plan.files)
    _make_edits(plan, read)


def _make_edits(plan: Plan, read: Read) -> None:
    plan.edits, plan.before, plan.after = {}, {}, {}
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
