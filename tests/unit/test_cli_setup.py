"""``unhub setup`` as its users call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import git, unhub

BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - docker build -t app .\n"
LOGIN = b"aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws"
SECRET = "hunter2hunter2"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "buildspec.yml").write_text(BUILDSPEC)
    (tmp_path / "Dockerfile").write_text("FROM node:21.7.0-alpine3.19\n")
    return tmp_path


def test_it_shows_a_diff_that_git_applies_and_writes_nothing(tree: Path) -> None:
    ended = unhub("setup", "codebuild", cwd=tree)
    assert ended.status == 0
    assert (tree / "buildspec.yml").read_text() == BUILDSPEC
    assert b"+      - " + LOGIN in ended.out
    assert not any(line.startswith(b"-") for line in ended.out.splitlines()[3:]), "only insertions"
    git("apply", "-", cwd=tree, stdin=ended.out)
    assert unhub("setup", "codebuild", "--check", cwd=tree).status == 0


def test_check_ends_with_1_where_something_would_change(tree: Path) -> None:
    assert unhub("setup", "codebuild", "--check", cwd=tree).status == 1
    assert (tree / "buildspec.yml").read_text() == BUILDSPEC


def test_write_and_undo(tree: Path) -> None:
    ended = unhub("setup", "codebuild", "--write", cwd=tree)
    assert ended.status == 0
    assert LOGIN in (tree / "buildspec.yml").read_bytes()
    assert "unhub iam-policy" in ended.err
    again = unhub("setup", "codebuild", "--write", cwd=tree)
    assert "nothing to change" in again.err
    assert unhub("undo", cwd=tree).status == 0
    assert (tree / "buildspec.yml").read_text() == BUILDSPEC


def test_json(tree: Path) -> None:
    (tree / "b").mkdir()
    (tree / "b" / "buildspec.yml").write_text("version: 0.2\nphases:\n  build:\n    commands: [npm ci]\n")
    document = unhub("setup", "codebuild", "--format", "json", cwd=tree).json
    assert document["schema"] == 1
    assert [(file["path"], file["status"]) for file in document["files"]] == [
        ("b/buildspec.yml", "not-needed"),
        ("buildspec.yml", "changes"),
    ]
    assert unhub("setup", "codebuild", "--write", "--format", "json", cwd=tree).json["run"]


def test_a_region_without_the_service_is_not_taken(tree: Path) -> None:
    ended = unhub("setup", "codebuild", "--region", "ap-northeast-1", cwd=tree)
    assert ended.status == 2
    assert unhub("setup", "codebuild", "--region", "us-west-2", cwd=tree).out.count(b"--region us-west-2 ") == 1


def test_a_leftover_login_to_docker_hub_is_offered_for_removal_only_when_nothing_needs_it(tree: Path) -> None:
    text = BUILDSPEC.replace("- docker build", f"- docker login -u deploy -p {SECRET}\n      - docker build")
    (tree / "buildspec.yml").write_text(text)
    ended = unhub("setup", "codebuild", "buildspec.yml", "--remove-hub-login", cwd=tree)
    assert "the login to Docker Hub stays: Dockerfile:1" in ended.err, "the whole tree counts, whatever PATHS are"
    assert SECRET not in ended.err, "a password of the file is in no message"
    (tree / "Dockerfile").write_text("FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19\n")
    assert "--remove-hub-login takes its login out" in unhub("setup", "codebuild", cwd=tree).err
    assert unhub("setup", "codebuild", "--remove-hub-login", "--write", cwd=tree).status == 0
    assert SECRET not in (tree / "buildspec.yml").read_text()


def test_what_cannot_be_edited_ends_with_4_and_says_what_to_do(tree: Path) -> None:
    (tree / "buildspec.yml").write_text(BUILDSPEC.replace("phases:\n", "env:\n  shell: powershell.exe\nphases:\n"))
    ended = unhub("setup", "codebuild", cwd=tree)
    assert ended.status == 4
    assert LOGIN.decode() in ended.err


def test_a_damaged_file_is_said_and_fails_with_strict(tree: Path) -> None:
    (tree / "buildspec.yml").write_text(BUILDSPEC + "  x: [\n")
    assert unhub("setup", "codebuild", cwd=tree).status == 0
    ended = unhub("setup", "codebuild", "--strict", cwd=tree)
    assert ended.status == 3
    assert "not valid YAML" in ended.err


def test_write_is_not_for_looking(tree: Path) -> None:
    assert unhub("setup", "codebuild", "--write", "--check", cwd=tree).status == 2
    assert unhub("setup", "nonsense", cwd=tree).status == 2
    assert unhub("setup", cwd=tree).status == 2


def test_a_tree_without_such_files(tmp_path: Path) -> None:
    ended = unhub("setup", "codebuild", cwd=tmp_path)
    assert (ended.status, ended.out) == (0, b"")
    assert "there is no file of AWS CodeBuild here" in ended.err


def test_migrate_and_setup_in_one_run_that_one_undo_takes_back(tree: Path) -> None:
    text = BUILDSPEC.replace("- docker build -t app .", "- docker run --rm node:20 npm test\n      - docker build -t app .")
    (tree / "buildspec.yml").write_text(text)
    before = {name: (tree / name).read_bytes() for name in ("buildspec.yml", "Dockerfile")}
    shown = unhub("migrate", "--setup", "codebuild", cwd=tree)
    assert b"+      - " + LOGIN in shown.out
    assert b"+FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19" in shown.out
    assert unhub("migrate", "--setup", "codebuild", "--write", "--no-verify", cwd=tree).status == 0
    after = (tree / "buildspec.yml").read_bytes()
    assert LOGIN in after
    assert b"docker run --rm public.ecr.aws/docker/library/node:20" in after
    assert (tree / "Dockerfile").read_bytes().startswith(b"FROM public.ecr.aws/")
    assert unhub("migrate", "--setup", "codebuild", "--check", "--no-verify", cwd=tree).status == 0, "nothing is left to do"
    assert unhub("undo", cwd=tree).status == 0
    assert {name: (tree / name).read_bytes() for name in before} == before


def test_a_login_and_a_new_name_on_lines_side_by_side(tree: Path) -> None:
    (tree / "buildspec.yml").write_text("version: 0.2\nphases:\n  pre_build:\n    commands:\n      - docker pull node:20\n")
    unhub("migrate", "--setup", "codebuild", "--write", "--no-verify", cwd=tree)
    lines = (tree / "buildspec.yml").read_bytes().splitlines()
    assert lines[-2:] == [b"      - " + LOGIN, b"      - docker pull public.ecr.aws/docker/library/node:20"]


def test_every_system_of_the_help_can_be_set_up() -> None:
    from unhub.cli import setup
    from unhub.setup import plan

    assert tuple(plan.SYSTEMS) == setup.SYSTEMS
    for name in setup.SYSTEMS:
        system = plan.system_named(name)
        assert (system.name, bool(system.title)) == (name, True)


def test_codebuilds_own_image_needs_no_login_and_is_not_spoken_of(tmp_path: Path) -> None:
    (tmp_path / "buildspec.yml").write_text(
        "version: 0.2\nbatch:\n  build-list:\n    - identifier: a\n      env:\n        image: aws/codebuild/standard:7.0\n"
        "phases:\n  build:\n    commands:\n      - docker build .\n",
        "utf-8",
    )
    done = unhub("setup", "codebuild", cwd=tmp_path)
    assert "pulled before any step" not in done.text + done.err
    assert "+      - aws ecr-public get-login-password" in done.text


def test_without_a_ci_the_message_names_those_there_are(tmp_path: Path) -> None:
    done = unhub("setup", cwd=tmp_path)
    assert done.status == 2
    assert done.err.splitlines()[0].startswith("unhub: Missing argument 'CI'. Choose from: codebuild, github-actions, gitlab-ci, ")
