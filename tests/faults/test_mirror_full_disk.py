"""A full disk fails no pull: the least used images make room, and where they may not, blobs are passed on without being kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.full_disk import IMAGES
from tests.tools import ROOT, tool


def on_a_small_volume(folder: Path, mode: str) -> Any:
    """The script's result, in a mount namespace of its own, so that the volume is nowhere else."""
    command = [tool("unshare"), "-m", sys.executable, "-m", "tests.faults.full_disk", str(folder), mode]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("mounting a volume needs root")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_old_images_make_room_for_new_ones(tmp_path: Path) -> None:
    seen = on_a_small_volume(tmp_path, "free")
    assert seen["whole"] == [True] * IMAGES
    assert seen["again"]
    assert 0 < seen["evicted"] < IMAGES


def test_where_nothing_may_leave_blobs_are_passed_on(tmp_path: Path) -> None:
    seen = on_a_small_volume(tmp_path, "pinned")
    assert seen["whole"] == [True] * IMAGES
    assert seen["again"]
    assert seen["evicted"] == 0
