"""A mirror that is killed loses nothing that was acknowledged, and serves nothing that is wrong."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults.mirror_kills import kill_many
from tests.faults.mirror_upkeep_kills import IMAGES, fill, fsck, kill_eviction, kill_import
from tests.kept_images import NODE, Kept, with_kept

SEED = 5
"""The same moments every time, as far as a busy machine allows; `make soak` takes new ones."""


def test_twenty_kills_under_pushes_and_pulls_do_no_harm(tmp_path: Path) -> None:
    report = kill_many(tmp_path, 20, SEED)
    assert report.failures == []
    assert report.kills.total() == 20
    assert report.pulled > 0
    assert report.pushed, "something was promised, and kept"


def test_a_killed_eviction_leaves_nothing_wrong_and_the_next_one_ends_it(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    fill(tmp_path / "full")
    for number in range(4):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "full", folder)
        kill_eviction(folder, chance)
        done = fsck(folder)
        assert done.returncode == 0, done.stdout
        assert fsck(folder, "--heal", "--offline").returncode == 0
        assert "left over" not in fsck(folder).stderr

        async def whole(kept: Kept) -> None:
            for name in await kept.metadata.manifests.tags(NODE):
                assert await kept.is_whole(NODE, name)

        with_kept(folder, whole)


def test_a_killed_import_serves_only_whole_images_and_goes_on_when_repeated(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    fill(tmp_path / "full")
    unhub(tmp_path, "cache", "export", "layout", "--data", "full")
    for number in range(3):
        folder = tmp_path / str(number)
        kill_import(folder, tmp_path / "layout", chance)
        done = fsck(folder)
        assert done.returncode == 0, done.stdout + done.stderr
        unhub(tmp_path, "cache", "import", "layout", "--data", folder.name)
        assert fsck(folder, "--heal", "--offline").returncode == 0

        async def whole(kept: Kept) -> None:
            names = await kept.metadata.manifests.tags(NODE)
            assert len(names) == IMAGES
            for name in names:
                assert await kept.is_whole(NODE, name)

        with_kept(folder, whole)


def unhub(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "unhub", *arguments], cwd=folder, check=True, capture_output=True)
