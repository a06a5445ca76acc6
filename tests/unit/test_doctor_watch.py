"""`unhub doctor --watch`: the command's bytes and status as they are, and an explanation behind them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command_line import process, unhub

LIMIT = "toomanyrequests: You have reached your pull rate limit."
BYTES = bytes(range(256)) * 300


def script(folder: Path, text: str) -> list[str]:
    path = folder / "command.py"
    path.write_text("import os, sys, time, signal\n" + text, "utf-8")
    return [sys.executable, str(path)]


def test_both_streams_pass_byte_for_byte_and_apart(tmp_path: Path) -> None:
    command = script(
        tmp_path, "out, err = sys.stdout.buffer, sys.stderr.buffer\nout.write(bytes(range(256)) * 300)\nerr.write(b'\\xff\\r')\n"
    )
    done = subprocess.run([sys.executable, "-m", "unhub", "doctor", "--watch", *command], capture_output=True, check=False, cwd=tmp_path)
    assert done.stdout == BYTES
    assert done.stderr == b"\xff\r"
    assert done.returncode == 0


def test_the_explanation_comes_last_on_standard_error_and_the_status_is_the_commands(tmp_path: Path) -> None:
    command = script(tmp_path, f"print('FROM node:18', flush=True)\ntime.sleep(0.3)\nprint({LIMIT!r}, file=sys.stderr)\nsys.exit(7)\n")
    ended = process("doctor", "--watch", *command, cwd=tmp_path)
    assert ended.status == 7
    assert ended.out == b"FROM node:18\n"
    assert ended.err.startswith(LIMIT + "\nDocker Hub's pull limit is reached  line 2\n")
    assert "FROM node:18 -> public.ecr.aws/docker/library/node:18" in ended.err


def test_a_success_that_shows_nothing_says_nothing(tmp_path: Path) -> None:
    ended = process("doctor", "--watch", "--", "sh", "-c", "echo fine", cwd=tmp_path)
    assert (ended.status, ended.out, ended.err) == (0, b"fine\n", "")


def test_a_failure_that_is_not_known_says_so(tmp_path: Path) -> None:
    ended = process("doctor", "--watch", "sh", "-c", "echo boom; exit 3", cwd=tmp_path)
    assert (ended.status, ended.out) == (3, b"boom\n")
    assert ended.err == "unhub: sh ended with 3, and its output shows nothing that unhub knows\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ends_gives_128_and_the_signal(tmp_path: Path, number: signal.Signals) -> None:
    ended = process("doctor", "--watch", "sh", "-c", f"kill -{number.value} $$", cwd=tmp_path)
    assert ended.status == 128 + number


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [("no-such-command-here", 127, "there is no such command"), ("./plain.txt", 126, "Permission denied")],
)
def test_a_command_that_cannot_start_ends_as_in_a_shell(tmp_path: Path, command: str, status: int, says: str) -> None:
    (tmp_path / "plain.txt").write_text("x", "utf-8")
    ended = process("doctor", "--watch", command, cwd=tmp_path)
    assert ended.status == status
    assert ended.err == f"unhub: cannot run '{command}': {says}\n"


def test_full_pipes_on_both_sides_block_nothing(tmp_path: Path) -> None:
    text = "for _ in range(60):\n    sys.stderr.buffer.write(b'e' * 65536)\n    sys.stdout.buffer.write(b'o' * 65536)\n"
    done = subprocess.run(
        [sys.executable, "-m", "unhub", "doctor", "--watch", *script(tmp_path, text)],
        capture_output=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert (len(done.stdout), len(done.stderr)) == (60 * 65536, 60 * 65536)


def test_output_comes_at_once_and_standard_input_is_the_commands(tmp_path: Path) -> None:
    command = script(tmp_path, "print('ready', flush=True)\nprint('got', sys.stdin.readline(), flush=True)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "unhub", "doctor", "--watch", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    ) as running:
        assert running.stdout
        assert running.stdin
        assert running.stdout.readline() == b"ready\n", "before the command has ended"
        running.stdin.write(b"hello\n")
        running.stdin.close()
        assert running.stdout.read() == b"got hello\n\n"
    assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_the_command_which_ends_in_its_own_way(tmp_path: Path, number: signal.Signals) -> None:
    text = f"signal.signal({number.value}, lambda *_: sys.exit(42))\nprint('ready', flush=True)\ntime.sleep(60)\n"
    with subprocess.Popen(
        [sys.executable, "-m", "unhub", "doctor", "--watch", *script(tmp_path, text)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, start_new_session=True,
    ) as running:  # fmt: skip
        assert running.stdout
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(number)
        assert running.wait(30) == 42


def test_a_child_that_keeps_the_pipe_does_not_keep_us(tmp_path: Path) -> None:
    begin = time.monotonic()
    ended = process("doctor", "--watch", "sh", "-c", "sleep 30 & echo $!", cwd=tmp_path)
    os.kill(int(ended.out), signal.SIGKILL)
    assert ended.status == 0
    assert time.monotonic() - begin < 20


def test_a_reader_that_goes_away_ends_the_command(tmp_path: Path) -> None:
    command = script(tmp_path, "while True:\n    os.write(1, b'x' * 65536)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "unhub", "doctor", "--watch", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as running:
        assert running.stdout
        running.stdout.read(10)
        running.stdout.close()
        assert running.wait(30) == 1, "the command's own status: Python's for a broken pipe"


def test_a_line_of_each_stream_is_counted_as_it_comes_and_pieces_are_not_mixed(tmp_path: Path) -> None:
    text = "os.write(1, b'toomanyrequests: You have reached ')\nos.write(2, b'noise\\n')\ntime.sleep(0.3)\n"
    text += "os.write(1, b'your pull rate limit.\\n')\nsys.exit(1)\n"
    ended = process("doctor", "--watch", "--format", "json", *script(tmp_path, text), cwd=tmp_path)
    assert '"id": "hub-pull-limit"' in ended.err
    assert ended.status == 1


@pytest.mark.parametrize(("arguments", "says"), [(["--watch"], "There is no command to watch"), (["build"], "stands behind --watch")])
def test_mistakes_of_the_call_are_told(tmp_path: Path, arguments: list[str], says: str) -> None:
    ended = unhub("doctor", *arguments, cwd=tmp_path)
    assert ended.status == 2
    assert says in ended.err
