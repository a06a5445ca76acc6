"""Every golden case, as it is and in three disguises: CRLF, byte-order mark, no final newline."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.golden.case import VARIANTS, Case, all_cases, disguise, findings_text, run_case

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    plan = run_case(case, case.before, tmp_path)
    text = findings_text(plan)
    if request.config.getoption("--update-goldens"):
        (case.folder / "findings.txt").write_text(text, "utf-8")
    assert plan.after == case.after
    assert text == (case.folder / "findings.txt").read_text("utf-8")
    assert bool(case.after) == (case.kind == "rewrite"), "kind and after/ disagree"


@pytest.mark.parametrize("case", [case for case in CASES if case.after], ids=lambda case: case.name)
def test_a_second_run_changes_nothing(case: Case, tmp_path: Path) -> None:
    plan = run_case(case, {**case.before, **case.after}, tmp_path)
    assert plan.after == {}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_disguised(case: Case, variant: str, tmp_path: Path) -> None:
    if variant in case.exceptions:
        assert case.exceptions[variant], "an exception needs its reason"
        return
    before = {path: disguise(data, variant) for path, data in case.before.items()}
    plan = run_case(case, before, tmp_path)
    assert plan.after == {path: disguise(data, variant) for path, data in case.after.items()}


def test_every_case_says_what_it_shows() -> None:
    for case in CASES:
        data = tomllib.loads((case.folder / "case.toml").read_text("utf-8"))
        assert data["says"].strip(), case.name
        assert data["rules"] or data["says"], case.name
        assert data["kind"] in ("rewrite", "no-op"), case.name
