"""Faults × {cold, warm fresh, warm stale, in flight}, through a real server: the rows of docs/mirror-faults.md are what happens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.faults.mirror.matrix import Row, run
from tests.faults.mirror.matrix_faults import FAULTS
from tests.faults.mirror.matrix_own import run_own
from tests.faults.mirror.matrix_page import OWN, PAGE, SHORT_HOLD, WITH, WITHOUT, lines, page

QUICK = [fault for fault in FAULTS if not fault.slow]
QUICK_HOLD = 8.0
"""Seconds: what is refused is refused sooner here than by default, and nothing else is another."""


def check(part: str, rows: Sequence[Row]) -> None:
    """Nothing wrong was served, and the page says the same of each fault."""
    assert [f"{row.fault}: {text}" for row in rows for text in row.wrong] == []
    text = PAGE.read_text("utf-8")
    told = lines(text[text.index(part) :].partition(part)[2].partition("\n## ")[0])
    assert {row.cells["warm, fresh"] for row in rows} == {"200; kept"}
    found = lines(page({part: list(rows)})) - lines(page({part: []}))
    assert found - told == set(), "python -m scripts.mirror_faults writes the page anew"


def test_with_a_fallback(tmp_path: Path) -> None:
    check(WITH, run(tmp_path / "with", QUICK, fallback=True, hold=QUICK_HOLD))


def test_without_a_fallback(tmp_path: Path) -> None:
    check(WITHOUT, run(tmp_path / "without", QUICK, fallback=False, hold=SHORT_HOLD))


def test_the_mirror_itself(tmp_path: Path) -> None:
    check(OWN, run_own(tmp_path / "own", hold=QUICK_HOLD))


def test_every_fault_of_the_page_is_tried() -> None:
    text = PAGE.read_text("utf-8")
    for part in (WITH, WITHOUT):
        told = text[text.index(part) :].partition(part)[2].partition("\n## ")[0]
        assert [line.split(" | ")[0].removeprefix("| ") for line in told.splitlines() if line.startswith("| ")][1:] == [
            fault.name for fault in FAULTS
        ]
