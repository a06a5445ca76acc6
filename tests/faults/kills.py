"""Killing ``unhub migrate --write`` at random moments of its writing, and looking at what is left."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.tools import git_repository, unhub

FILES = 60
BEFORE = b"apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec:\n  containers:\n    - {name: app, image: node:20}\n"
AFTER = BEFORE.replace(b"node:20", b"public.ecr.aws/docker/library/node:20")


@dataclass(frozen=True, slots=True)
class Left:
    """What a kill left behind: how many files were whole before and whole after, and how many other files lay about."""

    moved: int
    unmoved: int
    others: int

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
    return Left(len(moved), len(unmoved), len(contents.keys() - set(moved) - set(unmoved)))


def kill_once(folder: Path, chance: random.Random) -> Left:
    """Start a run, kill it at a random moment of its writing, and say what is left.

    Every second kill waits for the first rename, since all of them together take a few milliseconds.
    """
    first, runs = folder / "pod-0.yaml", folder / ".git" / "unhub" / "runs"
    inode, known = first.stat().st_ino, _count(runs)
    command = [str(Path(sys.executable).with_name("unhub")), "migrate", "--write"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "UNHUB_VERIFY": "0"}
    )
    while process.poll() is None and _count(runs) == known:
        time.sleep(0.001)
    if chance.random() < 0.5:
        time.sleep(chance.uniform(0, 0.3))
    else:
        while process.poll() is None and first.stat().st_ino == inode:
            pass
        time.sleep(chance.uniform(0, 0.001))
    process.kill()
    process.wait()
    return look(folder)


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def recover(folder: Path, left: Left, *, by_undo: bool) -> Left:
    """Go on as a user would, with undo or with the same command once more."""
    if by_undo:
        unhub(folder, "undo", status=None if left.moved == 0 else 0)
    else:
        unhub(folder, "migrate", "--write")
    return look(folder)
