"""What is done in a process of its own leaves nothing behind but its words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub import aws_endpoint, aws_environment
from unhub.aws import password_process
from unhub.image.errors import AwsError, UnhubError
from unhub.server.aside import aside


def test_it_is_done_elsewhere_before_it_goes_on(tmp_path: Path) -> None:
    def work() -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))

    aside(work)
    assert int((tmp_path / "pid").read_text()) != os.getpid()


def test_the_words_of_what_it_raised_come_back() -> None:
    def work() -> None:
        raise ValueError("the table is full")

    with pytest.raises(UnhubError, match="the table is full"):
        aside(work)
    with pytest.raises(UnhubError, match="ended with status -9"):
        aside(lambda: os.kill(os.getpid(), 9))


def test_aws_is_asked_without_the_sdk_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_endpoint() as aws:
        for name, value in aws_environment(aws).items():
            monkeypatch.setenv(name, value)
        code = "import sys; from unhub.aws.password_process import ask; print(ask()[0], 'botocore' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "AWS False\n"


def test_what_aws_said_is_said_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_endpoint() as aws:
        env = aws_environment(aws) | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(AwsError, match="cannot get ECR Public's password") as failed:
            password_process.ask()
        assert failed.value.hint


def test_a_process_that_does_not_answer_is_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_process, "COMMAND", (sys.executable, "-c", "print('half an answ')"))
    with pytest.raises(AwsError, match="did not answer"):
        password_process.ask()
