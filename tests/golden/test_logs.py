"""Logs and what unhub says about them: `logs/<case>/log.txt` and, beside it, `expected.txt`.

A folder with the id of a symptom is that symptom's example; the others show how symptoms go together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.command_line import unhub
from unhub.data.symptoms import symptoms

LOGS = Path(__file__).parent / "logs"
CASES = sorted(path.parent.name for path in LOGS.glob("*/log.txt"))
SYMPTOMS = [symptom for symptom in symptoms() if symptom.pattern]


def doctor(case: str, *options: str) -> Any:
    return unhub("doctor", "--log", "log.txt", *options, cwd=LOGS / case)


@pytest.mark.parametrize("case", CASES)
def test_a_log_is_explained_as_expected(case: str, pytestconfig: pytest.Config) -> None:
    ended = doctor(case)
    expected = LOGS / case / "expected.txt"
    if pytestconfig.getoption("--update-goldens"):
        expected.write_text(ended.text, "utf-8")
    assert ended.text == expected.read_text("utf-8")
    assert ended.err == ""
    found = doctor(case, "--format", "json").json
    assert ended.status == (1 if found["causes"] else 0)


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.id)
def test_every_symptom_has_a_log_that_shows_it(symptom: Any) -> None:
    found = doctor(symptom.id, "--format", "json").json
    told = [*found["causes"], *found["warnings"]]
    assert symptom.id in {sign["id"] for cause in told for sign in cause["signs"]}
    assert len(found["causes"]) <= 1, "one cause a log"


def test_every_folder_is_a_case() -> None:
    assert sorted(path.name for path in LOGS.iterdir()) == CASES
