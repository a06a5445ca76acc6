"""The login as it is inserted, really run: with dash and bash, against an ``aws`` and a ``docker`` made for the test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from unhub.formats._yaml.parse import Mapping, Scalar, Sequence, parse
from unhub.image.errors import UsageError
from unhub.image.source import Source
from unhub.setup import jenkins
from unhub.setup.codebuild import set_up
from unhub.setup.login_line import Form, login, token_lines
from unhub.setup.outcome import Wishes

DENIED = "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation"
NO_TTY = "Error: Cannot perform an interactive login from a non TTY device"
SECRET = "eyJwYXlsb2FkIjoi%s\\n=="
AWS = f"""#!/bin/sh
echo "$@" >> "$CALLS"
[ "$AWS_FAILS" = yes ] && {{ echo "{DENIED}" >&2; exit 254; }}
printf '%s\\n' '{SECRET}'
"""
DOCKER = f"""#!/bin/sh
echo "docker $@" >> "$CALLS"
read -r password
[ -n "$password" ] || {{ echo "{NO_TTY}" >&2; exit 1; }}
printf '%s' "$password" > "$PASSWORD_FILE"
echo Login Succeeded
"""
SHELLS = ("dash", "bash")


class Machine:
    """A machine whose only ``aws`` and ``docker`` are made here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        for name, text in (("aws", AWS), ("docker", DOCKER)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)

    def run(self, shell: str, script: str, *, aws_fails: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.folder / "calls"),
            "PASSWORD_FILE": str(self.folder / "password"),
            "AWS_FAILS": "yes" if aws_fails else "no",
        }
        return subprocess.run([shell, "-c", script], env=environment, capture_output=True, text=True, timeout=20, check=False)

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text()

    @property
    def calls(self) -> str:
        return (self.folder / "calls").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def inserted(buildspec: str, wishes: Wishes) -> str:
    """The command that setting up puts first into pre_build, as a YAML reader gives it to the shell."""
    after = set_up(Source("buildspec.yml", buildspec.encode()), wishes).after
    node = parse(after)[0].root
    for key in ("phases", "pre_build", "commands"):
        assert isinstance(node, Mapping)
        node = node.get(key)
    assert isinstance(node, Sequence)
    assert isinstance(node.items[0], Scalar)
    return node.items[0].text


def buildspec(shell: str | None = None, *, flow: bool = False) -> str:
    env = f"env:\n  shell: {shell}\n" if shell else ""
    commands = "phases: {build: {commands: ['docker build .']}}\n" if flow else "phases:\n  build:\n    commands:\n    - docker build .\n"
    return f"version: 0.2\n{env}{commands}"


FORMS = [
    pytest.param(shell, text, Wishes(robust=robust), id=f"{shell}-{name}")
    for shell in SHELLS
    for name, text, robust in (
        ("line", buildspec(), False),
        ("robust", buildspec(), True),
        ("robust-in-braces", buildspec(flow=True), True),
        ("line-in-braces", buildspec(flow=True), False),
        ("robust-json", '{"version": "0.2", "phases": {"build": {"commands": ["docker build ."]}}}', True),
    )
] + [pytest.param("bash", buildspec("bash"), Wishes(), id="bash-pipefail")]


@pytest.mark.parametrize(("shell", "text", "wishes"), FORMS)
def test_the_login_succeeds(machine: Machine, shell: str, text: str, wishes: Wishes) -> None:
    done = machine.run(shell, inserted(text, wishes))
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.password == SECRET, "docker gets the password unchanged, percent signs and backslashes too"
    assert sorted(machine.calls.splitlines()) == [
        "docker login --username AWS --password-stdin public.ecr.aws",
        "ecr-public get-login-password --region us-east-1",
    ]
    assert SECRET not in done.stdout + machine.calls, "the password is in no output and no argument"


@pytest.mark.parametrize("shell", SHELLS)
def test_robust_stops_at_the_error_of_aws_and_docker_does_not_run(machine: Machine, shell: str) -> None:
    done = machine.run(shell, inserted(buildspec(), Wishes(robust=True)), aws_fails=True)
    assert done.returncode == 254
    assert DENIED in done.stderr
    assert NO_TTY not in done.stderr
    assert "docker" not in machine.calls


def test_in_bash_the_login_fails_with_the_error_of_aws_first_and_later_pipes_are_as_before(machine: Machine) -> None:
    line = inserted(buildspec("bash"), Wishes())
    done = machine.run("bash", line, aws_fails=True)
    assert done.returncode != 0
    assert DENIED in done.stderr
    assert machine.run("bash", f"{line}; false | true").returncode == 0, "pipefail is not left switched on"


def test_dash_refuses_pipefail_which_is_why_it_is_written_for_bash_only(machine: Machine) -> None:
    assert machine.run("dash", login(Form.PIPEFAIL, "us-east-1")).returncode != 0
    assert "pipefail" not in inserted(buildspec(), Wishes())
    assert "pipefail" not in inserted(buildspec("/bin/sh"), Wishes())


def test_only_regions_that_have_the_service_are_written() -> None:
    assert "--region us-west-2 " in login(Form.LINE, "us-west-2")
    with pytest.raises(UsageError, match="ap-northeast-1"):
        login(Form.LINE, "ap-northeast-1")


@pytest.mark.parametrize("shell", SHELLS)
def test_an_oidc_token_goes_into_a_file_for_its_user_alone_and_nowhere_else(machine: Machine, shell: str) -> None:
    lines = token_lines("TOKEN", "session-$JOB", "arn:aws:iam::123456789012:role/ci")
    show = 'stat -c %a "$AWS_WEB_IDENTITY_TOKEN_FILE"; echo "$AWS_ROLE_SESSION_NAME $AWS_ROLE_ARN"; cat "$AWS_WEB_IDENTITY_TOKEN_FILE"'
    script = "\n".join(["set -e", f"TMPDIR='{machine.folder}' TOKEN='ey.%s.\\x' JOB=7", "export TMPDIR", *lines, show])
    done = machine.run(shell, script)
    assert done.stdout.splitlines() == ["600", "session-7 arn:aws:iam::123456789012:role/ci", "ey.%s.\\x"]
    assert done.stderr == ""


@pytest.mark.parametrize("robust", [False, True])
def test_what_jenkins_runs_prints_no_password_although_its_shell_prints_commands(machine: Machine, robust: bool) -> None:
    pipeline = Source("Jenkinsfile", b"node {\n    sh 'docker build .'\n}\n")
    after = jenkins.set_up(pipeline, Wishes(robust=robust)).after.decode()
    script = after.splitlines()[1].strip().removeprefix("sh ").strip("'")
    for fails in (False, True):
        done = machine.run("dash", f"set -xe\n{script}", aws_fails=fails)
        assert (done.returncode == 0) is not fails
        assert SECRET not in done.stderr + done.stdout
        assert (DENIED in done.stderr) is fails
