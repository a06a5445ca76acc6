"""The images that the commands of a script use: each argument that names one, and as what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from unhub.formats._commands.table import Subcommand, engine_function, engine_variable, short_flags, subcommand, tool_named
from unhub.formats._commands.usage import Role, Tool, Usage
from unhub.formats._shell.inner import base_name
from unhub.formats._shell.tree import Command, Expansion, Word
from unhub.formats._shell.values import Field, Values
from unhub.formats._shell.word import FILLED_IN

_NEVER_RUNS: Final = frozenset({
    "echo", "printf", "which", "type", "hash", "man", "whereis", "grep", "egrep", "fgrep", "rg", "sed", "awk", "git", "cat", "cp",
    "mv", "ls",
    "ln", "rm", "mkdir", "touch", "test", "[", "[[", "brew", "yum", "dnf", "apk", "apt", "apt-get", "pip", "pip3", "npm", "yarn",
    "systemctl",
    "service", "chmod", "chown", "usermod", "groupadd", "addgroup", "adduser", "complete", "alias", "unalias", "export", "local", "declare",
    "readonly", "typeset", "unset", "set", "read", "return", "exit", "cd", "pushd", "source", ".", "choco", "snap", "zypper", "pacman",
    "update-alternatives", "pgrep", "pkill", "killall", "log", "info", "warn", "error", "die", "fail", "debug", "need", "require",
    "requires", "check_command", "command_exists",
})  # fmt: skip
"""Commands whose arguments are words, never a command of their own."""
_OPTIONS_WORDS: Final = frozenset({
    "opt", "opts", "option", "options", "arg", "args", "arguments", "flag", "flags", "param", "params", "volume", "volumes", "vol", "vols",
    "mount", "mounts", "env", "envs", "extra", "extras", "net", "network", "networks", "tty", "user", "switches", "label", "labels", "port",
    "ports", "secret", "secrets", "platform", "gpu", "gpus", "rm", "it", "limits", "interactive", "ssh", "cache", "config",
})  # fmt: skip
_IMAGE_NAME = re.compile(r"image|img|repo|container|tag", re.IGNORECASE)
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LOOKS_LIKE_IMAGE = re.compile(r"[a-z0-9][\w.-]*(?:/[\w.-]+)*(?::[\w.-]+)(?:@.*)?|[a-z0-9][\w.-]*(?:/[\w.-]+)+(?:@.*)?")
_LEVELS_MAX = 5


class Use(Struct, frozen=True):
    """One argument that names an image. ``where`` is the command and flag in its users' words."""

    role: Role
    field: Field
    where: str
    command: Command
    usage: Usage
    tool: str
    short_names: bool = False

    def narrow(self, field: Field, role: Role | None = None, where: str | None = None) -> Use:
        """The same use of a piece of the argument."""
        return replace(self, field=field, role=role or self.role, where=where or self.where)


class Run(Struct, frozen=True):
    """A command of a tool: what it reads from standard input, besides the images it names."""

    command: Command
    usage: Usage
    uses: tuple[Use, ...]


class Reader:
    """Reads commands with the values that the script gives its variables."""

    def __init__(self, values: Values, bodies: dict[str, list[Command]]) -> None:
        self._values = values
        self._bodies = bodies

    def runs(self, command: Command) -> Iterator[Run]:
        """The container commands that a simple command runs."""
        yield from self._words(command, command.words, command.function, 0)

    def _words(self, command: Command, words: Sequence[Word], function: str, level: int) -> Iterator[Run]:
        fields = self._values.fields(words, function)
        if not fields or level > _LEVELS_MAX:
            return
        name = fields[0].text
        bodies = self._bodies.get(name or "")
        if bodies and name != function:
            for body in bodies:
                yield from self._words(command, _with_arguments(body.words, words[1:]), function, level + 1)
        elif found := _tool(fields):
            yield from self._tool(command, found, fields, level)

    def _tool(self, command: Command, found: _Found, fields: Sequence[Field], level: int) -> Iterator[Run]:
        rest = fields[found.at :]
        label = f"{found.name} {found.subcommand.name}".strip()
        arguments = _Arguments(rest, found.subcommand.usage)
        uses = [
            Use(role, field, f"{label} {flag}".strip(), command, found.subcommand.usage, found.name, found.tool.short_names)
            for role, field, flag in arguments.read()
        ]
        yield Run(command, found.subcommand.usage, tuple(uses))
        if found.subcommand.usage.inner and arguments.rest:
            inner = _tool(arguments.rest)
            if inner and level < _LEVELS_MAX:
                yield from self._tool(command, inner, arguments.rest, level + 1)


def _with_arguments(words: Sequence[Word], arguments: Sequence[Word]) -> list[Word]:
    out: list[Word] = []
    for word in words:
        if takes_all_arguments(word):
            out += arguments
        else:
            out.append(word)
    return out


def takes_all_arguments(word: Word) -> bool:
    """Whether a word is ``"$@"`` or ``$*``."""
    piece = word.pieces[0] if len(word.pieces) == 1 else None
    return isinstance(piece, Expansion) and piece.name in ("@", "*") and not piece.operator


