"""`unhub run-buildspec`: a buildspec's commands in real shells, phase after phase, as CodeBuild has them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.command_line import Ended, process, repository, unhub
from tests.mirror import is_running, wait_until
from unhub.buildspec import process_groups
from unhub.buildspec.masking import Mask

SHELLS = [name for name in ("sh", "bash") if shutil.which(name)]
_TIME = re.compile(r"^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} ", re.MULTILINE)


def build(folder: Path, text: str, *arguments: str, **environment: str) -> Ended:
    """Run a buildspec of this text in a folder."""
    (folder / "buildspec.yml").write_text(text, "utf-8")
    return unhub("run-buildspec", *arguments, cwd=folder, env=environment)


def said(ended: Ended) -> list[str]:
    """What the commands wrote, without the log's own lines."""
    return [line for line in ended.text.splitlines() if line and not line.startswith("[Container]")]


def log(ended: Ended) -> list[str]:
    """The log's own lines, without the times."""
    return [_TIME.sub("", line) for line in ended.text.splitlines() if line.startswith("[Container]")]


def phases(*parts: str, env: str = "", version: str = "0.2") -> str:
    return f"version: {version}\n{env}phases:\n" + "".join(parts)


def phase(name: str, *commands: str, at_the_end: tuple[str, ...] = (), on_failure: str = "") -> str:
    text = f"  {name}:\n" + (f"    on-failure: {json.dumps(on_failure)}\n" if on_failure else "")
    text += "    commands:\n" + "".join(f"      - {json.dumps(command)}\n" for command in commands)
    return text + ("    finally:\n" + "".join(f"      - {json.dumps(command)}\n" for command in at_the_end) if at_the_end else "")


def test_the_phases_run_in_their_order_whatever_the_order_in_the_file(tmp_path: Path) -> None:
    text = phases(*(phase(name, f"echo {name}") for name in ("post_build", "install", "build", "pre_build")))
    ended = build(tmp_path, text)
    assert (ended.status, said(ended), ended.err) == (0, ["install", "pre_build", "build", "post_build"], "")


def test_the_log_is_codebuilds(tmp_path: Path) -> None:
    ended = build(tmp_path, phases(phase("pre_build", "echo a"), phase("build", "printf x; false"), phase("post_build", "true")))
    assert ended.status == 1
    assert log(ended) == [
        "Entering phase PRE_BUILD",
        "Running command echo a",
        "Phase complete: PRE_BUILD State: SUCCEEDED",
        "Phase context status code:  Message: ",
        "Entering phase BUILD",
        "Running command printf x; false",
        "Command did not exit successfully printf x; false exit status 1",
        "Phase complete: BUILD State: FAILED",
        "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: printf x; false. Reason: exit status 1",
        "Entering phase POST_BUILD",
        "Running command true",
        "Phase complete: POST_BUILD State: SUCCEEDED",
        "Phase context status code:  Message: ",
    ]
    assert "\nx\n" in ended.text  # output without a line end gets one before the next line of the log


