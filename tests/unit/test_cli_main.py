"""The entry point: help and version are quick, every way to end has its status, no way ends in a traceback."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest import mock

import click
import pytest

from tests.command_line import POD, process, unhub
from unhub import __version__
from unhub.cli.group import COMMANDS, group
from unhub.image.errors import UnhubError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pod.yaml").write_text(POD.format(image="node:20"))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_the_group_says_what_the_command_says(name: str) -> None:
    command = import_module(COMMANDS[name].module).command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.short_help == COMMANDS[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    ended = unhub(name, "--help", cwd=tmp_path)
    assert ended.status == 0
    assert ended.text.startswith(f"Usage: unhub {name}")


def test_every_module_of_a_command_is_in_the_list() -> None:
    folder = Path(import_module("unhub.cli").__path__[0])
    commands = {path.stem for path in folder.glob("*.py") if "\ncommand" in (text := path.read_text()) or "\ndef command(" in text}
    assert commands == {lazy.module.rpartition(".")[2] for lazy in COMMANDS.values()}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []])
def test_version_and_help_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from unhub.cli.main import main\n"
        f"main({arguments})\n"
        "heavy = [name for name in sys.modules if name.startswith(('unhub.', 'rich', 'msgspec', 'tree_sitter'))]\n"
        "print('\\n' + ' '.join(sorted(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    light = {"unhub.cli", "unhub.cli.main", "unhub.cli.output", "unhub.cli.group", "unhub.image", "unhub.image.errors"}
    assert set(loaded) <= light


def test_version_is_one_line(tmp_path: Path) -> None:
    assert process("--version", cwd=tmp_path).out == f"unhub {__version__}\n".encode()
    assert unhub("-V", cwd=tmp_path).text == f"unhub {__version__}\n"


def test_without_a_command_the_help_is_shown_as_it_is(tmp_path: Path) -> None:
    done = unhub(cwd=tmp_path)
    assert done.status == 2
    assert done.out.startswith(b"Usage: unhub [OPTIONS] COMMAND [ARGS]...\n\n")
    assert done.err == ""


def test_an_unknown_command_names_the_nearest(tmp_path: Path) -> None:
    ended = process("migrte", cwd=tmp_path)
    assert ended.status == 2
    assert ended.out == b""
    assert ended.err == "unhub: There is no command 'migrte'. Did you mean 'migrate'?\n  `unhub --help` explains the options\n"


def test_a_command_that_resembles_nothing_gets_no_guess(tmp_path: Path) -> None:
    ended = unhub("zzz", cwd=tmp_path)
    assert ended.status == 2
    assert "Did you mean" not in ended.err


@pytest.mark.parametrize("arguments", [["scan", "--frmat"], ["scan", "--format", "xml"], ["scan", "--jobs", "0"], ["undo", "extra"]])
def test_a_wrong_command_line_ends_with_2_and_says_where_help_is(arguments: list[str], tmp_path: Path) -> None:
    ended = unhub(*arguments, cwd=tmp_path)
    assert ended.status == 2
    assert ended.out == b""
    assert ended.err.startswith("unhub: ")
    assert f"`unhub {arguments[0]} --help` explains the options" in ended.err


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_an_error_of_ours_ends_with_its_status_its_message_and_its_hint(status: int, tree: Path) -> None:
    error = UnhubError("cannot do it: because", hint="Do that")
    error.exit_status = status
    with mock.patch("unhub.cli.session.Session.plan", side_effect=error):
        ended = unhub("scan", cwd=tree)
    assert ended.status == status
    assert ended.err == "unhub: cannot do it: because\n  Do that\n"


def test_a_bug_of_ours_is_one_line_and_status_5(tree: Path) -> None:
    with mock.patch("unhub.cli.session.Session.plan", side_effect=ZeroDivisionError("by\nnothing")):
        ended = unhub("scan", cwd=tree)
    assert ended.status == 5
    assert ended.err.splitlines()[0] == "unhub: internal error: ZeroDivisionError: by nothing; please report it"
    assert "Traceback" not in ended.err


def test_a_bug_of_ours_shows_its_traceback_when_asked(tree: Path) -> None:
    with mock.patch("unhub.cli.session.Session.plan", side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        unhub("scan", cwd=tree, env={"UNHUB_DEBUG": "1"})


def test_an_interrupt_ends_with_130(tree: Path) -> None:
    with mock.patch("unhub.cli.session.Session.plan", side_effect=KeyboardInterrupt):
        ended = unhub("scan", cwd=tree)
    assert ended.status == 130
    assert ended.err.strip() == "unhub: interrupted"


@pytest.mark.parametrize("arguments", [["scan"], ["scan", "--format", "json"], ["migrate"], ["--help"]])
def test_a_reader_that_went_away_is_no_error(arguments: list[str], tree: Path) -> None:
    for number in range(300):
        (tree / f"pod{number}.yaml").write_text(POD.format(image="node:20"))
    command = " ".join([sys.executable, "-m", "unhub", *arguments])
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1, 141)
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_is_said_and_ends_with_4(tree: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "unhub", "scan"], cwd=tree, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert done.stderr == "unhub: cannot write the output: No space left on device\n"


def test_messages_cannot_steer_the_terminal(tmp_path: Path) -> None:
    ended = unhub("scan", "\x1b]0;evil\x07", cwd=tmp_path)
    assert ended.status == 2
    assert "\x1b" not in ended.err
    assert "\\x1b]0;evil\\x07" in ended.err


def test_the_group_knows_its_commands_without_importing_them() -> None:
    assert group.list_commands(click.Context(group)) == list(COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shell: str, tmp_path: Path) -> None:
    ended = unhub("completion", shell, cwd=tmp_path)
    assert ended.status == 0
    assert f"_UNHUB_COMPLETE={shell}_complete" in ended.text


def test_completion_completes_commands_and_options(tmp_path: Path) -> None:
    words = {"_UNHUB_COMPLETE": "bash_complete", "COMP_WORDS": "unhub sc", "COMP_CWORD": "1"}
    assert process(cwd=tmp_path, env=words).text.split() == ["plain,scan"]
    words |= {"COMP_WORDS": "unhub migrate --chan", "COMP_CWORD": "2"}
    assert process(cwd=tmp_path, env=words).text.split() == ["plain,--changed-since"]
