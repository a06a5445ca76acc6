"""What we ship for CI does what it says: its own commands are taken out of its YAML and run in a repository."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.tools import ROOT, git_repository, path_with_unhub, run, tool

HUB = "FROM node:21.7.0-alpine3.19\n"
MOVED = "FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19\n"
BIN = Path(sys.executable).parent


def read(path: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / path).read_text("utf-8"))


@pytest.fixture(params=["at Docker Hub", "moved"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, bool]:
    """A repository, and whether something in it can still move."""
    at_hub = request.param == "at Docker Hub"
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "Dockerfile").write_text(HUB if at_hub else MOVED)
    return git_repository(folder), at_hub


def bash(script: str, folder: Path, status: int, **environment: str) -> str:
    return run([tool("bash"), "-e", "-o", "pipefail", "-c", script], folder, status=status, PATH=path_with_unhub(), **environment)


# GitHub Action


def action_environment(step: dict[str, Any], inputs: dict[str, str]) -> dict[str, str]:
    return {name: inputs[value.split("inputs.")[1].rstrip(" }")] for name, value in step["env"].items()}


def action_step(name: str) -> dict[str, Any]:
    return next(step for step in read("action.yml")["runs"]["steps"] if step["id"] == name)


def action_inputs(**given: str) -> dict[str, str]:
    return {name: given.get(name.replace("-", "_"), row["default"]) for name, row in read("action.yml")["inputs"].items()}


def test_the_action_check_fails_exactly_while_something_can_move(repository: tuple[Path, bool], tmp_path: Path) -> None:
    folder, at_hub = repository
    step, summary = action_step("unhub"), tmp_path / "summary.md"
    environment = action_environment(step, action_inputs())
    output = bash(step["run"], folder, 1 if at_hub else 0, GITHUB_STEP_SUMMARY=str(summary), **environment)
    assert ("Dockerfile,line=1" in output) == at_hub
    assert summary.read_text("utf-8").strip(), "the job's summary says what was looked at"
    assert ("public.ecr.aws/docker/library/node" in summary.read_text("utf-8")) == at_hub


def test_the_action_scan_annotates_and_never_fails(repository: tuple[Path, bool]) -> None:
    folder, at_hub = repository
    step = action_step("unhub")
    output = bash(step["run"], folder, 0, **action_environment(step, action_inputs(command="scan")))
    assert ("::" in output and "Dockerfile" in output) == at_hub


def test_the_action_refuses_a_command_that_it_does_not_have(repository: tuple[Path, bool]) -> None:
    step = action_step("unhub")
    bash(step["run"], repository[0], 2, **action_environment(step, action_inputs(command="fix")))


def test_the_action_writes_sarif_and_does_not_take_its_inputs_for_shell(repository: tuple[Path, bool], tmp_path: Path) -> None:
    folder, at_hub = repository
    step, sarif = action_step("sarif"), tmp_path / "unhub.sarif"
    (folder / "$(touch${IFS}harm)").mkdir()
    inputs = action_inputs(sarif_file=str(sarif), paths=". $(touch${IFS}harm)")
    bash(step["run"], folder, 0, **action_environment(step, inputs))
    results = json.loads(sarif.read_text("utf-8"))["runs"][0]["results"]
    assert len([result for result in results if result["ruleId"] == "migratable"]) == int(at_hub)
    assert not (folder / "harm").exists()


def test_the_action_names_no_input_that_it_does_not_declare() -> None:
    declared = read("action.yml")
    used = {word for step in declared["runs"]["steps"] for value in step.get("env", {}).values() if "inputs." in value for word in [value]}
    assert {value.split("inputs.")[1].rstrip(" }") for value in used} <= set(declared["inputs"])


# GitLab CI and CodeBuild


def commands_without_install(commands: list[str]) -> list[str]:
    rest = [command for command in commands if " pip install " not in command]
    assert len(rest) == len(commands) - 1, "exactly one command installs unhub; the test has it installed already"
    return rest


def test_the_gitlab_template_fails_exactly_while_something_can_move(repository: tuple[Path, bool]) -> None:
    folder, at_hub = repository
    job = read("templates/gitlab-ci/unhub.yml")["unhub"]
    commands = commands_without_install(job["before_script"] + job["script"])
    bash("\n".join(commands), folder, 1 if at_hub else 0, **job["variables"])
    assert (folder / job["artifacts"]["paths"][0]).read_text("utf-8").strip()


def test_the_gitlab_template_takes_options(repository: tuple[Path, bool]) -> None:
    folder, at_hub = repository
    job = read("templates/gitlab-ci/unhub.yml")["unhub"]
    output = bash("\n".join(job["script"]), folder, int(at_hub), UNHUB_OPTIONS="--to mirror:mirror.example.com/hub")
    assert ("+FROM mirror.example.com/hub/library/node:21.7.0-alpine3.19" in output) == at_hub


def test_the_codebuild_example_fails_exactly_while_something_can_move(repository: tuple[Path, bool]) -> None:
    folder, at_hub = repository
    phases = read("templates/codebuild/buildspec.yml")["phases"]
    commands = commands_without_install([command for phase in phases.values() for command in phase["commands"]])
    bash("\n".join(commands), folder, 1 if at_hub else 0)


def test_what_we_ship_for_ci_pulls_nothing_from_docker_hub(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    run([str(BIN / "unhub"), "migrate", "--check", "--strict", "templates"], tmp_path)


# pre-commit


def hook(name: str) -> dict[str, Any]:
    return next(row for row in read(".pre-commit-hooks.yaml") if row["id"] == name)


def test_the_check_hook_fails_exactly_while_something_can_move_and_writes_nothing(repository: tuple[Path, bool]) -> None:
    folder, at_hub = repository
    run(shlex.split(hook("unhub-check")["entry"]), folder, status=int(at_hub), PATH=path_with_unhub())
    assert (folder / "Dockerfile").read_text() == (HUB if at_hub else MOVED)


def test_the_fix_hook_moves_and_fails_once_then_passes(repository: tuple[Path, bool]) -> None:
    folder, at_hub = repository
    entry = shlex.split(hook("unhub-fix")["entry"])
    run(entry, folder, status=int(at_hub), PATH=path_with_unhub(), UNHUB_VERIFY="0")
    assert (folder / "Dockerfile").read_text() == MOVED
    run(entry, folder, status=0, PATH=path_with_unhub(), UNHUB_VERIFY="0")


def need_package_index(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--dest",
        str(folder),
        "hatchling",
    ]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if os.environ.get("UNHUB_REQUIRE") == "all":
            pytest.fail("no package index can be reached, and UNHUB_REQUIRE=all wants every test")
        pytest.skip("no package index can be reached, so pre-commit cannot make its environment")


def test_pre_commit_itself_installs_and_runs_the_hooks(tmp_path: Path) -> None:
    """pre-commit makes its own environment of a clone of this checkout, as it will for users."""
    need_package_index(tmp_path / "wheels")
    shipped = tmp_path / "unhub"
    for name in (".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE"):
        shipped.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, shipped / name)
    shutil.copytree(ROOT / "src", shipped / "src", ignore=shutil.ignore_patterns("__pycache__"))
    git_repository(shipped)
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "Dockerfile").write_text(HUB)
    git_repository(folder)
    command = [str(BIN / "pre-commit"), "try-repo", str(shipped), "unhub-fix", "--all-files", "--verbose"]
    output = run(command, folder, status=1, PRE_COMMIT_HOME=str(tmp_path / "cache"), UNHUB_VERIFY="0")
    assert "files were modified by this hook" in output
    assert (folder / "Dockerfile").read_text() == MOVED
