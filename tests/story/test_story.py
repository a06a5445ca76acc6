"""The steps of the story that work today; ``steps.py`` lists them all, ``docs/story.md`` shows which work."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts.story import page

from tests.command_line import process
from tests.gallery import running_gallery
from tests.hub import aws_endpoint, docker_hub, ecr_public, environment
from tests.mirror import running_mirror
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
    """The third act as it is without root and docker; with them it is the replay of tests/clients/test_replay.py."""
    output = run([tool("bash"), "scripts/demo"], ROOT, PATH=path_with_unhub(), NO_COLOR="1", UNHUB_DEMO_BY_HAND="1")
    assert "+FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19 AS build" in output
    assert re.search(r"^pushed \S+/hello:1: sha256:[0-9a-f]{64}\n.*^pulled \S+/hello:1: 2 blobs", output, re.MULTILINE | re.DOTALL)
    assert output.rstrip().endswith("unhub migrate && unhub migrate --write")


@pytest.fixture
def stands() -> Iterator[dict[str, str]]:
    """Docker Hub, ECR Public and the AWS endpoint on this machine, as the environment in which they are found."""
    with docker_hub() as hub, ecr_public() as ecr, aws_endpoint() as aws:
        yield environment(hub, ecr, aws)


def test_the_buildspec_runs_here_as_codebuild_runs_it(project: Path) -> None:
    (project / "bin").mkdir()
    (project / "bin" / "docker").write_text('#!/bin/sh\necho "docker $1"\n')
    (project / "bin" / "docker").chmod(0o755)
    output = unhub(project, "run-buildspec", PATH=f"{project}/bin:{path_with_unhub()}")
    order = [line for line in output.splitlines() if line.startswith("docker ") or "Phase complete" in line]
    assert [line.partition("Phase complete: ")[2] or line for line in order] == [
        *("docker run", "PRE_BUILD State: SUCCEEDED"),
        *(["docker build"] * 3),
        *("BUILD State: SUCCEEDED", "docker run", "docker rm", "POST_BUILD State: SUCCEEDED"),
    ]


def test_limits_say_when_so_many_deployments_are_too_many(project: Path, stands: dict[str, str]) -> None:
    done = process("limits", "--builds-per-day", "200", "--no-sizes", "--format", "json", cwd=project, env=stands)
    assert done.status == 0, done.err
    said = process("limits", "--builds-per-day", "200", "--no-sizes", cwd=project, env=stands)
    assert "asked by HEAD, which costs nothing" in said.text
    assert "Is Docker Hub without a login enough? Now: no" in said.text


def test_the_failure_is_explained_and_the_way_out_shown(project: Path) -> None:
    log = (
        "Step 1/5 : FROM node:21.7.0-alpine3.19 AS build\n"
        "TOOMANYREQUESTS: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
        "https://www.docker.com/increase-rate-limit\n"
    )
    done = process("doctor", "--log", "-", cwd=project, stdin=log.encode())
    assert done.status == 1
    assert "public.ecr.aws/docker/library/node:21.7.0-alpine3.19" in done.text
    assert "unhub migrate --write" in done.text
    assert "1 cause" in done.text


def test_verify_looks_at_the_gallery_as_the_careful_reader_does(project: Path) -> None:
    name = "node:21.7.0-alpine3.19"
    with docker_hub(limit=0) as hub, ecr_public() as ecr:
        done = process("verify", name, "--format", "json", cwd=project, env=environment(hub, ecr))
        assert done.status == 0, done.err
        assert hub.counts.total == 0, "HEAD costs no pull, also where none is left"
    with docker_hub() as hub, ecr_public({f"library/{name}": "missing"}) as ecr:
        found = environment(hub, ecr)
        assert process("verify", name, cwd=project, env=found).status == 1
        assert process("migrate", "--write", cwd=project, env={**found, "UNHUB_VERIFY": "1"}).status == 0
        kept = (project / "web" / "Dockerfile").read_text("utf-8")
        assert "FROM node:21.7.0-alpine3.19" in kept, "what is not there is not moved to"
        assert "public.ecr.aws" in (project / "tools" / "Dockerfile").read_text("utf-8")


def test_the_policy_is_the_articles_and_a_lesser_one_is_found_out(tmp_path: Path) -> None:
    policy = process("iam-policy", cwd=tmp_path).json
    (statement,) = policy["Statement"]
    assert statement == {"Effect": "Allow", "Action": ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"], "Resource": "*"}
    assert process("iam-policy", "--check", "-", cwd=tmp_path, stdin=json.dumps(policy).encode()).status == 0
    statement["Action"] = statement["Action"][:1]
    done = process("iam-policy", "--check", "-", cwd=tmp_path, stdin=json.dumps(policy).encode())
    assert done.status == 1
    assert "sts:GetServiceBearerToken" in done.text


def test_the_login_line_and_unhub_login_get_the_same_password(tmp_path: Path, stands: dict[str, str]) -> None:
    found = {**stands, "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker"), "PATH": path_with_unhub()}
    by_hand = run([tool("aws"), "ecr-public", "get-login-password", "--region", "us-west-2"], tmp_path, **found)
    ours = process("login", "--print-password", "--region", "us-west-2", cwd=tmp_path, env=found).text
    assert expires(by_hand) == pytest.approx(expires(ours), abs=60)
    assert process("login", "--tool", "docker", cwd=tmp_path, env=found).status == 0
    stored = json.loads((tmp_path / "docker" / "config.json").read_text("utf-8"))["auths"]["public.ecr.aws"]["auth"]
    assert base64.b64decode(stored).startswith(b"AWS:")


def expires(password: str) -> float:
    """When a password of ECR Public's ends: it is base64 of JSON that says so."""
    return float(json.loads(base64.b64decode(password.strip()))["expiration"])


