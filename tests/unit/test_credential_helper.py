"""``docker-credential-unhub`` speaks docker's protocol to the letter, and never stops a pull."""

from __future__ import annotations

import datetime
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from tests.aws_stand_in import ACCESS_KEY, SECRET_KEY, StandIn, a_password, aws_stand_in, nobody
from unhub import __version__
from unhub.cli import credential_helper

NOT_FOUND = "credentials not found in native keychain\n"
ECR = "public.ecr.aws"


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def login(self) -> dict[str, str]:
        assert (self.status, self.out.endswith("\n")) == (0, True), self
        return json.loads(self.out)


class Helper:
    """Calls the helper in this process, as the user whose settings are ``environment``."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {"PATH": os.environ["PATH"], **environment}

    def __call__(self, *arguments: str, message: str = "", **environment: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {**self.environment, **environment}, clear=True),
            mock.patch("sys.stdin", io.StringIO(message)),
            mock.patch("sys.stdout", out),
            mock.patch("sys.stderr", err),
        ):
            status = credential_helper.main(arguments)
        return Answer(status, out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "unhub.cli.credential_helper", *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def aws() -> Iterator[StandIn]:
    with aws_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def helper(aws: StandIn, tmp_path: Path) -> Helper:
    return Helper(aws.environment(str(tmp_path)))


@pytest.mark.parametrize(
    ("arguments", "message", "answer"),
    [
        ((), "", "Usage: docker-credential-unhub <store|get|erase|list|version>\n"),
        (("get", "more"), ECR, "Usage: docker-credential-unhub <store|get|erase|list|version>\n"),
        (("fetch",), ECR, "docker-credential-unhub: unknown action: fetch\n"),
        (("get",), "", "no credentials server URL\n"),
        (("get",), " \n", "no credentials server URL\n"),
        (("erase",), "", "no credentials server URL\n"),
        (("get",), "docker.io", NOT_FOUND),
        (("get",), "https://index.docker.io/v1/", NOT_FOUND),
        (("get",), "public.ecr.aws.evil.example", NOT_FOUND),
        (("get",), "evil.example/public.ecr.aws", NOT_FOUND),
        (("get",), "https://public.ecr.aws@evil.example/", NOT_FOUND),
        (("get",), "123456789012.dkr.ecr.us-east-1.amazonaws.com", NOT_FOUND),
        (("get",), "localhost:5000", NOT_FOUND),
        (("store",), "not json", "docker-credential-unhub: the message to store is not JSON\n"),
        (("store",), "[]", "no credentials server URL\n"),
        (("store",), '{"Username": "AWS", "Secret": "s"}', "no credentials server URL\n"),
        (("store",), '{"ServerURL": "public.ecr.aws", "Secret": "s"}', "no credentials username\n"),
    ],
)
def test_errors_go_to_standard_output_with_status_1_and_ask_aws_nothing(
    helper: Helper, aws: StandIn, arguments: tuple[str, ...], message: str, answer: str
) -> None:
    assert helper(*arguments, message=message) == Answer(1, answer, "")
    assert aws.asked == []


@pytest.mark.parametrize(
    "server",
    [
        ECR,
        f"{ECR}:443",
        f"{ECR}/docker/library",
        f"https://{ECR}",
        f"https://{ECR}/",
        f"https://{ECR}/v2/",
        "Public.ECR.aws",
        "ecr-public.aws.com",
        "https://ecr-public.aws.com:443/v2/",
    ],
)
def test_get_answers_for_every_spelling_of_ecr_public(helper: Helper, aws: StandIn, server: str) -> None:
    answer = helper("get", message=server)
    assert answer.login == {"ServerURL": server, "Username": "AWS", "Secret": aws.passwords[0]}
    assert answer.err == ""


def test_list_and_version(helper: Helper, aws: StandIn) -> None:
    assert helper("list", message="unused").login == {ECR: "AWS"}
    for word in ("version", "--version", "-v"):
        assert helper(word) == Answer(0, f"docker-credential-unhub (unhub) {__version__}\n", "")
    assert helper("--help").status == 0
    assert aws.asked == []


def test_a_second_get_asks_aws_nothing(helper: Helper, aws: StandIn, tmp_path: Path) -> None:
    first, second = helper("get", message=ECR), helper("get", message=f"https://{ECR}")
    assert first.login["Secret"] == second.login["Secret"]
    assert len(aws.asked) == 1
    kept = list((tmp_path / ".cache" / "unhub").iterdir())
    assert kept
    for path in kept:
        assert SECRET_KEY not in path.read_text()
        assert ACCESS_KEY not in f"{path} {path.read_text()}"


def test_another_identity_region_or_configuration_has_its_own_password(helper: Helper, aws: StandIn, tmp_path: Path) -> None:
    helper("get", message=ECR)
    helper("get", message=ECR, AWS_ACCESS_KEY_ID="AKIAOTHER")
    helper("get", message=ECR, UNHUB_REGION="us-west-2")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n")
    helper("get", message=ECR)
    assert len(aws.asked) == 4
    helper("get", message=ECR, XDG_CACHE_HOME=str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / "unhub").is_dir()
    helper("get", message=ECR, XDG_CACHE_HOME="relative")
    assert len(aws.asked) == 5


def test_a_failure_is_told_on_standard_error_and_docker_pulls_anonymously(helper: Helper, aws: StandIn) -> None:
    aws.refuse(
        "AccessDeniedException", "User: u is not authorized to perform: sts:GetServiceBearerToken on resource: *\nwith \x1b[31mcolour"
    )
    answer = helper("get", message=ECR)
    assert (answer.status, answer.out) == (1, NOT_FOUND)
    assert answer.err.startswith(
        "docker-credential-unhub: cannot get ECR Public's password: the permission sts:GetServiceBearerToken is missing"
    )
    assert "`unhub iam-policy`" in answer.err
    assert answer.err.count("\n") == 1
    assert "\x1b" not in answer.err


def test_without_credentials_or_with_an_odd_region_the_reason_is_told(tmp_path: Path) -> None:
    helper = Helper(nobody(str(tmp_path)))
    answer = helper("get", message=ECR)
    assert (answer.status, answer.out) == (1, NOT_FOUND)
    assert "there are no AWS credentials" in answer.err
    assert "only in us-east-1 and us-west-2" in helper("get", message=ECR, UNHUB_REGION="eu-west-1").err


def test_a_failure_of_our_own_still_lets_docker_pull(helper: Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("s3cret")

    monkeypatch.setattr(credential_helper, "kept_or_fetched", broken)
    answer = helper("get", message=ECR)
    assert (answer.status, answer.out) == (1, NOT_FOUND)
    assert "internal error: ZeroDivisionError" in answer.err
    assert "s3cret" not in answer.err


def test_docker_login_is_kept_and_used_to_its_end_and_docker_logout_forgets(
    helper: Helper, aws: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = a_password(time.time() + 3600, "given")
    assert helper("store", message=json.dumps({"ServerURL": ECR, "Username": "AWS", "Secret": given})) == Answer(0, "", "")
    assert helper("get", message=f"https://{ECR}").login["Secret"] == given
    assert aws.asked == []
    monkeypatch.setattr(credential_helper.time, "time", lambda: datetime.datetime.now().timestamp() + 3600)
    assert helper("get", message=ECR).login["Secret"] == aws.passwords[0]
    monkeypatch.undo()
    assert helper("erase", message=ECR) == Answer(0, "", "")
    assert helper("get", message=ECR).login["Secret"] == aws.passwords[1]


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"ServerURL": "ghcr.io", "Username": "me", "Secret": "s3cret"}, "name it under credHelpers, not as credsStore"),
        ({"ServerURL": ECR, "Username": "me", "Secret": "s3cret"}, "ECR Public's user name"),
        ({"ServerURL": ECR, "Username": "<token>", "Secret": "s3cret"}, "ECR Public's user name"),
        ({"ServerURL": ECR, "Username": "AWS", "Secret": ""}, "ECR Public's user name"),
    ],
)
def test_what_would_not_be_given_back_is_not_taken(helper: Helper, login: dict[str, str], reason: str) -> None:
    answer = helper("store", message=json.dumps(login))
    assert (answer.status, answer.err) == (1, "")
    assert reason in answer.out
    assert "s3cret" not in answer.out


def test_a_login_that_cannot_be_kept_is_refused_in_words(helper: Helper) -> None:
    message = json.dumps({"ServerURL": ECR, "Username": "AWS", "Secret": "s"})
    answer = helper("store", message=message, XDG_CACHE_HOME="/dev/null")
    assert answer.status == 1
    assert "None is needed" in answer.out


def test_erasing_what_is_not_ours_succeeds_so_that_docker_removes_its_own_entry(helper: Helper) -> None:
    assert helper("erase", message="ghcr.io") == Answer(0, "", "")
    assert helper("erase", message=ECR) == Answer(0, "", "")


def test_a_stand_in_on_this_machine_is_served_where_the_endpoint_says_so(helper: Helper) -> None:
    moved = "docker.io=http://localhost:1 public.ecr.aws=http://localhost:5002/"
    assert helper("get", message="localhost:5002", UNHUB_ENDPOINT=moved).login["Username"] == "AWS"
    for server in ("localhost:5003", "localhost", "localhost:1"):
        assert helper("get", message=server, UNHUB_ENDPOINT=moved).out == NOT_FOUND
    elsewhere = "public.ecr.aws=https://mirror.example"
    assert helper("get", message="mirror.example", UNHUB_ENDPOINT=elsewhere).out == NOT_FOUND


def test_twenty_processes_at_once_make_one_call_to_aws(helper: Helper, aws: StandIn) -> None:
    aws.delay = 0.5
    processes = [helper.start("get") for _ in range(20)]
    answers = [process.communicate(ECR, timeout=120) for process in processes]
    assert {json.loads(out)["Secret"] for out, _ in answers} == {aws.passwords[0]}
    assert [err for _, err in answers if err] == []
    assert len(aws.asked) == 1


def test_it_is_installed_as_a_program(helper: Helper, aws: StandIn) -> None:
    program = Path(sys.executable).with_name("docker-credential-unhub")
    done = subprocess.run([program, "get"], input=ECR, env=helper.environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Secret"] == aws.passwords[0]
    assert subprocess.run([program, "nothing"], env=helper.environment, capture_output=True, text=True, check=False).returncode == 1
