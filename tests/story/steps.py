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
        "`unhub limits` says what is left, and when so many builds a day reach which limit.",
        "test_limits_say_when_so_many_deployments_are_too_many",
    ),
    Step(
        "The setting",
        "Production deployments fail with `TOOMANYREQUESTS: You have reached your pull rate limit.`",
        "`unhub doctor --log` explains the failure and prints the migration of that very image.",
        "test_the_failure_is_explained_and_the_way_out_shown",
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
        "`unhub verify` compares digests and platforms and spends no pull; `migrate --write` moves only what is the same.",
        "test_verify_looks_at_the_gallery_as_the_careful_reader_does",
    ),
    Step(
        "Step 2: the permission",
        "An IAM policy allows `ecr-public:GetAuthorizationToken` and `sts:GetServiceBearerToken`.",
        "`unhub iam-policy` writes it, and checks one statement by statement.",
        "test_the_policy_is_the_articles_and_a_lesser_one_is_found_out",
    ),
    Step(
        "Step 3: the login on a developer's machine",
        "`aws ecr-public get-login-password --region us-west-2 | docker login --username AWS --password-stdin public.ecr.aws`",
        "`unhub login` does the same for docker, podman and helm; `docker-credential-unhub` needs no login step at all.",
        "test_the_login_line_and_unhub_login_get_the_same_password",
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
        "`unhub setup codebuild` inserts it, with `DOCKER_BUILDKIT: 1`, and nothing else changes.",
        "test_setup_inserts_the_articles_line_before_the_first_use",
    ),
    Step(
        "Step 4: CodeBuild",
        "Whether `buildspec.yml` is right is seen in the next deployment.",
        "`unhub run-buildspec` runs its commands on this machine, in CodeBuild's order and with its log.",
        "test_the_buildspec_runs_here_as_codebuild_runs_it",
    ),
    Step(
        "Step 5: the pitfall",
        "Without `--region` the CLI asked ap-northeast-1, where ECR Public has no API.",
        "`unhub login` always asks the right region, and `unhub doctor` explains both messages as one cause.",
        "test_the_pitfall_cannot_happen_with_unhub_login_and_is_explained_otherwise",
    ),
    Step(
        "The end",
        "The same is planned for the other projects.",
        "`unhub report` merges the scans of many repositories: what is pulled, from where, and what is left.",
        "test_the_other_projects_are_counted_in_one_report",
    ),
    Step(
        "The end",
        "The gallery: its registry, its login, its policy, its limits.",
        "`unhub serve --mode ecr-public` is one of your own, for which the article's lines work unchanged ([replay](replay.md)).",
        "test_the_articles_lines_work_at_a_gallery_of_ones_own",
    ),
    Step(
        "The end",
        "From inside AWS there are virtually no limits and no cost.",
        "`unhub serve`, a mirror that keeps serving while Docker Hub refuses, brings that everywhere.",
        "test_the_mirror_keeps_every_build_going_while_docker_hub_refuses",
    ),
)
