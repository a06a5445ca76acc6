"""References of one file that move all or none, and files that only their first line explains."""

from __future__ import annotations

from pathlib import Path

import pytest

from unhub.data.facts import builtin
from unhub.formats._choice import is_candidate, needs_interpreter
from unhub.image.found import Class
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.walk import walk


def plan_of(folder: Path, script: str) -> Plan:
    (folder / "run.sh").write_text(script)
    return plan_run(RunOptions(base=folder, use_gitignore=False), FormatSettings(), Mapper(MappingOptions(), builtin()))


@pytest.mark.parametrize("kept", ["docker pull node:20", "docker save node:20"])
def test_an_image_that_is_pulled_and_saved_moves_in_both_places_or_in_none(tmp_path: Path, kept: str) -> None:
    script = "docker pull node:20\ndocker save node:20\ndocker pull redis\n"
    moved = plan_of(tmp_path, script)
    assert [item.decision.class_ for item in moved.items] == [Class.MIGRATABLE] * 3
    held = plan_of(tmp_path, script.replace(kept, f"{kept} # unhub: ignore"))
    assert sorted(item.decision.class_ for item in held.items) == [Class.CONFLICT, Class.IGNORED, Class.MIGRATABLE]
    (conflict,) = (item for item in held.items if item.decision.class_ is Class.CONFLICT)
    other = 1 if kept.startswith("docker pull") else 2
    assert conflict.decision.reason == f"is the image of run.sh:{other}, which stays: an unhub: ignore comment says so"


def test_two_pulls_of_one_image_need_not_move_together(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "docker pull node # unhub: ignore\ndocker run node\n")
    assert [item.decision.class_ for item in plan.items] == [Class.IGNORED, Class.MIGRATABLE]


def test_a_name_without_a_dot_is_opened_only_for_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "setup").write_bytes(b"#!/bin/sh\ndocker pull node\n")
    (tmp_path / "program").write_bytes(b"\x7fELF" + b"docker pull node" * 10)
    (tmp_path / "link").symlink_to(tmp_path / "program")
    (tmp_path / "Dockerfile").write_bytes(b"FROM node\n")
    walked = walk(["."], tmp_path, use_gitignore=False)
    assert walked.files == ["Dockerfile", "setup"]
    assert walked.skipped == []


@pytest.mark.parametrize(
    ("path", "candidate", "by_first_line"),
    [
        ("bin/setup", True, True),
        ("a.b/setup", True, True),
        ("setup.py", False, False),
        ("Dockerfile", True, False),
        ("run.sh", True, False),
    ],
)
def test_which_names_say_what_a_file_is(path: str, candidate: bool, by_first_line: bool) -> None:
    assert (is_candidate(path), needs_interpreter(path)) == (candidate, by_first_line)