@pytest.mark.parametrize("shell", SHELLS)
def test_folder_variables_and_functions_carry_over_through_all_phases(tmp_path: Path, shell: str) -> None:
    text = phases(
        phase("install", "mkdir inner", "cd inner", "TAG=v1", "export EXPORTED=yes"),
        phase("pre_build", 'greet() { echo "hello $1"; }'),
        phase("build", 'echo "$TAG"', "greet you", "sh -c 'echo $EXPORTED'", 'basename "$PWD"'),
        env=f"env:\n  shell: {shell}\n",
    )
    assert said(build(tmp_path, text)) == ["v1", "hello you", "yes", "inner"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("end", ["exit 3", "set -e; (exit 3)", "kill -9 $$", "exec sh -c 'exit 3'", "if then"])
def test_a_command_that_ends_the_shell_fails_and_the_next_one_finds_what_was_there_before(tmp_path: Path, shell: str, end: str) -> None:
    text = phases(
        phase(
            "build", "mkdir inner; cd inner", "TAG='a  b'; export KEPT=\"it's\"", end, "echo never", at_the_end=('echo "$TAG|$KEPT"', "pwd")
        ),
        env=f"env:\n  shell: {shell}\n",
    )
    ended = build(tmp_path, text)
    assert said(ended)[-2:] == ["a  b|it's", f"{tmp_path}/inner"]
    assert ended.status == {"kill -9 $$": 137, "if then": 2}.get(end, 3)
    assert "never" not in said(ended)


def test_a_build_may_end_its_shell_and_succeed(tmp_path: Path) -> None:
    ended = build(tmp_path, phases(phase("build", "echo one; exit 0", "echo two")))
    assert (ended.status, said(ended)) == (0, ["one", "two"])


def test_version_0_1_gives_every_command_a_shell_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    text = phases(phase("build", "cd inner; export X=1", 'echo "${X-unset} $PWD"', "false", "echo never"), version="0.1")
    ended = build(tmp_path, text)
    assert (ended.status, said(ended)) == (1, [f"unset {tmp_path}"])


def test_a_command_of_several_lines_ends_with_its_last(tmp_path: Path) -> None:
    text = phases("  build:\n    commands:\n      - |\n        false\n        echo one\n        cat <<END\n        two\n        END\n")
    ended = build(tmp_path, text)
    assert (ended.status, said(ended)[-2:]) == (0, ["one", "two"])


def test_nothing_in_a_command_or_variable_is_expanded_before_its_shell(tmp_path: Path) -> None:
    values = {"A": "$(echo no) `echo no` $HOME", "B": "'; echo injected; '", "C": "two\nlines"}
    env = "env:\n  variables:\n" + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in values.items())
    ended = build(tmp_path, phases(phase("build", 'printf "%s|%s|%s|" "$A" "$B" "$C"', 'echo "it\'s" \\$HOME'), env=env))
    assert "|".join(values.values()) + "|" in ended.text
    assert said(ended)[-1] == "it's $HOME"


def test_commands_read_nothing_and_have_no_terminal(tmp_path: Path) -> None:
    ended = build(tmp_path, phases(phase("build", "cat; echo read; test -t 0 || test -t 1 || echo no terminal")))
    assert said(ended) == ["read", "no terminal"]


def test_both_streams_come_in_order_and_byte_for_byte(tmp_path: Path) -> None:
    lines = 20_000
    count = f'i=0; while [ $i -lt {lines} ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done'
    ended = build(tmp_path, phases(phase("build", count, "printf '\\377\\000\\n'")))
    assert said(ended)[: 2 * lines] == [f"{stream} {number}" for number in range(lines) for stream in ("out", "err")]
    assert b"\n\xff\x00\n" in ended.out


# what follows when a command fails


def test_finally_runs_and_a_failure_in_it_fails_the_phase(tmp_path: Path) -> None:
    text = phases(
        phase("pre_build", "true", at_the_end=("echo cleanup", "exit 4", "echo never")),
        phase("build", "echo never"),
    )
    ended = build(tmp_path, text)
    assert (ended.status, said(ended)) == (4, ["cleanup"])


@pytest.mark.parametrize(
    ("failing", "rule", "runs"),
    [
        ("install", "", []),
        ("pre_build", "", ["install"]),
        ("build", "", ["install", "pre_build", "post_build"]),
        ("post_build", "", ["install", "pre_build", "build"]),
        ("install", "CONTINUE", ["pre_build", "build", "post_build"]),
        ("build", "abort", ["install", "pre_build"]),
    ],
)
def test_which_phases_follow_a_failed_one(tmp_path: Path, failing: str, rule: str, runs: list[str]) -> None:
    names = ("install", "pre_build", "build", "post_build")
    parts = [phase(name, "exit 9" if name == failing else f"echo {name}", on_failure=rule if name == failing else "") for name in names]
    ended = build(tmp_path, phases(*parts))
    assert (ended.status, said(ended)) == (9, runs)


