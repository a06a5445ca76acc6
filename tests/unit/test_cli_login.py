"""``unhub login``: one password, stored where docker, podman and helm look, and said to whom it belongs and until when."""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_stand_in import SECRET_KEY, StandIn, aws_stand_in, nobody
from tests.command_line import Ended, process, unhub
from tests.fake_helper import FakeHelper
from unhub.cli.login import until

ECR = "public.ecr.aws"


class User:
    """A person with a home, a PATH of her own, and AWS on loopback."""

    def __init__(self, aws: StandIn, folder: Path) -> None:
        self.aws, self.home, self.bin = aws, folder / "home", folder / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        self.runtime = folder / "run"
        self.environment = {
            **aws.environment(str(self.home)),
            "PATH": str(self.bin),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_CONFIG_HOME": "",
            "XDG_CACHE_HOME": "",
            "DOCKER_CONFIG": "",
            "DOCKER_AUTH_CONFIG": "",
            "REGISTRY_AUTH_FILE": "",
            "HELM_REGISTRY_CONFIG": "",
            "HELM_CONFIG_HOME": "",
        }

    def login(self, *arguments: str, **environment: str) -> Ended:
        return unhub("login", *arguments, cwd=self.home, env={**self.environment, **environment})

    def has(self, program: str) -> None:
        path = self.bin / program
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)

    def file(self, tool: str) -> Path:
        return {
            "docker": self.home / ".docker" / "config.json",
            "podman": self.runtime / "containers" / "auth.json",
            "helm": self.home / ".config" / "helm" / "registry" / "config.json",
        }[tool]

    def document(self, tool: str) -> dict[str, dict[str, object]]:
        return json.loads(self.file(tool).read_text())

    def password(self, tool: str, registry: str = ECR) -> str:
        entry = json.loads(self.file(tool).read_text())["auths"][registry]
        username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        assert username == "AWS"
        return password


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with aws_stand_in() as aws:
        yield User(aws, tmp_path)


def test_docker_is_logged_in_and_the_end_is_said(user: User) -> None:
    done = user.login()
    assert done.status == 0, done.err
    lines = done.text.splitlines()
    assert re.fullmatch(r"logged in to public\.ecr\.aws as AWS, until \d{4}-\d\d-\d\d \d\d:\d\d \S+ \(in 12 h\)", lines[0])
    assert lines[1:] == ["  docker  ~/.docker/config.json"]
    assert "warning: the password lies unencrypted in ~/.docker/config.json" in done.err
    assert user.password("docker") == user.aws.passwords[0]
    assert len(user.aws.asked) == 1


