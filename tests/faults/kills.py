"""Killing ``unhub migrate --write`` at random moments of its writing, and looking at what is left."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.tools import git_repository, unhub

FILES = 80
BEFORE = b"apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec:\n  containers:\n    - {name: app, image: node:20}\n"
AFTER = BEFORE.replace(b"node:20", b"public.ecr.aws/docker/library/node:20")


@dataclass(frozen=True, slots=True)
class Left:
    """What a kill left behind: how many files were whole before and whole after, and what else lay about."""

    moved: int
    unmoved: int
    others: tuple[str, ...]

    @property
    def in_the_middle(self) -> bool:
        """Whether the kill came while files were being replaced."""
        return self.moved > 0 and self.unmoved > 0


def project(folder: Path) -> Path:
    """A repository of manifests that all move."""
    folder.mkdir()
    for number in range(FILES):
        (folder / f"pod-{number}.yaml").write_bytes(BEFORE)
    return git_repository(folder)


def look(folder: Path) -> Left:
    contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    ours = [f"pod-{number}.yaml" for number in range(FILES)]
    moved = [name for name in ours if contents.get(name) == AFTER]
    unmoved = [name for name in ours if contents.get(name) == BEFORE]
    return Left(len(moved), len(unmoved), tuple(sorted(contents.keys() - set(moved) - set(unmoved))))


def kill_once(folder: Path, chance: random.Random) -> Left:
    """Start a run, kill it after a random moment of its writing, and say what is left."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("unhub")), "migrate", "--write"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    runs = folder / ".git" / "unhub" / "runs"
    known = len(list(runs.glob("*"))) if runs.is_dir() else 0
    while process.poll() is None and not (runs.is_dir() and len(list(runs.glob("*"))) > known):
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.08))
    process.kill()
    process.wait()
    return look(folder)


def recover(folder: Path, left: Left, *, by_undo: bool) -> Left:
    """Go on as a user would, with undo or with the same command once more."""
    if by_undo:
        unhub(folder, "undo", status=None if left.moved == 0 else 0)
    else:
        unhub(folder, "migrate", "--write")
    return look(folder)
