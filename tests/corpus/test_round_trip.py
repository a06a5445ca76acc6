"""Every real tree: migrated, scanned clean, run again without effect, and undone to the byte."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

from unhub.data.facts import builtin
from unhub.image.found import Class
from unhub.image.source import FormatSettings
from unhub.migrate.journal import Journal
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.undo import undo
from unhub.migrate.write import write_plan

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def plan_of(base: Path, *targets: str) -> Plan:
    mapper = Mapper(MappingOptions(targets=targets or ("ecr-public",)), builtin())
    return plan_run(RunOptions(base=base, use_gitignore=False), FormatSettings(), mapper)


def contents(base: Path) -> dict[str, bytes]:
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()}


def test_a_real_tree_is_moved_and_comes_back(corpus: Path, tree: str, tmp_path: Path) -> None:
    base = tmp_path / tree
    shutil.copytree(corpus / tree, base)
    for path in base.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = contents(base)
    plan = plan_of(base)
    journal = Journal(tmp_path / "journal")
    run = write_plan(plan, base, journal, NOW)
    again = plan_of(base)
    assert again.after == {}
    assert not [item for item in again.items if item.decision.class_ is Class.MIGRATABLE]
    if run is None:
        assert contents(base) == before
        return
    assert contents(base) != before
    undo(journal)
    assert contents(base) == before


def test_nothing_is_skipped_without_a_known_reason(corpus: Path, tree: str) -> None:
    known = ("not valid YAML", "is a template", "not valid")
    for skipped in plan_of(corpus / tree).skipped:
        assert any(reason in skipped.reason for reason in known), skipped


def test_to_a_mirror_and_back_changes_no_canonical_reference(corpus: Path, tree: str, tmp_path: Path) -> None:
    base = tmp_path / tree
    shutil.copytree(corpus / tree, base)
    for path in base.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)

    def canonical(plan: Plan) -> list[tuple[str, str]]:
        return [(item.path, str(item.reference.canonical)) for item in plan.items if item.reference]

    first = canonical(plan_of(base))
    journal = Journal(tmp_path / "journal")
    write_plan(plan_of(base, "mirror:mirror.example:5000/hub"), base, journal, NOW)
    back = Mapper(MappingOptions(origin="mirror:mirror.example:5000/hub", targets=("docker-hub",)), builtin())
    plan = plan_run(RunOptions(base=base, use_gitignore=False), FormatSettings(), back)
    write_plan(plan, base, journal, NOW)
    assert canonical(plan_of(base)) == first
