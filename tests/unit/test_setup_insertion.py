"""Insertions into YAML: whatever the style, the result says the old data and exactly what was inserted."""

from __future__ import annotations

import copy
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from unhub.formats._yaml.parse import Mapping, Sequence
from unhub.image.errors import SelfCheckFailed
from unhub.image.source import Source
from unhub.migrate.edits import apply, reverse
from unhub.setup.codebuild import set_up
from unhub.setup.login_line import Form, login
from unhub.setup.outcome import Status, Wishes
from unhub.setup.yaml_insertion import Editor

LOGIN = login(Form.LINE, "us-east-1")
COMMANDS = ("echo one", "echo 'two: 2' # no comment", 'printf "%s" "$A" | tee out', "cd app && npm ci", "if true; then echo x; fi")


def load(data: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(StringIO(data.decode("utf-8-sig")))


class Writer:
    """Writes a buildspec as people do: their indentation, quotes, comments and blank lines."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.step = draw(st.integers(1, 6))
        self.dash = draw(st.integers(0, self.step))
        self.gap = draw(st.sampled_from(["- ", "-   "]))

    def noise(self, column: int) -> list[str]:
        blanks = self.draw(st.sampled_from([[], [], [""], ["# a word"], ["", "# a word"], ["# a word", ""]]))
        return [" " * column + line if line else line for line in blanks]

    def tail(self) -> str:
        return self.draw(st.sampled_from(["", "", "   # why", " "]))

    def scalar(self, text: str, column: int) -> str:
        kinds = ["single", "double", "block"] + (["plain"] if ": " not in text and " #" not in text else [])
        match self.draw(st.sampled_from(kinds)):
            case "single":
                return "'" + text.replace("'", "''") + "'" + self.tail()
            case "double":
                return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' + self.tail()
            case "block":
                return self.draw(st.sampled_from(["|", ">-", "|-"])) + "\n" + " " * column + text
            case _:
                return text + self.tail()

    def items(self, column: int, items: list[str]) -> list[str]:
        lines: list[str] = []
        for item in items:
            lines += self.noise(column)
            lines.append(" " * column + self.gap + self.scalar(item, column + len(self.gap)))
        return lines

    def phase(self, name: str, commands: list[str]) -> list[str]:
        column = self.step
        lines = [*self.noise(column), " " * column + name + ":" + self.tail()]
        if not commands:
            return lines
        if self.draw(st.booleans()):
            lines.append(" " * 2 * column + "on-failure: ABORT")
        if self.draw(st.integers(0, 3)) == 0:
            quoted = ", ".join("'" + command.replace("'", "''") + "'" for command in commands)
            return [*lines, " " * 2 * column + f"commands: [{quoted}]" + self.tail()]
        return [*lines, " " * 2 * column + "commands:" + self.tail(), *self.items(2 * column + self.dash, commands)]


@st.composite
def buildspecs(draw: st.DrawFn) -> bytes:
    writer = Writer(draw)
    some = st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=3)
    lines = [*writer.noise(0), "version: 0.2" + writer.tail()]
    if draw(st.booleans()):
        lines += [*writer.noise(0), "env:" + writer.tail()]
        if draw(st.booleans()):
            lines.append(" " * writer.step + draw(st.sampled_from(["variables:", "variables: {A: b}"])))
            if lines[-1].endswith(":"):
                lines += [*writer.noise(2 * writer.step), " " * 2 * writer.step + "A: b" + writer.tail()]
        else:
            lines.append(" " * writer.step + "shell: /bin/sh")
    lines += [*writer.noise(0), "phases:" + writer.tail()]
    for name in ("install", "pre_build"):
        if draw(st.booleans()):
            lines += writer.phase(name, draw(some) if name == "install" or draw(st.booleans()) else [])
    lines += writer.phase("build", [*draw(some), "docker build -t app ."])
    if draw(st.booleans()):
        lines += [*writer.noise(0), "artifacts:", " " * writer.step + "files: ['**/*']"]
    lines += writer.noise(0)
    text = "\n".join(lines) + draw(st.sampled_from(["\n", "", "\n\n"]))
    data = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + data


def expected(data: Any) -> Any:
    wanted = copy.deepcopy(data)
    wanted["env"] = wanted.get("env") or {}
    wanted["env"].setdefault("variables", {})["DOCKER_BUILDKIT"] = 1
    pre_build = wanted["phases"].get("pre_build") or {}
    wanted["phases"]["pre_build"] = {**pre_build, "commands": [LOGIN, *pre_build.get("commands", [])]}
    return wanted


@settings(max_examples=300, deadline=None)
@given(buildspecs())
def test_a_buildspec_says_what_it_said_and_the_login(data: bytes) -> None:
    before = load(data)
    result = set_up(Source("buildspec.yml", data), Wishes())
    assert (result.status, result.notes) == (Status.CHANGES, [])
    assert load(result.after) == expected(before)
    assert apply(result.after, reverse(data, result.edits)) == data
    assert all(edit.span.start == edit.span.end for edit in result.edits), "nothing is taken out"
    again = set_up(Source("buildspec.yml", result.after), Wishes())
    assert (again.status, again.edits) == (Status.PRESENT, [])
    assert (b"\r\n" in data) == (b"\r\n" in result.after)
    assert result.after.endswith(b"\n") == data.endswith(b"\n") or result.after.count(b"\n", -1) == 0


def sequence(editor: Editor, key: str) -> Sequence:
    root = editor.documents[0].root
    assert isinstance(root, Mapping)
    found = root.get(key)
    assert isinstance(found, Sequence)
    return found


def test_comments_right_above_an_item_stay_with_it() -> None:
    editor = Editor("a.yml", b"steps:\n  # the first\n  - a\n\n  # the second\n  - b\n")
    editor.insert_item(sequence(editor, "steps"), 1, {"run": "x", "with": {"k": "v"}})
    _, after = editor.finish()
    assert after == b"steps:\n  # the first\n  - a\n\n  - run: x\n    with:\n      k: v\n\n  # the second\n  - b\n"


def test_a_text_of_several_lines_becomes_a_block() -> None:
    editor = Editor("a.yml", b"s:\n- a")
    editor.insert_item(sequence(editor, "s"), 0, "one\n\n  two\n")
    assert editor.finish()[1] == b"s:\n- |\n  one\n\n    two\n- a"


def test_two_insertions_at_one_place_keep_their_order() -> None:
    editor = Editor("a.yml", b"s:\n- a\n")
    for text in ("1st", "2nd"):
        editor.insert_item(sequence(editor, "s"), 0, text)
    assert editor.finish()[1] == b"s:\n- '1st'\n- '2nd'\n- a\n"


@pytest.mark.parametrize(
    "text", ["- no", "yes", "a: b", "a #b", "@x", "1", "", " a", "a:", "{a}", "x\ty", "é", "'", "null", "%d", "|", "&a"]
)
def test_a_text_is_quoted_where_a_reader_would_take_it_for_something_else(text: str) -> None:
    for data, block in ((b"s:\n- a\n", True), (b"s: [a]\n", False), (b'{"s": ["a"]}', False)):
        editor = Editor("a.yml", data)
        editor.insert_item(sequence(editor, "s"), 0, text)
        assert load(editor.finish()[1])["s"][0] == text, block


def test_kept_line_breaks_at_the_end_of_a_block_are_not_changed_unseen() -> None:
    editor = Editor("a.yml", b"s:\n- |+\n  a\n\n")
    editor.insert_item(sequence(editor, "s"), 1, "b")
    with pytest.raises(SelfCheckFailed):
        editor.finish()
