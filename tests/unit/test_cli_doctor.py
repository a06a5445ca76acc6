"""`unhub doctor --log`: files and standard input, statuses, forms, settings, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import unhub

LIMIT = "toomanyrequests: You have reached your pull rate limit."


def test_a_log_is_read_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "build.log").write_text(f"FROM node:18\n{LIMIT}\n", "utf-8")
    from_file = unhub("doctor", "--log", "build.log", cwd=tmp_path)
    from_stdin = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=f"FROM node:18\n{LIMIT}\n".encode())
    assert from_file == from_stdin
    assert from_file.status == 1
    assert "FROM node:18 -> public.ecr.aws/docker/library/node:18" in from_file.text
    assert "unhub migrate --write" in from_file.text
    assert from_file.err == ""


@pytest.mark.parametrize("log", ["", "all is well\n", "error: of another kind\n"])
def test_nothing_found_ends_with_0(tmp_path: Path, log: str) -> None:
    ended = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=log.encode())
    assert ended.status == 0
    assert "no known cause" in ended.text
    assert ("unhub does not know these errors:" in ended.text) == ("error" in log)


def test_json_is_one_object_with_everything_in_it(tmp_path: Path) -> None:
    found = unhub("doctor", "--log", "-", "--format", "json", cwd=tmp_path, stdin=f"FROM node:18\n{LIMIT}\n".encode()).json
    assert found["schema"] == 1
    (cause,) = found["causes"]
    assert cause["id"] == "hub-pull-limit"
    assert cause["images"] == [{"label": "FROM", "reference": "node:18", "target": "public.ecr.aws/docker/library/node:18", "reason": None}]
    assert {"text": "Take official images from ECR Public, which keeps no such count:", "command": "unhub migrate --write"} in cause["do"]
    assert found["summary"] == {"lines": 2, "causes": 1, "warnings": 0, "unknown": 0, "consequences": 0, "left_out": 0}


def test_annotations_are_written_for_actions(tmp_path: Path) -> None:
    ended = unhub("doctor", "--log", "-", "--format", "github", cwd=tmp_path, stdin=LIMIT.encode())
    assert ended.text.startswith("::error title=unhub")
    assert ended.status == 1


def test_targets_and_facts_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "unhub.toml").write_text('[migrate]\nto = ["mirror:mirror.shop.example/hub"]\n[data]\nfile = "own.toml"\n', "utf-8")
    row = '[[symptom]]\nid = "ours"\nnumber = 101\nemitter = "us"\ntitle = "Our own trouble"\ncause = "C."\nkind = "network"\n'
    row += 'pattern = "our own error"\nneedles = ["our own error"]\ndate = 2026-11-23\nsource = "us"\nconfidence = "source"\n'
    (tmp_path / "own.toml").write_text(row + 'fix = [{ do = "Ask us." }]\n', "utf-8")
    ended = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=f"OUR OWN ERROR\nFROM acme/app:1\n{LIMIT}\n".encode())
    assert "FROM acme/app:1 -> mirror.shop.example/hub/acme/app:1" in ended.text
    assert "Our own trouble" in ended.text


def test_nothing_in_a_log_can_steer_a_terminal(tmp_path: Path) -> None:
    log = f"\x1b]0;evil\x07\x1b[2J{LIMIT} \x9b31m \u202e\n".encode()
    ended = unhub("doctor", "--log", "-", cwd=tmp_path, stdin=log)
    assert not set("\x1b\x9b\u202e\x07") & set(ended.text)


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = unhub("doctor", "--log", "missing.log", cwd=tmp_path)
    assert (missing.status, missing.out) == (2, b"")
    assert "cannot read the log missing.log: there is no such file" in missing.err
    folder = unhub("doctor", "--log", ".", cwd=tmp_path)
    assert folder.status == 3
    assert "cannot read the log .:" in folder.err


def test_the_json_of_a_broken_log_is_still_json(tmp_path: Path) -> None:
    ended = unhub(
        "doctor", "--log", "-", "--format", "json", cwd=tmp_path, stdin=b"\xff\xfe\x00error \xed\xa0\x80\n" + LIMIT.encode() + b"\xff"
    )
    json.loads(ended.out.decode("utf-8"))