def test_post_build_may_be_left_out_after_a_failed_build(tmp_path: Path) -> None:
    ended = build(tmp_path, phases(phase("build", "exit 5"), phase("post_build", "echo pushed")), "--stop-after-failed-build")
    assert (ended.status, said(ended)) == (5, [])


def test_codebuild_build_succeeding_tells_the_commands(tmp_path: Path) -> None:
    show = "echo $CODEBUILD_BUILD_SUCCEEDING"
    ended = build(tmp_path, phases(phase("build", show, "false", at_the_end=(show,)), phase("post_build", show, f"sh -c '{show}'")))
    assert said(ended) == ["1", "0", "0", "0"]


def test_the_status_is_that_of_the_first_command_that_failed(tmp_path: Path) -> None:
    text = phases(phase("build", "exit 7", at_the_end=("exit 8",)), phase("post_build", "exit 9"))
    assert build(tmp_path, text).status == 7


@pytest.mark.parametrize(
    ("rule", "tries"),
    [
        ("RETRY", 4),
        ("RETRY-1", 2),
        ("RETRY-0", 1),
        ("RETRY-connection .* out", 4),
        ("Retry-2-.*timed out.*", 3),
        ("RETRY-2-no such thing", 1),
        ("RETRY-exit status 6", 4),
    ],
)
def test_a_build_is_tried_again_as_often_as_its_rule_says(tmp_path: Path, rule: str, tries: int) -> None:
    failing = "echo connection timed out >&2; exit 6"
    ended = build(tmp_path, phases(phase("install", "echo begin; KEPT=1"), phase("build", 'echo "${KEPT-}"', failing, on_failure=rule)))
    assert ended.status == 6
    assert said(ended).count("begin") == tries
    assert len([line for line in log(ended) if line.startswith("Retrying the build (")]) == tries - 1


def test_a_build_that_succeeds_at_the_second_try_is_green_and_had_a_fresh_shell(tmp_path: Path) -> None:
    text = phases(phase("build", 'echo "${X-fresh}"; X=1', "test -e tried || { touch tried; false; }", on_failure="RETRY"))
    ended = build(tmp_path, text)
    assert (ended.status, said(ended)) == (0, ["fresh", "fresh"])


# variables


def test_which_value_of_a_variable_counts(tmp_path: Path) -> None:
    show = 'echo "$MACHINE $OURS $GIVEN $TAKEN"'
    env = "env:\n  variables:\n    OURS: file\n    GIVEN: file\n    TAKEN: file\n"
    own = {"MACHINE": "machine", "OURS": "machine", "TAKEN": "taken"}
    ended = build(tmp_path, phases(phase("build", show), env=env), "--env", "GIVEN=a=b", "--env", "TAKEN", **own)
    assert said(ended) == ["machine file a=b taken"]


def test_numbers_and_booleans_are_what_is_written(tmp_path: Path) -> None:
    env = "env:\n  variables:\n    DOCKER_BUILDKIT: 1\n    FLAG: yes\n    VERSION: 1.20\n    NONE:\n"
    assert said(build(tmp_path, phases(phase("build", 'echo "$DOCKER_BUILDKIT $FLAG $VERSION [$NONE]"'), env=env))) == ["1 yes 1.20 []"]


def test_variables_of_codebuild_that_make_sense_here(tmp_path: Path) -> None:
    repository(tmp_path)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, check=True, text=True).stdout.strip()
    show = 'echo "$CODEBUILD_SRC_DIR $CODEBUILD_RESOLVED_SOURCE_VERSION $AWS_REGION $AWS_DEFAULT_REGION"'
    ended = build(tmp_path, phases(phase("build", show)), AWS_DEFAULT_REGION="eu-west-1", AWS_REGION="")
    assert said(ended)[0].split()[:2] == [str(tmp_path), head]
    ended = build(tmp_path, phases(phase("build", "echo ${CODEBUILD_WEBHOOK_TRIGGER}")), "--env", "CODEBUILD_WEBHOOK_TRIGGER=branch/main")
    assert said(ended) == ["branch/main"]


