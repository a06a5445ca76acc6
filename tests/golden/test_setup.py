"""Every golden case of ``unhub setup``: as it is, in three disguises, and twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.case import VARIANTS, disguise
from tests.golden.setup_case import SetupCase, all_cases, notes_text, run_case
from unhub.setup.outcome import Status

CASES = all_cases()
CHANGING = [case for case in CASES if case.after]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: SetupCase, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    setup = run_case(case, case.before, tmp_path)
    text = notes_text(setup)
    if request.config.getoption("--update-goldens"):
        (case.folder / "notes.txt").write_text(text, "utf-8")
    assert setup.plan.after == case.after
    assert text == (case.folder / "notes.txt").read_text("utf-8")


@pytest.mark.parametrize("case", CHANGING, ids=lambda case: case.name)
def test_a_second_run_changes_nothing(case: SetupCase, tmp_path: Path) -> None:
    setup = run_case(case, {**case.before, **case.after}, tmp_path)
    assert setup.plan.after == {}
    assert not {file.status for file in setup.files} & {Status.REFUSED}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_disguised(case: SetupCase, variant: str, tmp_path: Path) -> None:
    if variant in case.exceptions:
        assert case.exceptions[variant], "an exception needs its reason"
        return
    before = {path: disguise(data, variant) for path, data in case.before.items()}
    setup = run_case(case, before, tmp_path)
    assert setup.plan.after == {path: disguise(data, variant) for path, data in case.after.items()}


def test_every_case_says_what_it_shows() -> None:
    assert CASES
    for case in CASES:
        assert case.says.strip(), case.name
