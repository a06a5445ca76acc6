"""The first true cause of a log: in every wrapper, in both letter cases, whatever noise and follow-ups stand around it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.data.facts import builtin
from unhub.data.symptoms import consequences, symptoms
from unhub.doctor.log import annotations, records
from unhub.doctor.log.diagnosis import Diagnosis
from unhub.doctor.log.explaining import Report, report
from unhub.doctor.log.filling import command, sentence
from unhub.doctor.log.suggesting import subject_option, suggestion
from unhub.doctor.log.targets import target_by
from unhub.migrate.mapping import Mapper, MappingOptions

LOGS = Path(__file__).parent.parent / "golden" / "logs"
LIMIT = (
    "TOOMANYREQUESTS: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: "
    "https://www.docker.com/increase-rate-limit"
)
REGION = 'Could not connect to the endpoint URL: "https://api.ecr-public.ap-northeast-1.amazonaws.com/"'
TTY = "Error: Cannot perform an interactive login from a non TTY device"
NODE = "node:21.7.0-alpine3.19"
TARGET = f"public.ecr.aws/docker/library/{NODE}"
LOGIN = "aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws"


CHOICE = "aws: error: argument command: Invalid choice, valid choices are:"
TOO_OLD, NOT_A_COMMAND = "The AWS CLI is too old to know ecr-public", "The AWS CLI does not know this command"


def explain(log: str | bytes, *to: str) -> Report:
    diagnosis = Diagnosis(symptoms(), consequences())
    result = diagnosis.read(io.BytesIO(log.encode() if isinstance(log, str) else log))
    return report(diagnosis, result, target_by(Mapper(MappingOptions(targets=to or ("ecr-public",)), builtin())))


def ids(found: Report) -> list[str]:
    return [cause.id for cause in found.causes]


WRAPPERS = {
    "alone": ("{text}", None),
    "docker": ("Error response from daemon: {text}", None),
    "CodeBuild": (
        f"[Container] 2024/03/11 01:20:11 Running command docker build .\nStep 1/5 : FROM {NODE}\n{{text}}\n"
        "[Container] 2024/03/11 01:20:12 Command did not exit successfully docker build . exit status 1\n"
        "[Container] 2024/03/11 01:20:12 Phase complete: BUILD State: FAILED",
        NODE,
    ),
    "BuildKit": (
        f"#3 [internal] load metadata for docker.io/library/{NODE}\n#3 ERROR: {{text}}\n------\n"
        f" > [internal] load metadata for docker.io/library/{NODE}:\n------\n   1 | >>> FROM {NODE}\n"
        f"ERROR: failed to solve: {NODE}: failed to do request",
        NODE,
    ),
    "kaniko": (
        f"\x1b[36mINFO\x1b[0m[0000] Retrieving image manifest {NODE}\n"
        f"error building image: GET https://index.docker.io/v2/library/node/manifests/21.7.0-alpine3.19: {{text}}",
        NODE,
    ),
    "kubelet": (
        f'  Warning  Failed     3m (x4 over 5m)    kubelet            Failed to pull image "{NODE}": rpc error: code = Unknown '
        f'desc = failed to pull and unpack image "docker.io/library/{NODE}": {{text}}\n'
        "  Warning  Failed     3m (x4 over 5m)    kubelet            Error: ErrImagePull\n"
        f'  Normal   BackOff    1m (x6 over 5m)    kubelet            Back-off pulling image "{NODE}"',
        NODE,
    ),
    "ECS": (
        f'"stoppedReason": "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref '
        f'docker.io/library/{NODE}: {{text}}",',
        NODE,
    ),
    "podman": (f"Error: initializing source docker://{NODE}: reading manifest 21.7.0-alpine3.19 in docker.io/library/node: {{text}}", NODE),
    "Actions": (f"2024-03-11T01:20:11.1234567Z + docker pull {NODE}\n2024-03-11T01:20:12.1234567Z ##[error]{{text}}", NODE),
    "GitLab": (
        f"Using Docker executor with image {NODE} ...\n\x1b[31;1mERROR: Job failed: failed to pull image \"{NODE}\": {{text}}\x1b[0m",
        NODE,
    ),
}  # fmt: skip
ENTRIES = {LIMIT: "hub-pull-limit", REGION: "ecr-public-no-such-region", TTY: "docker-login-non-tty"}


@pytest.mark.parametrize("case", [str, str.upper, str.lower], ids=["as it is", "upper", "lower"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("text", ENTRIES, ids=list(ENTRIES.values()))
def test_every_text_of_the_story_is_known_in_every_wrapper_and_letter_case(text: str, wrapper: str, case: type[str]) -> None:
    found = explain(case(WRAPPERS[wrapper][0].format(text=text)))
    assert ids(found) == [ENTRIES[text]]


@pytest.mark.parametrize("wrapper", [name for name, (_, image) in WRAPPERS.items() if image])
def test_a_reached_limit_gives_the_migration_of_that_very_image(wrapper: str) -> None:
    (cause,) = explain(WRAPPERS[wrapper][0].format(text=LIMIT)).causes
    assert [(image.reference, image.target) for image in cause.images] == [(NODE, TARGET)]
    assert "unhub migrate --write" in {step.run for step in cause.steps}


def test_the_pitfall_of_the_story_has_one_cause_and_one_fix() -> None:
    found = explain(f"{REGION}\n{TTY}\n")
    (cause,) = found.causes
    assert (cause.id, cause.line) == ("ecr-public-no-such-region", 1)
    assert [step.run for step in cause.steps] == [LOGIN]
    assert "ap-northeast-1" in cause.title
    assert [(sign.id, sign.line) for sign in cause.follow_ups] == [("docker-login-non-tty", 2)]
    assert found.unknown_count == 0


def test_programs_of_a_pipe_may_write_in_any_order() -> None:
    assert ids(explain(f"{TTY}\n{REGION}\n")) == ["ecr-public-no-such-region"]


def test_the_echo_alone_says_that_its_cause_is_not_in_the_log() -> None:
    (cause,) = explain(TTY).causes
    assert cause.id == "docker-login-non-tty"
    assert "this log does not show it" in cause.why


def test_the_right_region_that_cannot_be_reached_is_another_matter() -> None:
    (cause,) = explain(REGION.replace("ap-northeast-1", "us-east-1")).causes
    assert cause.id == "ecr-public-no-such-region"
    assert cause.title == "The API of ECR Public cannot be reached from here"


def test_a_line_of_progress_is_no_cause() -> None:
    progress = "#2 resolve image config for docker-image://docker.io/docker/dockerfile:1\n#2 DONE 0.4s\n"
    assert ids(explain(progress)) == []
    other = progress + f"#3 [internal] load metadata for docker.io/library/node:20\n#3 ERROR: {LIMIT}\n"
    (cause,) = explain(other).causes
    assert "dockerfile-frontend-from-hub" not in {sign.id for sign in cause.signs}


def test_frontend_and_builder_image_need_other_steps_than_a_from() -> None:
    frontend = explain((LOGS / "dockerfile-frontend-from-hub" / "log.txt").read_bytes()).causes[0]
    builder = explain((LOGS / "buildkit-builder-image-from-hub" / "log.txt").read_bytes()).causes[0]
    assert any("BUILDKIT_SYNTAX" in (step.run or "") for step in frontend.steps)
    assert any("--driver-opt image=" in (step.run or "") for step in builder.steps)
    for cause in (frontend, builder):
        assert not cause.images
        assert "unhub migrate --write" not in {step.run for step in cause.steps}


def test_what_cannot_move_is_said_to_stay() -> None:
    (cause,) = explain(f"#3 [internal] load metadata for docker.io/acme/app:1\n#3 ERROR: {LIMIT}\n").causes
    assert [(image.reference, image.target) for image in cause.images] == [("acme/app:1", None)]
    assert cause.images[0].reason
    assert "unhub migrate --write" not in {step.run for step in cause.steps}
    assert cause.steps, "something is left to do"


def test_the_target_is_the_one_of_the_settings() -> None:
    (cause,) = explain(f"FROM acme/app:1\n{LIMIT}\n", "mirror:mirror.shop.example/hub").causes
    assert cause.images[0].target == "mirror.shop.example/hub/acme/app:1"


def test_manifests_asked_for_by_digest_are_shown_by_their_tag() -> None:
    digest = "sha256:" + "0a" * 32
    log = "#3 [internal] load metadata for docker.io/library/redis:7\n"
    log += f"#3 ERROR: https://registry-1.docker.io/v2/library/redis/manifests/{digest}: 429 Too Many Requests"
    log += f" - Server message: {LIMIT}\n"
    assert [image.reference for image in explain(log).causes[0].images] == ["redis:7"]


def test_images_of_other_registries_are_not_blamed() -> None:
    log = f"#3 [internal] load metadata for public.ecr.aws/docker/library/node:20\n#3 DONE\n{LIMIT}\n"
    assert explain(log).causes[0].images == ()


@pytest.mark.parametrize(
    ("text", "near", "title"),
    [
        ("429 Too Many Requests", "GET https://public.ecr.aws/v2/x/manifests/1", "ECR Public got too many requests at once"),
        ("429 Too Many Requests", "HEAD https://auth.docker.io/token", "Docker Hub's guard against abuse stepped in"),
        ("429 Too Many Requests", "hello", "A registry got too many requests at once"),
        ("unauthorized: authentication required", "push to public.ecr.aws/a/b", "ECR Public wants a login"),
        ("unauthorized: authentication required", "push to docker.io/a/b", "Docker Hub wants a login"),
        ("unauthorized: authentication required", "hello", "A registry wants a login"),
        (CHOICE, "+ aws ecr-public x", TOO_OLD),
        (CHOICE, "+ aws s4 ls", NOT_A_COMMAND),
        ("manifest unknown: manifest unknown", "FROM public.ecr.aws/a/b:9", "ECR Public has no image public.ecr.aws/a/b:9"),
        ("manifest unknown: manifest unknown", "FROM node:9999", "Docker Hub has no image node:9999"),
        ("dial tcp 192.0.2.1:443: i/o timeout", "Head https://public.ecr.aws/v2/", "ECR Public cannot be reached from here"),
        ("dial tcp: lookup quay.io: no such host", "hello", "quay.io cannot be reached from here"),
    ],
)  # fmt: skip
def test_a_short_text_is_understood_from_the_lines_around_it(text: str, near: str, title: str) -> None:
    assert [cause.title for cause in explain(f"{near}\n{text}\n").causes] == [title]


def test_a_denied_token_names_the_very_role() -> None:
    (cause,) = explain((LOGS / "iam-ecr-public-token-denied" / "log.txt").read_bytes()).causes
    assert [step.run for step in cause.steps] == ["unhub iam-policy --role codebuild-shop-service-role"]


def test_a_failed_login_comes_before_all_that_it_causes() -> None:
    (cause,) = explain((LOGS / "login-failed-then-all-else" / "log.txt").read_bytes()).causes
    assert cause.id == "aws-no-credentials"
    assert [sign.id for sign in cause.follow_ups] == ["docker-login-non-tty", "ecr-public-rate-exceeded", "push-unauthorized"]


def test_causes_that_have_nothing_to_do_with_each_other_are_all_told() -> None:
    found = explain((LOGS / "several-causes" / "log.txt").read_bytes())
    assert ids(found) == ["hub-pull-limit", "tag-not-found"]
    assert found.causes[0].count == 3


def test_unknown_errors_are_called_unknown() -> None:
    found = explain("compiling\nsegmentation fault: error 17\n0 errors\nexit status 2\n")
    assert not found.causes
    assert [(line.line, line.text) for line in found.unknown] == [(2, "segmentation fault: error 17")]
    assert found.consequences == 1
    only = explain("make: *** [all] Error 2\n")
    assert [line.line for line in only.unknown] == [1], "the only trace of a failure is shown"
    many = explain("".join(f"error {number}\n" for number in range(1, 101)))
    assert many.unknown_count == 100
    assert [line.line for line in many.unknown] == [1, 2, 3, 4, 5, 96, 97, 98, 99, 100]


def test_secrets_are_not_shown() -> None:
    key, token = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "eyJwYXlsb2FkIjoiYWJjZGVm"
    log = (
        f"error: AWS_SECRET_ACCESS_KEY={key} Authorization: Bearer {token}\n"
        f"docker login -u AWS -p {token}: {TTY}\nhttps://me:hunter2@registry.example/ {LIMIT}\n"
    )
    found = explain(log)
    for text in (records.render(found), *annotations.render(found), repr(found)):
        assert "hunter2" not in text
        assert key not in text
        assert token not in text
    assert LIMIT in records.render(found)


def test_nothing_of_a_log_reaches_a_command_but_plain_words() -> None:
    evil = "$(reboot);`id`"
    assert command("run {name|NAME}", {"name": evil}) == "run NAME"
    assert command("run {name|NAME}", {"name": "-rf"}) == "run NAME"
    assert command("run {name|NAME}", {"name": "a/b:1.0"}) == "run a/b:1.0"
    assert sentence("It is {name|unknown}.", {}) == "It is unknown."
    assert "hunter2" not in sentence("It is {name|x}.", {"name": "https://u:hunter2@h/"})
    log = f"manifest for $(reboot)/x:1 not found\n{REGION.replace('ap-northeast-1', 'x;reboot')}\n"
    log += "repository public.ecr.aws/`id` not found: name unknown\n"
    for cause in explain(log).causes:
        for step in cause.steps:
            assert not set("`;") & set(step.run or "")
            assert "reboot" not in (step.run or "")


def test_whom_to_grant_and_which_name_was_meant() -> None:
    assert subject_option("arn:aws:sts::123456789012:assumed-role/build/session") == "--role build"
    assert subject_option("arn:aws:iam::123456789012:user/team/ann") == "--user ann"
    assert subject_option("arn:aws:sts::***:assumed-role/***/x") is None
    assert subject_option("arn:aws:iam::123456789012:root") is None
    assert suggestion("public.ecr.aws/docker/node:20") == "public.ecr.aws/docker/library/node:20"
    assert suggestion("public.ecr.aws/docker/library/node:20") is None
    assert suggestion("node") is None
    assert suggestion("$x") is None


def test_annotations_of_github_escape_what_they_must() -> None:
    (text,) = annotations.render(explain(f"FROM node:18\n{LIMIT} 100%\n"))
    assert text.startswith("::error title=unhub%3A Docker Hub's pull limit is reached::")
    assert "100%25" in text
    assert "FROM node:18 -> public.ecr.aws/docker/library/node:18" in text
    assert text.count("\n") == 1
    (notice,) = annotations.render(explain("error: x\n"))
    assert notice == "::notice title=unhub: unknown errors::1: error: x\n"


NOISE = st.sampled_from(
    [
        "", "Sending build context to Docker daemon  12.29kB", "npm WARN deprecated x", "#1 DONE 0.0s", "0 errors", "ok 12 tests",
        " ---> 0a1b2c3d", "Downloading 10%\rDownloading 100%", "\x1b[32mdone\x1b[0m", "FROM public.ecr.aws/docker/library/alpine:3",
        "[Container] 2024/03/11 01:20:12 Phase complete: BUILD State: FAILED", "exit status 1", "error: something else",
        "ERROR: Job failed: exit code 1", "make: *** [build] Error 1", "{\"level\":\"info\",\"msg\":\"hello\"}",
    ]
)  # fmt: skip
FOLLOW_UPS = {
    "ecr-public-no-such-region": [TTY, TTY.lower(), "unauthorized: authentication required", "toomanyrequests: Rate exceeded"],
    "hub-pull-limit": ["Error: ErrImagePull", "Error: ImagePullBackOff", 'Back-off pulling image "nginx"', LIMIT.lower()],
}


@given(st.data(), st.sampled_from([(REGION, "ecr-public-no-such-region"), (LIMIT, "hub-pull-limit")]))
def test_noise_and_follow_ups_never_change_the_first_cause(data: st.DataObject, cause: tuple[str, str]) -> None:
    text, wanted = cause
    before = data.draw(st.lists(NOISE, max_size=8))
    behind = data.draw(st.lists(NOISE | st.sampled_from(FOLLOW_UPS[wanted]), max_size=12))
    found = explain("\n".join([*before, text, *behind]))
    assert ids(found) == [wanted]
    assert found.causes[0].line == len(before) + 1


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read_to_the_end(data: bytes) -> None:
    found = explain(data)
    records.render(found)
    list(annotations.render(found))


def test_a_warning_hides_no_failure() -> None:
    """The password's warning is about the login, and a refused pull may follow from a failed login: from a warned one it does not."""
    found = explain("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\ntoomanyrequests: Rate exceeded\n")
    assert ids(found) == ["ecr-public-rate-exceeded"]
    assert [warning.id for warning in found.warnings] == ["docker-login-insecure-password"]