def test_a_region_that_is_set_is_set_for_every_tool_and_none_is_made_up(tmp_path: Path) -> None:
    show = 'echo "${AWS_REGION-none} ${AWS_DEFAULT_REGION-none}"'
    assert said(build(tmp_path, phases(phase("build", show)), "--env", "AWS_REGION=eu-west-1"))[0].split()[0] == "eu-west-1"
    text = phases(phase("build", show), env="env:\n  variables:\n    AWS_DEFAULT_REGION: eu-west-1\n")
    if "AWS_REGION" not in os.environ:
        assert said(build(tmp_path, text)) == ["eu-west-1 eu-west-1"]


SECRETS = "env:\n  parameter-store:\n    TOKEN: /shop/token\n  secrets-manager:\n    PASSWORD: shop:password\n"


def test_values_that_aws_keeps_are_refused_by_name_unless_they_are_given(tmp_path: Path) -> None:
    ended = build(tmp_path, phases(phase("build", "echo never"), env=SECRETS))
    assert (ended.status, ended.out) == (2, b"")
    assert "TOKEN (parameter-store, line 3), PASSWORD (secrets-manager, line 5)" in ended.err
    assert "--env TOKEN=VALUE" in ended.err


def test_a_secret_reaches_its_command_and_never_the_log(tmp_path: Path) -> None:
    show = phase("build", 'printf %s "$TOKEN" | cut -c 1-3', "echo \"$TOKEN\"; printf 'pass'; sleep 0.2; echo word-of-the-test")
    ended = build(
        tmp_path, phases(show, env=SECRETS), "--env", "PASSWORD", "--env", "TOKEN=of-the-test-token", PASSWORD="password-of-the-test"
    )
    assert said(ended) == ["of-", "***", "***"]


@given(st.lists(st.text("ab", max_size=6), max_size=12), st.text("ab", min_size=1, max_size=5))
def test_a_secret_is_hidden_however_the_output_is_cut(pieces: list[str], secret: str) -> None:
    mask = Mask([secret])
    shown = b"".join([mask.feed(piece.encode()) for piece in pieces] + [mask.end()])
    assert shown.decode() == "".join(pieces).replace(secret, "***")


@given(st.lists(st.text("ab", max_size=6), max_size=12), st.lists(st.text("ab", min_size=2, max_size=5), min_size=1, max_size=3))
def test_of_several_secrets_none_is_shown(pieces: list[str], secrets: list[str]) -> None:
    mask = Mask(secrets)
    shown = b"".join([mask.feed(piece.encode()) for piece in pieces] + [mask.end()]).decode()
    assert not any(secret in shown for secret in secrets)


def test_exported_variables_are_written_as_they_are_in_the_end(tmp_path: Path) -> None:
    env = "env:\n  exported-variables: [TAG, MISSING, LINES_]\n"
    text = phases(phase("build", "TAG=v1", "LINES_='a\nb'"), phase("post_build", "TAG=v2"), env=env)
    ended = build(tmp_path, text, "--exports", "exports.json")
    assert ended.status == 0
    assert json.loads((tmp_path / "exports.json").read_text("utf-8")) == {"TAG": "v2", "LINES_": "a\nb"}
    assert (tmp_path / "exports.json").stat().st_mode & 0o077 == 0


# where and what


def test_commands_run_in_the_files_folder_or_where_it_is_said(tmp_path: Path) -> None:
    for name in ("ci", "source"):
        (tmp_path / name).mkdir()
    (tmp_path / "ci" / "build.yml").write_text(phases(phase("build", "pwd")), "utf-8")
    assert said(process("run-buildspec", "ci/build.yml", cwd=tmp_path)) == [str(tmp_path / "ci")]
    assert said(process("run-buildspec", "ci/build.yml", "--directory", "source", cwd=tmp_path)) == [str(tmp_path / "source")]


