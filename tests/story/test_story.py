"""The steps of the story that work today; ``steps.py`` lists them all, ``docs/story.md`` shows which work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from scripts.story import page

from tests.story.steps import STEPS
from tests.tools import ROOT, git_repository, path_with_unhub, run, tool, unhub

ECR_PUBLIC = "public.ecr.aws/docker/library/"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the example project, in git."""
    return git_repository(Path(shutil.copytree(ROOT / "examples" / "codebuild", tmp_path / "shop")))


def diff(folder: Path) -> list[str]:
    """The changed lines of a work tree, without their context."""
    lines = run([tool("git"), "diff", "--unified=0"], folder).splitlines()
    return [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]


def test_scan_lists_what_a_deployment_pulls_from_docker_hub(project: Path) -> None:
    findings = json.loads(unhub(project, "scan", "--format", "json", status=1))["findings"]
    pulled = {finding["canonical"] for finding in findings if finding["class"] == "migratable"}
    assert pulled == {
        "docker.io/library/golang:1.22-alpine",
        "docker.io/library/golang:1.22.1-alpine3.19",
        "docker.io/library/alpine:3.19",
        "docker.io/library/node:21.7.0-alpine3.19",
        "docker.io/library/nginx:1.25-alpine",
        "docker.io/library/redis:7.2-alpine",
    }


def test_the_from_line_of_the_article_moves_and_nothing_else_changes(tmp_path: Path) -> None:
    text = "# the front end\nFROM node:21.7.0-alpine3.19\nRUN npm ci   # node:21.7.0-alpine3.19 brings it\n"
    (tmp_path / "Dockerfile").write_text(text)
    git_repository(tmp_path)
    shown = unhub(tmp_path, "migrate")
    assert "+FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19" in shown
    assert (tmp_path / "Dockerfile").read_text() == text
    unhub(tmp_path, "migrate", "--write")
    assert diff(tmp_path) == ["-FROM node:21.7.0-alpine3.19", "+FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19"]


def test_library_is_never_forgotten_and_never_given_to_others(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM node AS a\nFROM docker.io/library/node:21 AS b\nFROM grafana/grafana AS c\nFROM library/alpine AS d\n"
    )
    git_repository(tmp_path)
    unhub(tmp_path, "migrate", "--write")
    assert (tmp_path / "Dockerfile").read_text().splitlines() == [
        f"FROM {ECR_PUBLIC}node AS a",
        f"FROM {ECR_PUBLIC}node:21 AS b",
        "FROM grafana/grafana AS c",
        f"FROM {ECR_PUBLIC}alpine AS d",
    ]


def test_undo_puts_the_dockerfile_back(project: Path) -> None:
    unhub(project, "migrate", "--write")
    assert diff(project)
    unhub(project, "undo")
    assert run([tool("git"), "status", "--porcelain"], project) == ""


def test_the_buildspec_moves_and_codebuilds_own_images_stay(project: Path) -> None:
    before = (project / "buildspec.yml").read_text()
    assert 'DOCKER_BUILDKIT: "1"' in before
    assert "image: aws/codebuild/standard:7.0 " in before
    unhub(project, "migrate", "--write")
    expected = before.replace("image: golang:1.22-alpine", f"image: {ECR_PUBLIC}golang:1.22-alpine").replace(
        "6379:6379 redis:7.2-alpine", f"6379:6379 {ECR_PUBLIC}redis:7.2-alpine"
    )
    assert (project / "buildspec.yml").read_text() == expected


def test_check_keeps_docker_hub_out_of_the_next_change(project: Path) -> None:
    unhub(project, "migrate", "--write")
    unhub(project, "migrate", "--check")
    (project / "tools" / "Dockerfile").write_text("FROM alpine:3.20\n")
    unhub(project, "migrate", "--check", status=1)


def test_the_other_projects_are_counted_in_one_report(tmp_path: Path) -> None:
    for name, base in (("shop", "node:21"), ("blog", "golang:1.22"), ("wiki", f"{ECR_PUBLIC}alpine:3.19")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Dockerfile").write_text(f"FROM {base}\n")
        (tmp_path / f"{name}.json").write_text(unhub(folder, "scan", "--format", "json", status=None))
    report = unhub(tmp_path, "report", "shop.json", "blog.json", "wiki.json", status=None)
    for name in ("node:21", "golang:1.22", "shop", "blog"):
        assert name in report


# The story itself


def test_every_step_that_claims_a_test_has_it_and_every_test_a_step() -> None:
    claimed = [step.test for step in STEPS if step.test]
    assert len(claimed) == len(set(claimed))
    assert [name for name in claimed if name not in globals()] == []


def test_the_page_of_the_story_says_what_works_today() -> None:
    assert (ROOT / "docs" / "story.md").read_text("utf-8") == page(), "run: python -m scripts.story"


def test_the_demonstration_runs_from_end_to_end() -> None:
    output = run([tool("bash"), "scripts/demo"], ROOT, PATH=path_with_unhub(), NO_COLOR="1")
    assert "+FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19 AS build" in output
    assert output.rstrip().endswith("unhub migrate && unhub migrate --write")