class _Found(Struct, frozen=True):
    name: str
    tool: Tool
    subcommand: Subcommand
    at: int


def _tool(fields: Sequence[Field]) -> _Found | None:
    """The tool that a command runs, directly or behind others (``sudo``, ``timeout 5``, ``retry``)."""
    direct = _tool_at(fields, 0)
    if direct is not None:
        return direct
    if base_name(fields[0].text) in _NEVER_RUNS:
        return None
    for number in range(1, len(fields)):
        found = _tool_at(fields, number)
        if found is not None and found.subcommand.words:
            return found
    return None


def _tool_at(fields: Sequence[Field], at: int) -> _Found | None:
    name = _tool_name(fields[at])
    tool = tool_named(name) if name else None
    if tool is None or name is None:
        return None
    number = at + 1
    while number < len(fields) and fields[number].head.startswith("-"):
        text = fields[number].head
        if "" in tool.usages and len(tool.usages) == 1:
            break
        takes_value = text not in tool.switches and "=" not in text and (text.startswith("--") or len(text) == 2)
        number += 2 if takes_value else 1
    found = subcommand(tool, [field.text for field in fields[number : number + 4]])
    if found is None:
        return None
    return _Found(base_name(name).removesuffix(".exe"), tool, found, number + found.words)


def _tool_name(field: Field) -> str | None:
    if field.text is not None:
        return field.text if tool_named(field.text) else engine_function(field.text)
    pieces = field.word.pieces
    last = pieces[-1] if pieces else None
    if len(pieces) != 1 or not isinstance(last, Expansion):
        return None
    return engine_variable(last.name.removeprefix(FILLED_IN))


class _Arguments:
    """Reads the arguments of one command, flags by their arity (POSIX 12.2, and ``--flag=value``)."""

    def __init__(self, fields: Sequence[Field], usage: Usage) -> None:
        self._fields = fields
        self._usage = usage
        self._at = 0
        self._positions = 0
        self.rest: Sequence[Field] = ()

    def read(self) -> Iterator[tuple[Role, Field, str]]:
        """Every argument that has a role, with the flag it belongs to."""
        only_positions = False
        while self._at < len(self._fields):
            field = self._fields[self._at]
            head = field.head
            self._at += 1
            if head == "--" and field.text == "--" and not only_positions:
                only_positions = True
                if not self._usage.positions:
                    self.rest = self._fields[self._at :]
                    return
            elif not only_positions and head.startswith("--"):
                yield from self._long(field, head)
            elif not only_positions and head.startswith("-") and len(head) > 1:
                yield from self._short(field, head)
            elif not (field.elastic and self._is_options(field)):
                yield from self._position(field)
                if self._usage.inner and self._positions >= len(self._usage.positions):
                    self.rest = self._fields[self._at :]
                    return

    def _next(self) -> Field | None:
        if self._at >= len(self._fields):
            return None
        self._at += 1
        return self._fields[self._at - 1]

    def _long(self, field: Field, head: str) -> Iterator[tuple[Role, Field, str]]:
        name, equals, _ = head.partition("=")
        if equals:
            value: Field | None = field.cut(len(name) + 1)
        elif (
            name in self._usage.switches
            or (field.text is None and name == head)
            or (not self._usage.positions and name not in self._usage.flags)
        ):
            return
        else:
            value = self._next()
        role = self._usage.flags.get(name)
        if role is not None and value is not None:
            yield role, value, name

    def _short(self, field: Field, head: str) -> Iterator[tuple[Role, Field, str]]:
        for name, at in short_flags(head, self._usage.switches):
            if at is None:
                continue
            role = self._usage.flags.get(name)
            if at < len(head) or field.text is None:
                value: Field | None = field.cut(at)
            elif role is None and not self._usage.positions:
                return
            else:
                value = self._next()
            if role is not None and value is not None:
                yield role, value, name

    def _position(self, field: Field) -> Iterator[tuple[Role, Field, str]]:
        positions = self._usage.positions
        number = self._positions
        self._positions += 1
        if number < len(positions):
            yield positions[number], field, ""
        elif positions and self._usage.repeats:
            yield positions[-1], field, ""

    def _is_options(self, field: Field) -> bool:
        """Whether a variable of unknown value stands for flags, not for the image."""
        later = self._fields[self._at :]
        pieces = [piece for piece in field.word.pieces if isinstance(piece, Expansion)]
        name = pieces[0].name.removeprefix(FILLED_IN) if pieces else ""
        words = {word.lower() for word in _NAME_WORD.findall(name)}
        if name in ("@", "*") or name.endswith(("[@]", "[*]")) or words & _OPTIONS_WORDS:
            return bool(later)
        while later and later[0].elastic:
            later = later[1:]
        if not later or _IMAGE_NAME.search(name):
            return False
        return later[0].head.startswith("-") or any(_LOOKS_LIKE_IMAGE.fullmatch(other.text or "") for other in later[:3])