def test_some_phases_only(tmp_path: Path) -> None:
    text = phases(*(phase(name, f"echo {name}") for name in ("install", "pre_build", "build")))
    assert said(build(tmp_path, text, "--phase", "build", "--phase", "install")) == ["install", "build"]


def test_a_dry_run_shows_the_commands_and_no_value_and_runs_nothing(tmp_path: Path) -> None:
    env = "env:\n  variables:\n    MODE: of-the-test\n"
    ended = build(
        tmp_path, phases(phase("build", "touch made\necho done", at_the_end=("echo end",), on_failure="RETRY"), env=env), "--dry-run"
    )
    assert ended.status == 0
    assert ended.text == (
        f"In {tmp_path}, by sh, one for all commands\nWith MODE\nBUILD, on failure RETRY\n"
        "  $ touch made\n    echo done\n  finally $ echo end\n"
    )
    assert not (tmp_path / "made").exists()


def test_what_is_not_done_here_is_said(tmp_path: Path) -> None:
    text = (
        "version: 0.2\nrun-as: builder\nenv:\n  git-credential-helper: yes\nbatch:\n  build-list: []\nphases:\n  install:\n"
        "    runtime-versions:\n      nodejs: 18\n  build:\n    commands: [echo built]\n"
        "reports: {}\nartifacts:\n  files: ['*']\ncache: {}\n"
    )
    ended = build(tmp_path, text)
    assert (ended.status, said(ended)) == (0, ["built"])
    left = re.findall(r"^unhub: buildspec\.yml:(\d+): (\S+) is left out: ", ended.err, re.MULTILINE)
    assert left == [
        *[("2", "run-as"), ("4", "git-credential-helper"), ("5", "batch"), ("9", "runtime-versions")],
        *[("13", "reports"), ("14", "artifacts"), ("16", "cache")],
    ]


OK = "phases:\n  build:\n    commands: [true]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 0.2\nphases: [\n", "not valid YAML near line"),
        ("", "holds 0 YAML documents"),
        ("version: 0.2\n" + OK + "---\na: 1\n", "holds 2 YAML documents"),
        ("- a\n", ":1:1: a buildspec is a list"),
        (OK, ":1:1: there is no version"),
        ("version: 0.3\n" + OK, ":1:10: version '0.3' is none that CodeBuild knows"),
        ("version: 0.2\n", ":1:1: there are no phases"),
        ("version: 0.2\nphase:\n  build:\n", ":2:1: a buildspec has no key 'phase'"),
        ("version: 0.2\nphases:\n  test:\n    commands: []\n", ":3:3: phases has no key 'test'"),
        ("version: 0.2\nphases:\n  build:\n    command: [a]\n", ":4:5: phases.build has no key 'command'"),
        ("version: 0.2\nphases:\n  build:\n    finally: [a]\n", ":3:3: phases.build has no commands"),
        ("version: 0.2\nphases:\n  build:\n    commands: make\n", ":4:15: phases.build.commands is a text, and must be a list"),
        ("version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n", ":5:9: phases.build.commands[0] is a mapping"),
        ("version: 0.2\nphases:\n  build:\n    commands:\n      -\n", "phases.build.commands[0] is empty"),
        ("version: 0.2\nphases:\n  build:\n    on-failure: STOP\n    commands: [a]\n", ":4:17: cannot read phases.build.on-failure"),
        ("version: 0.2\nphases:\n  build:\n    on-failure: RETRY-101\n    commands: [a]\n", "at most 100 times"),
        ("version: 0.2\nphases:\n  build:\n    on-failure: RETRY-3-(\n    commands: [a]\n", "is no regular expression"),
        ("version: 0.2\nphases:\n  build:\n    runtime-versions: {}\n    commands: [a]\n", "they belong to install"),
        ("version: 0.2\nenv:\n  shell: powershell.exe\n" + OK, ":3:10: the commands are for 'powershell.exe'"),
        ("version: 0.2\nenv:\n  variables:\n    a-b: 1\n" + OK, ":4:5: 'a-b' in env.variables is no name"),
        ("version: 0.2\nenv:\n  variables:\n    CODEBUILD_X: 1\n" + OK, "CODEBUILD_ are CodeBuild's own"),
        ("version: 0.2\nenv:\n  variables:\n    A: [1]\n" + OK, ":4:8: env.variables.A is a list"),
        ("version: 0.2\nenv:\n  exported-variables: [AWS_X]\n" + OK, ":3:24: AWS_X cannot be exported"),
        ("version: 0.2\nversion: 0.2\n" + OK, ":2:1: 'version' stands twice"),
        ("version: 0.2\nphases: *nowhere\n", "there is no such anchor"),
    ],
)
def test_a_buildspec_that_is_not_as_it_must_be_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    ended = build(tmp_path, text)
    assert (ended.status, ended.out) == (2, b"")
    assert says in ended.err
    assert "buildspec.yml" in ended.err