def test_a_file_that_cannot_be_written_is_an_error_and_holds_no_password_to_warn_of(user: User, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = user.login("--tool", "docker", DOCKER_CONFIG=str(tmp_path / "file" / "docker"))
    assert done.status == 5
    assert "cannot write" in done.err
    assert "nothing was changed there" in done.err
    assert "warning" not in done.err
    assert "internal error" not in done.err


def test_podman_and_helm_are_logged_in_where_they_are_in_use(user: User) -> None:
    user.has("skopeo")
    user.file("helm").parent.mkdir(parents=True)
    user.file("helm").write_text("{}")
    done = user.login()
    assert [line.split()[0] for line in done.text.splitlines()[1:]] == ["docker", "podman", "helm"]
    assert {user.password(tool) for tool in ("docker", "podman", "helm")} == {user.aws.passwords[0]}
    assert len(user.aws.asked) == 1


def test_only_the_named_tools_are_logged_in(user: User) -> None:
    user.has("docker")
    assert user.login("--tool", "helm", "--tool", "podman").status == 0
    assert user.password("helm") == user.password("podman") == user.aws.passwords[0]
    assert not user.file("docker").exists()


def test_a_file_that_two_tools_share_is_written_once(user: User, tmp_path: Path) -> None:
    user.has("podman")
    (tmp_path / "config.json").write_text("{}")
    done = user.login(DOCKER_CONFIG=str(tmp_path))
    assert done.text.splitlines()[1:] == [f"  docker, podman  {tmp_path}/config.json"]


def test_a_credential_store_keeps_the_password_and_nothing_is_warned_of(user: User) -> None:
    helper = FakeHelper(user.bin)
    user.file("docker").parent.mkdir()
    user.file("docker").write_text('{"credsStore": "fake"}')
    done = user.login()
    assert (done.status, done.err) == (0, "")
    assert done.text.splitlines()[1:] == ["  docker  helper fake"]
    assert helper.logins[ECR]["Secret"] == user.aws.passwords[0]
    assert user.aws.passwords[0] not in user.file("docker").read_text()


@pytest.mark.parametrize("helper", ["unhub", "ecr-login"])
def test_nothing_is_stored_where_a_helper_asks_aws_itself(user: User, helper: str) -> None:
    user.file("docker").parent.mkdir()
    text = json.dumps({"credHelpers": {ECR: helper}})
    user.file("docker").write_text(text)
    done = user.login()
    assert done.status == 0
    assert f"nothing to store: docker-credential-{helper} asks AWS by itself" in done.text
    assert user.file("docker").read_text() == text


def test_the_dual_stack_name_and_stand_ins_are_logged_in_to_under_their_names(user: User) -> None:
    for registry in ("ecr-public.aws.com", "localhost:5002", "127.0.0.1:5002"):
        assert user.login("--registry", registry).status == 0
        assert user.password("docker", registry) == user.aws.passwords[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--region", "ap-northeast-1"],
            "cannot log in to ECR Public through the region 'ap-northeast-1': its API is only in us-east-1 and us-west-2",
        ),
        (["--registry", "ghcr.io"], "cannot log in to 'ghcr.io': only ECR Public"),
        (["--registry", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"], "aws ecr get-login-password"),
        (["--registry", "localhost.evil.example"], "only ECR Public"),
        (["--print-password", "--erase"], "cannot use --print-password together with --erase"),
        (["--print-password", "--tool", "docker"], "it stores nothing"),
        (["--helper", "--profile", "x"], "AWS_PROFILE"),
        (["--tool", "nerdctl"], "nerdctl"),
    ],
)
def test_mistakes_of_the_call_are_told_before_aws_is_asked(user: User, arguments: list[str], reason: str) -> None:
    done = user.login(*arguments)
    assert (done.status, done.out) == (2, b"")
    assert reason in done.err
    assert user.aws.asked == []
    assert not user.file("docker").exists()


def test_the_pitfall_of_another_region_is_explained(user: User) -> None:
    assert "Cannot perform an interactive login from a non TTY device" in user.login("--region", "ap-northeast-1").err


def test_us_west_2_is_asked_on_request(user: User) -> None:
    assert user.login("--region", "us-west-2").status == 0
    assert "/us-west-2/ecr-public/" in user.aws.asked[0]["Authorization"]


def test_the_password_alone_goes_to_standard_output_and_nothing_is_stored(user: User) -> None:
    done = user.login("--print-password")
    assert done.text == f"{user.aws.passwords[0]}\n"
    assert re.fullmatch(r"the password holds until .* \(in 12 h\)\n", done.err)
    assert list(user.home.iterdir()) == []


def test_other_keys_of_the_file_stay_as_they_are(user: User) -> None:
    user.file("docker").parent.mkdir()
    user.file("docker").write_text('{\n  "HttpHeaders": {"X": "y"},\n  "auths": {"ghcr.io": {"auth": "dTpw"}}\n}\n')
    user.login()
    text = user.file("docker").read_text()
    assert text.startswith('{\n  "HttpHeaders": {"X": "y"},\n  "auths": {"ghcr.io": {"auth": "dTpw"}, "public.ecr.aws": {')


def test_one_broken_file_does_not_keep_the_others_from_being_written(user: User) -> None:
    user.has("podman")
    user.file("docker").parent.mkdir()
    user.file("docker").write_text("{broken")
    done = user.login()
    assert done.status == 5
    assert "unhub: docker: cannot read ~/.docker/config.json: line 1, column 2" in done.err
    assert user.password("podman") == user.aws.passwords[0]
    assert user.file("docker").read_text() == "{broken"
    alone = user.login("--tool", "docker")
    assert (alone.status, alone.out) == (5, b"")


def test_a_file_that_others_may_read_is_warned_of(user: User) -> None:
    user.file("docker").parent.mkdir()
    user.file("docker").write_text("{}")
    user.file("docker").chmod(0o644)
    assert "others on this machine may read ~/.docker/config.json (mode 0644)" in user.login().err


def test_aws_refusals_end_with_status_5_and_touch_nothing(user: User) -> None:
    user.aws.refuse("AccessDeniedException", "User: u is not authorized to perform: ecr-public:GetAuthorizationToken on resource: *")
    done = user.login()
    assert (done.status, done.out) == (5, b"")
    assert "the permission ecr-public:GetAuthorizationToken is missing" in done.err
    assert "`unhub iam-policy`" in done.err
    assert not user.file("docker").exists()


# --helper and --erase


def test_the_helper_is_set_for_docker_and_podman_and_old_passwords_go(user: User) -> None:
    user.has("podman")
    user.login()
    user.has("docker-credential-unhub")
    done = user.login("--helper")
    assert done.status == 0, done.err
    assert done.text.splitlines()[1:] == [
        "  docker  credHelpers in ~/.docker/config.json",
        f"  podman  credHelpers in {user.file('podman')}",
    ]
    for tool in ("docker", "podman"):
        assert user.document(tool) == {"auths": {}, "credHelpers": {ECR: "unhub"}}
    assert len(user.aws.asked) == 1, "setting the helper asks AWS nothing"


def test_a_helper_in_its_place_is_named(user: User) -> None:
    user.has("docker-credential-unhub")
    user.file("docker").parent.mkdir()
    user.file("docker").write_text(json.dumps({"credHelpers": {ECR: "ecr-login"}}))
    assert "(in place of 'ecr-login')" in user.login("--helper").text


def test_a_helper_that_docker_could_not_run_is_not_set(user: User) -> None:
    done = user.login("--helper")
    assert done.status == 5
    assert "docker-credential-unhub is not on PATH" in done.err
    assert not user.file("docker").exists()


def test_erase_takes_back_a_login(user: User) -> None:
    user.has("podman")
    user.login()
    done = user.login("--erase")
    assert done.status == 0
    assert done.text.splitlines() == [
        "no login for public.ecr.aws any more",
        "  docker  removed from ~/.docker/config.json",
        f"  podman  removed from {user.file('podman')}",
    ]
    assert user.document("docker") == user.document("podman") == {"auths": {}}
    assert user.login("--erase").text.splitlines()[1] == "  docker  there was nothing"


def test_erase_takes_back_the_helper_and_what_it_kept(user: User) -> None:
    user.has("docker-credential-unhub")
    user.login("--helper")
    kept = user.home / ".cache" / "unhub" / "ecr-public-x.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    done = user.login("--erase")
    assert "  docker  removed from credHelpers in ~/.docker/config.json" in done.text
    assert "kept for the helper are removed" in done.err
    assert user.document("docker") == {}
    assert not kept.exists()


def test_erase_asks_a_credential_store_and_leaves_other_helpers_alone(user: User) -> None:
    helper = FakeHelper(user.bin)
    user.file("docker").parent.mkdir()
    user.file("docker").write_text('{"credsStore": "fake"}')
    user.login()
    assert "removed from helper fake" in user.login("--erase").text
    assert helper.logins == {}
    text = json.dumps({"credHelpers": {ECR: "ecr-login"}})
    user.file("docker").write_text(text)
    assert "there was nothing" in user.login("--erase").text
    assert user.file("docker").read_text() == text


# what is never said


@pytest.mark.parametrize("arguments", [[], ["--helper"], ["--erase"], ["--region", "us-west-2"], ["--registry", "ecr-public.aws.com"]])
@pytest.mark.parametrize("failure", [None, ("AccessDeniedException", "no"), ("UnrecognizedClientException", "no")])
def test_no_secret_is_in_any_output(user: User, arguments: list[str], failure: tuple[str, str] | None) -> None:
    user.has("docker-credential-unhub")
    if failure:
        user.aws.refuse(*failure)
    debug = "import logging, sys; logging.basicConfig(level=logging.DEBUG); from unhub.cli.main import main; sys.exit(main())"
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", debug, "login", *arguments],
        cwd=user.home,
        env={**user.environment, "UNHUB_DEBUG": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 5}
    for secret in (
        SECRET_KEY,
        *user.aws.passwords,
        *(base64.b64encode(f"AWS:{password}".encode()).decode() for password in user.aws.passwords),
    ):
        assert secret not in done.stdout + done.stderr


def test_nobody_is_told_how_to_get_credentials(user: User) -> None:
    done = process("login", cwd=user.home, env={**nobody(str(user.home)), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert done.status == 5
    assert "there are no AWS credentials" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("seconds", "said"), [(12 * 3600 - 1, "in 12 h"), (5400, "in 2 h"), (3599, "in 60 min"), (90, "in 2 min"), (-1, "it is over")]
)
def test_how_far_ahead_an_end_is(seconds: int, said: str) -> None:
    now = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
    assert f"({said})" in until(now + datetime.timedelta(seconds=seconds), now)
