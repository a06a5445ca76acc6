"""What people see while they wait, and what no text of a tree can do to their terminal."""

from __future__ import annotations

import io
import sys
from unittest import mock

import pytest

from unhub.cli.diff import colour
from unhub.cli.output import Progress, printable, width


class Terminal(io.StringIO):
    """A standard error that a person reads."""

    def isatty(self) -> bool:
        return True


def progress(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, seconds: float) -> str:
    monkeypatch.setenv("TERM", "xterm")
    with mock.patch.object(sys, "stderr", stream), mock.patch("time.monotonic", side_effect=[0.0, seconds, seconds + 0.01]):
        shown = Progress("looking")
        shown(10, 40)
        shown(20, 40)
        shown.end()
    return stream.getvalue()


def test_a_person_sees_the_progress_of_a_long_run_and_nothing_of_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress(Terminal(), monkeypatch, 0.6) == "\r\x1b[Klooking: 10 of 40 files\r\x1b[K"


def test_a_short_run_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress(Terminal(), monkeypatch, 0.1) == ""


@pytest.mark.parametrize(("seconds", "rest"), [(10.0, "about 30 s left"), (100.0, "about 5 min left")], ids=["seconds", "minutes"])
def test_what_takes_long_has_a_bar_and_an_estimate(seconds: float, rest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with mock.patch.object(sys, "stderr", stream), mock.patch("time.monotonic", side_effect=[0.0, 0.6, seconds]):
        shown = Progress("verifying", "images", estimate=True)
        shown(1, 40)
        shown(10, 40)
    first, second = stream.getvalue().split("\r\x1b[K")[1:]
    assert first == "verifying: [....................] 1 of 40 images"
    assert second == f"verifying: [#####...............] 10 of 40 images, {rest}"


def test_a_program_sees_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress(io.StringIO(), monkeypatch, 9.0) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä日", "plain ä日"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_could_steer_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_width_counts_columns_of_a_terminal() -> None:
    assert [width("abc"), width("日本"), width("e\u0301")] == [3, 4, 1]


def test_a_coloured_diff_shows_what_the_bytes_are() -> None:
    shown = colour(b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\x1b[2J\r\n+\xff\n \tsame\n")
    assert shown.decode() == (
        "\x1b[1m--- a/x\x1b[0m\n\x1b[1m+++ b/x\x1b[0m\n\x1b[36m@@ -1 +1 @@\x1b[0m\n"
        "\x1b[31m-a\\x1b[2J\x1b[0m\n\x1b[32m+\\xff\x1b[0m\n     same\n"
    )