@pytest.mark.parametrize(
    "arguments", [("nowhere.yml",), (".",), ("--directory", "nowhere"), ("--env", "A-B=1"), ("--env", "UNHUB_NOT_SET_HERE")]
)
def test_a_call_that_cannot_be_done_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = build(tmp_path, "version: 0.2\n" + OK, *arguments)
    assert (ended.status, ended.out) == (2, b"")


def test_anchors_and_merged_keys_are_followed(tmp_path: Path) -> None:
    build_and_after = "  build:\n    <<: *p\n  post_build:\n    commands: *c\n"
    text = "version: 0.2\nphases:\n  pre_build: &p\n    commands: &c\n      - echo hello\n" + build_and_after
    assert said(build(tmp_path, text)) == ["hello", "hello", "hello"]


# signals, and what is left behind


def _started(folder: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A build with children in the foreground and in the background; their process ids."""
    commands = ["sleep 600 & echo $! >background", "echo $$ >shell; sh -c 'echo $$ >inner; sleep 600; true'"]
    (folder / "buildspec.yml").write_text(phases(phase("build", *commands), phase("post_build", "touch pushed")), "utf-8")
    command = [sys.executable, "-m", "unhub", "run-buildspec"]
    running = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}
    )
    files = [folder / name for name in ("background", "shell", "inner")]
    wait_until(lambda: all(file.exists() and file.read_text() for file in files))
    return running, [int(file.read_text()) for file in files]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_build_with_all_its_processes(tmp_path: Path, number: signal.Signals, status: int) -> None:
    running, pids = _started(tmp_path)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == status, (out, err)
    wait_until(lambda: not any(is_running(pid) for pid in pids), 10)
    assert not (tmp_path / "pushed").exists()
    assert b"Traceback" not in err
    assert not list(tmp_path.glob("unhub-build-*"))


def test_an_unhub_that_is_killed_leaves_no_process_and_no_file_of_variables_behind(tmp_path: Path) -> None:
    running, pids = _started(tmp_path)
    running.kill()
    running.communicate()
    wait_until(lambda: not any(is_running(pid) for pid in pids) and not list(tmp_path.glob("unhub-build-*")), 10)
    assert not (tmp_path / "pushed").exists()


def test_processes_in_the_background_live_as_long_as_the_build(tmp_path: Path) -> None:
    text = phases(
        phase("install", "{ trap '' HUP; while :; do sleep 0.1; done; } & echo $! >pid"),
        phase("build", "exit 1"),
        phase("post_build", "kill -0 $(cat pid) && echo lives"),
    )
    began = time.monotonic()
    ended = build(tmp_path, text)
    assert (ended.status, said(ended)) == (1, ["lives"])
    wait_until(lambda: not is_running(int((tmp_path / "pid").read_text())), 10)
    assert time.monotonic() - began < 30


def test_one_that_ignores_the_request_to_end_is_ended_the_hard_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_groups, "PATIENCE", 0.3)
    stubborn = "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & echo $! >pid"
    ended = build(tmp_path, phases(phase("build", stubborn)))
    assert ended.status == 0
    wait_until(lambda: not is_running(int((tmp_path / "pid").read_text())), 5)
