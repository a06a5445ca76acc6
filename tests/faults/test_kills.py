"""A kill at any moment leaves only whole files, and the next command puts things right (the soak does this far oftener)."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.kills import FILES, kill_once, project, recover
from tests.tools import unhub

KILLS = 20


def test_twenty_kills_leave_whole_files_and_the_next_command_puts_things_right(tmp_path: Path) -> None:
    chance = random.Random(20)
    folder = project(tmp_path / "project")
    for number in range(KILLS):
        left = kill_once(folder, chance)
        assert left.moved + left.unmoved == FILES, f"kill {number}: {left}"
        by_undo = number % 2 == 0
        after = recover(folder, left, by_undo=by_undo)
        assert (after.unmoved if by_undo else after.moved) == FILES, f"kill {number}: {left}, then {after}"
        assert after.others == 0, f"kill {number}: {after.others} files lie about"
        if not by_undo:
            unhub(folder, "undo")