def test_setup_inserts_the_articles_line_before_the_first_use(project: Path) -> None:
    assert process("setup", "codebuild", "--write", cwd=project).status == 0
    added = [line for line in diff(project) if line.startswith("+")]
    line = "aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws"
    assert added == [f"+      - {line}"], "DOCKER_BUILDKIT is there already"
    assert [line for line in diff(project) if line.startswith("-")] == []
    assert process("setup", "codebuild", "--check", cwd=project).status == 0


def test_the_pitfall_cannot_happen_with_unhub_login_and_is_explained_otherwise(tmp_path: Path, stands: dict[str, str]) -> None:
    found = {**stands, "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker"), "AWS_DEFAULT_REGION": "ap-northeast-1"}
    assert process("login", "--tool", "docker", cwd=tmp_path, env=found).status == 0
    log = (
        'Could not connect to the endpoint URL: "https://api.ecr-public.ap-northeast-1.amazonaws.com/"\n'
        "Error: Cannot perform an interactive login from a non TTY device\n"
    )
    done = process("doctor", "--log", "-", "--format", "json", cwd=tmp_path, stdin=log.encode())
    assert done.status == 1
    (cause,) = done.json["causes"]
    assert cause["id"] == "ecr-public-no-such-region"
    assert "--region us-east-1" in json.dumps(cause)


def test_the_mirror_keeps_every_build_going_while_docker_hub_refuses(tmp_path: Path) -> None:
    """Not one pull is left; what ECR Public has is served, and what was served once needs nobody any more."""
    with docker_hub(limit=0) as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        name = "/v2/library/node/manifests/21.7.0-alpine3.19"
        first = mirror.get(name)
        assert first.status == 200
        with hub.refusing(), ecr.refusing():
            again = mirror.get(name)
        assert (again.status, again.body) == (200, first.body)
        assert hub.counts.total == 0


def test_the_articles_lines_work_at_a_gallery_of_ones_own(tmp_path: Path) -> None:
    """The login's password by AWS's own command line, refused without the policy; the image by the article's name."""
    line = [tool("aws"), "ecr-public", "get-login-password", "--region", "us-west-2"]
    policy = process("iam-policy", cwd=tmp_path).json["Statement"]
    with docker_hub() as hub, running_gallery(tmp_path, hub, users={"codebuild": policy, "newcomer": ()}) as gallery:
        refused = subprocess.run(line, env=gallery.environment("newcomer"), capture_output=True, text=True, check=False)
        assert "is not authorized to perform: ecr-public:GetAuthorizationToken" in refused.stderr
        given = subprocess.run(line, env=gallery.environment("codebuild"), capture_output=True, text=True, check=True)
        login = base64.b64encode(f"AWS:{given.stdout.strip()}".encode()).decode()
        token = gallery.mirror.get("/token/", Authorization=f"Basic {login}").json["token"]
        name = "/v2/docker/library/node/manifests/21.7.0-alpine3.19"
        assert gallery.mirror.get(name).status == 401
        assert gallery.mirror.get(name, Authorization=f"Bearer {token}").status == 200
