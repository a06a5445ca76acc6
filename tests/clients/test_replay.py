"""The article, replayed with real clients from Docker Hub's refusal to a build without a login step; docs/replay.md is such a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.replay.page import PAGE, page
from tests.replay.place import Place, place
from tests.replay.scene import Scene, Typed
from tests.replay.steps import STEPS, Step

BASES = ("golang:1.22.1-alpine3.19", "node:21.7.0-alpine3.19", "alpine:3.19")
LIMIT = (
    "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
    "https://www.docker.com/increase-rate-limit"
)
LOGIN = "aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws"

ACCOUNT = "123456789012"
WITH_A_LOGIN = ("the_build", "the_buildspec", "the_helpers")
"""The steps in which whatever docker, BuildKit, podman and skopeo pull counts for the account that they logged in to."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("replay")) as made:
        yield made


def docker_hub_refuses(stage: Place, typed: Sequence[Typed]) -> None:
    assert LIMIT in typed[-1].said
    assert stage.hub.counts.total == 0


def the_move_and_the_permission(stage: Place, typed: Sequence[Typed]) -> None:
    moved, dockerfile, created, policy, _ = typed
    assert "verified: 3 same" in moved.said
    assert [line.split()[1] for line in dockerfile.shown.splitlines() if line.startswith("FROM")] == [
        f"public.ecr.aws/docker/library/{base}" for base in BASES
    ]
    assert json.loads(created.said)["identity"]["arn"] == "arn:aws:iam::123456789012:user/codebuild"
    (statement,) = json.loads(policy.said)["Statement"]
    assert statement == {"Effect": "Allow", "Action": ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"], "Resource": "*"}


def the_login(stage: Place, typed: Sequence[Typed]) -> None:
    assert "Login Succeeded" in typed[0].said


def the_pitfall(stage: Place, typed: Sequence[Typed]) -> None:
    line, explained = typed
    assert 'Could not connect to the endpoint URL: "https://api.ecr-public.ap-northeast-1.amazonaws.com/"' in line.said
    assert "Error: Cannot perform an interactive login from a non TTY device" in line.said
    assert "1 cause in" in explained.said
    assert "follows from this: docker login got no password" in explained.said


def the_build(stage: Place, typed: Sequence[Typed]) -> None:
    build, ran, _, podman = typed
    assert all(f"FROM public.ecr.aws/docker/library/{base}" in build.said for base in BASES)
    assert ran.said == "built by the demo hub\n"
    assert podman.said == "public.ecr.aws/docker/library/alpine:3.19\n"


def the_buildspec(stage: Place, typed: Sequence[Typed]) -> None:
    _, buildspec, run = typed
    assert f"- {LOGIN}" in buildspec.said
    assert "DOCKER_BUILDKIT: 1" in buildspec.said
    assert run.said.count("State: SUCCEEDED") == 3
    assert "Login Succeeded" in run.said
    assert run.said.index("Login Succeeded") < run.said.index("Running command docker build") < run.said.index("built by the demo hub")


def without_the_policy(stage: Place, typed: Sequence[Typed]) -> None:
    _, denied, explained = typed
    assert "(AccessDeniedException) when calling the GetAuthorizationToken operation" in denied.said
    assert "user/newcomer is not authorized to perform: ecr-public:GetAuthorizationToken on resource: *" in denied.said
    assert "The permission ecr-public:GetAuthorizationToken is missing" in explained.said


def half_a_day_later(stage: Place, typed: Sequence[Typed]) -> None:
    refused, explained, login, pulled = typed
    assert "Your authorization token has expired. Reauthenticate and try again." in refused.said
    assert "1 cause in" in explained.said
    assert "unhub login" in explained.said
    assert "Login Succeeded" in login.said
    assert "public.ecr.aws/docker/library/alpine:3.19" in pulled.said


def the_helpers(stage: Place, typed: Sequence[Typed]) -> None:
    assert [one.said.split('"')[-2] for one in typed[::3]] == ["ecr-login", "unhub"]
    assert all("public.ecr.aws/docker/library/alpine" in one.said for one in (*typed[1::3], *typed[2::3]))


ASSERTED: dict[str, Callable[[Place, Sequence[Typed]], None]] = {
    check.__name__: check
    for check in (
        *(docker_hub_refuses, the_move_and_the_permission, the_login, the_pitfall, the_build, the_buildspec),
        *(without_the_policy, half_a_day_later, the_helpers),
    )
}


def test_the_article_replayed(stage: Place) -> None:
    done: list[tuple[Step, Sequence[Typed]]] = []
    for step in STEPS:
        before = stage.pulls()
        typed = Scene(stage).play(step.run)
        ASSERTED[step.name](stage, typed)
        if step.name in WITH_A_LOGIN:
            assert set(stage.pulls() - before) == {ACCOUNT}, step.name
        done.append((step, typed))
    assert PAGE.read_text("utf-8") == page(done), "docs/replay.md is not current: run `python -m scripts.replay`"


def test_every_step_is_asserted() -> None:
    assert list(ASSERTED) == [step.name for step in STEPS]


def test_nothing_of_it_was_pulled_from_docker_hub_by_docker(stage: Place) -> None:
    """What was pulled from there the gallery pulled, by its own account."""
    callers = {record.caller for record in stage.hub.asked(kind="manifest", method="GET", status=200)}
    assert callers == {"account gallery"}