def test_of_two_that_could_each_follow_from_the_other_the_first_is_told() -> None:
    pulled = (
        'Failed to pull image "nginx": rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/nginx:latest": '
    )
    found = explain(f"{pulled}toomanyrequests\nToo Many Requests (HAP429)\n")
    assert len(found.causes) == 1
    assert {sign.id for cause in found.causes for sign in (*cause.signs, *cause.follow_ups)} >= {"kubelet-pull-failed"}


@given(st.lists(st.sampled_from([str(symptom.sample) for symptom in symptoms() if symptom.sample]), max_size=12))
def test_symptoms_in_any_order_have_a_first_cause_and_no_cycle(texts: Sequence[str]) -> None:
    """Every finding is told, as a cause, below one, or as a warning; one that is below another by the sign that tells it best."""
    result = Diagnosis(symptoms(), consequences()).read(io.BytesIO("\n".join(texts).encode()))
    told = [*result.warnings, *(one for cause, follow_ups in result.causes for one in (cause, *follow_ups))]
    signs = {face.symptom.id for one in told for face in one.faces}
    harmless = {"dockerfile-frontend-from-hub"}
    wanted = {symptom.id for symptom in symptoms() if symptom.sample in texts} - harmless
    assert wanted <= signs


def test_a_log_of_any_size_takes_little_memory() -> None:
    import tracemalloc

    line = f"#3 ERROR: {LIMIT} for docker.io/library/node:"
    log = io.BytesIO("".join(f"{line}{number}\nerror {number}\nmanifest for a/b:{number} not found\n" for number in range(3_000)).encode())
    diagnosis = Diagnosis(symptoms(), consequences())
    tracemalloc.start()
    result = diagnosis.read(log)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    assert diagnosis.left_out > 0
    assert [finding.count for finding, _ in result.causes if finding.first.symptom.id == "hub-pull-limit"] == [3_000]
