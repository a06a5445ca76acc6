"""The story that unhub must make true, as data: each step with the test that proves it, or none yet.

The story is an engineer's article of March 2024: CodeBuild deployments died of Docker Hub's pull limit,
and moved to ECR Public. ``docs/story.md`` is written from this file.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A step: what the article tells or what follows from it, what unhub does about it, and the test's name in ``test_story.py``."""

    chapter: str
    told: str
    answer: str
    test: str | None = None


STEPS = (
    Step(
        "The setting",
        "Every deployment builds images whose base images (Go, Node, alpine) come from Docker Hub.",
        "`unhub scan` lists every image that a build pulls, and from where.",
        "test_scan_lists_what_a_deployment_pulls_from_docker_hub",
    ),
    Step(
        "The setting",
        "Only 200 pulls in 6 hours; deployments become more frequent.",
        "`unhub limits` will say when a limit will be reached.",
    ),
    Step(
        "The setting",
        "Production deployments fail with `TOOMANYREQUESTS: You have reached your pull rate limit.`",
        "`unhub doctor --log` will explain the failure.",
    ),
    Step(
        "Step 1: the Dockerfile",
        "`FROM node:21.7.0-alpine3.19` becomes `FROM public.ecr.aws/docker/library/node:21.7.0-alpine3.19`.",
        "`unhub migrate` shows that change, `unhub migrate --write` makes it, and not one other byte changes.",
        "test_the_from_line_of_the_article_moves_and_nothing_else_changes",
    ),
    Step(
        "Step 1: the Dockerfile",
        "Official images need the `library/` part; without it another image may be meant.",
        "`library/` is always written, and an image that is not official is never moved to ECR Public.",
        "test_library_is_never_forgotten_and_never_given_to_others",
    ),
    Step(
        "Step 1: the Dockerfile",
        "Nothing speaks against trying it: the change can be taken back.",
        "`unhub undo` puts every byte back.",
        "test_undo_puts_the_dockerfile_back",
    ),
    Step(
        "Step 1: the Dockerfile",
        "The careful reader checks the name at gallery.ecr.aws/docker.",
        "`unhub verify` will compare digest and platforms.",
    ),
    Step(
        "Step 2: the permission",
        "An IAM policy allows `ecr-public:GetAuthorizationToken` and `sts:GetServiceBearerToken`.",
        "`unhub iam-policy` will write it, and check one.",
    ),
    Step(
        "Step 3: the login on a developer's machine",
        "`aws ecr-public get-login-password --region us-west-2 | docker login --username AWS --password-stdin public.ecr.aws`",
        "`unhub login` will do the same, and a credential helper will keep it fresh.",
    ),
    Step(
        "Step 4: CodeBuild",
        "The build's own images stand in `buildspec.yml` too: in batches and in docker commands.",
        "`unhub scan` and `migrate` understand buildspecs; `aws/codebuild/*` and `DOCKER_BUILDKIT: 1` stay as they are.",
        "test_the_buildspec_moves_and_codebuilds_own_images_stay",
    ),
    Step(
        "Step 4: CodeBuild",
        "A build that is green once must stay so: nobody adds a Docker Hub image again by accident.",
        "`unhub migrate --check` ends with 1 when something would move.",
        "test_check_keeps_docker_hub_out_of_the_next_change",
    ),
    Step(
        "Step 4: CodeBuild",
        "The same login in `phases.pre_build.commands`.",
        "`unhub setup codebuild` will insert it.",
    ),
    Step(
        "Step 5: the pitfall",
        "Without `--region` the CLI asked ap-northeast-1, where ECR Public has no API.",
        "`unhub login` will always ask the right region, and `unhub doctor` explain the message.",
    ),
    Step(
        "The end",
        "The same is planned for the other projects.",
        "`unhub report` merges the scans of many repositories: what is pulled, from where, and what is left.",
        "test_the_other_projects_are_counted_in_one_report",
    ),
    Step(
        "The end",
        "From inside AWS there are virtually no limits and no cost.",
        "`unhub serve`, a mirror that keeps serving while Docker Hub refuses, will bring that everywhere.",
    ),
)
