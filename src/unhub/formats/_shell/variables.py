"""Whether a variable that holds an image is also used for something that a longer name would break."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from unhub.formats._lazy import lazy
from unhub.formats._shell.inner import base_name
from unhub.formats._shell.tree import Command, Expansion, Script, Word
from unhub.formats._shell.values import Bit
from unhub.formats._shell.word import FILLED_IN
from unhub.image.found import Span

_SAYS: Final = frozenset(
    {
        "echo",
        "printf",
        "log",
        "info",
        "warn",
        "warning",
        "error",
        "die",
        "fail",
        "debug",
        "notice",
        "logger",
        "export",
        "local",
        "readonly",
    }
)
_FILES: Final = frozenset(
    {
        "cd",
        "pushd",
        "mkdir",
        "rmdir",
        "cp",
        "mv",
        "rm",
        "touch",
        "cat",
        "tar",
        "ls",
        "source",
        ".",
        "find",
        "git",
        "ln",
        "chmod",
        "chown",
        "zip",
        "gzip",
        "head",
        "tail",
        "tee",
        "dirname",
        "basename",
        "realpath",
    }
)
_ENGINES: Final = frozenset({"docker", "podman", "nerdctl", "finch", "buildah"})
_COMPARES: Final = frozenset({"[", "test", "expr"})
_SAME_VALUE = ("", ":-", "-", ":=", "=", ":?", "?", ":+", "+")
_JOINS = re.compile(r"(?:^|[\s=,;'\"(\[|]|//|docker-daemon:|[:>] )$")


class Variables:
    """Every use of every variable of a script that is no use of an image; looked for when an image comes from a variable."""

    def __init__(self, data: bytes, script: Script, image_words: Iterable[Span], tool_commands: Iterable[Command]) -> None:
        self._data = data
        self._script = script
        self._image_words = image_words
        self._tool_commands = tool_commands

    def misused(self, bits: Sequence[Bit]) -> str | None:
        """Why the value that ``bits`` came from cannot be changed, or ``None``."""
        for name in dict.fromkeys(bit.variable for bit in bits if bit.variable):
            if name in self._misuses:
                place, how = self._misuses[name]
                line = self._data.count(b"\n", 0, place) + 1
                return f"{name.removeprefix(FILLED_IN)} is also {how} at line {line}, where a longer name would not fit"
        return None

    @lazy
    def _misuses(self) -> dict[str, tuple[int, str]]:
        """The first misuse of each variable: its place, and what it is."""
        return _Misuses(self._script, frozenset(self._image_words), frozenset(map(id, self._tool_commands))).found


class _Misuses:
    """Collects the uses of variables that a longer value would not fit."""

    def __init__(self, script: Script, images: frozenset[Span], tools: frozenset[int]) -> None:
        self.found: dict[str, tuple[int, str]] = {}
        for word, how in script.elsewhere:
            self._look(word, how)
        for _, assignment in script.assignments:
            for word in (*((assignment.value,) if assignment.value else ()), *(assignment.items or ())):
                self._look(word, "part of a longer text", only_joined=True)
        for command in script.commands:
            engine = any(base_name(word.text) in _ENGINES for word in command.words[:3])
            self._command(command, images, is_tool=engine or id(command) in tools)

    def _command(self, command: Command, images: frozenset[Span], *, is_tool: bool) -> None:
        name = base_name(command.words[0].text) if command.words else ""
        for word in command.outputs:
            self._look(word, "part of a file name")
        for number, word in enumerate(command.words):
            if word.span in images or name in _SAYS:
                self._look(word, "cut to pieces", only_operators=True)
            elif name in _FILES:
                self._look(word, f"an argument of {name}")
            elif name in _COMPARES and not (number and command.words[number - 1].text in ("-n", "-z")):
                self._look(word, "compared with something")
            elif is_tool and not _passes_on(command.words[number - 1].text if number else None, word):
                self._look(word, f"an argument of {name} that is no image")
            else:
                self._look(word, "part of a longer text", only_joined=True)

    def _look(self, word: Word, how: str, *, only_joined: bool = False, only_operators: bool = False) -> None:
        if word.text is not None:
            return
        for before, expansion in word.expansions():
            name = expansion.name.partition("[")[0]
            if not name or name in self.found:
                continue
            cut = expansion.operator not in _SAME_VALUE
            if cut:
                self.found[name] = (expansion.span.start, "cut to pieces")
            elif only_operators or (only_joined and _JOINS.search(before)):
                continue
            else:
                self.found[name] = (expansion.span.start, how)


def _passes_on(flag: str | None, word: Word) -> bool:
    """Whether a container only gets to see the value."""
    first = word.pieces[0] if word.pieces else None
    text = "" if first is None or isinstance(first, Expansion) else first.text
    return flag in ("-e", "--env", "--build-arg", "-l", "--label") or text.startswith(("-e", "--env=", "--build-arg=", "--label="))
