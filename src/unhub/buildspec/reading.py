"""From the bytes of a buildspec to a :class:`Buildspec`, or a refusal that names the place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from unhub.buildspec.nodes import NAME, Reader
from unhub.buildspec.on_failure import OnFailure, parse
from unhub.buildspec.spec import PHASES, SHELL, SHELLS, Buildspec, Command, LeftOut, Phase, Secret
from unhub.formats._yaml.parse import Node, Pair

SIZE_MAX = 1_000_000
"""Bytes; a longer file is refused."""

_VERSIONS = ("0.1", "0.2")
_TOP = ("version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache")
_ENV = ("shell", "variables", "parameter-store", "secrets-manager", "exported-variables", "git-credential-helper")
_PHASE = ("run-as", "on-failure", "runtime-versions", "commands", "finally")
_STORES = ("parameter-store", "secrets-manager")
_YES = ("yes", "true", "on")

_NOT_DONE = {
    "run-as": "the commands run as the user who runs unhub",
    "proxy": "it is about CodeBuild's own traffic",
    "batch": "the phases are run once, here; its builds and images are not",
    "reports": "no report is made; the files that tests write stay in their place",
    "artifacts": "nothing is uploaded; what the build makes stays in its place",
    "cache": "nothing is restored or kept beside what is on this machine",
    "runtime-versions": "nothing is installed; the commands find what is on this machine",
    "git-credential-helper": "git uses this machine's credentials",
}
_QUOTE = 'Quote a command with a colon and a space in it: - "echo done: $TAG"'


def read(path: str, data: bytes) -> Buildspec:
    """Read a buildspec; ``path`` is for messages. Raises :class:`~unhub.image.errors.ConfigurationError`."""
    return _Reading(Reader(path, data)).read()


@dataclass
class _Reading:
    reader: Reader
    shell: str = SHELL
    variables: dict[str, str] = field(default_factory=dict[str, str])
    secrets: list[Secret] = field(default_factory=list[Secret])
    exported: list[str] = field(default_factory=list[str])
    phases: dict[str, Phase] = field(default_factory=dict[str, Phase])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])

    def read(self) -> Buildspec:
        root = self.reader.document.root
        version = None
        for key, pair, value in self.reader.pairs(root, "a buildspec", _TOP):
            match key:
                case "version":
                    version = self._version(value)
                case "env":
                    self._env(value)
                case "phases":
                    self._phases(value)
                case _:
                    self._not_done(key, pair)
        if version is None:
            self.reader.refuse(root, "there is no version", hint="The first line of a buildspec is `version: 0.2`")
        if not self.phases:
            self.reader.refuse(root, "there are no phases, so there is nothing to run")
        ordered = tuple(self.phases[name] for name in PHASES if name in self.phases)
        return Buildspec(
            self.reader.path, version, self.shell, self.variables, tuple(self.secrets), tuple(self.exported), ordered, tuple(self.left_out)
        )

    def _version(self, node: Node) -> str:
        version = self.reader.text(node, "version").strip()
        if version not in _VERSIONS:
            self.reader.refuse(node, f"version {version!r} is none that CodeBuild knows", hint="It is 0.2; 0.1 is the older form")
        return version

    def _not_done(self, key: str, pair: Pair) -> None:
        self.left_out.append(LeftOut(key, self.reader.line(pair), _NOT_DONE[key]))

    def _env(self, node: Node) -> None:
        for key, pair, value in self.reader.pairs(node, "env", _ENV):
            if key == "shell":
                self.shell = self._shell(value)
            elif key == "variables":
                self.variables = dict(self._named(value, "env.variables"))
            elif key in _STORES:
                line = self.reader.line(pair)
                self.secrets += [Secret(name, key, line) for name, _ in self._named(value, f"env.{key}")]
            elif key == "exported-variables":
                self.exported = [self._exported(item) for item in self.reader.items(value, "env.exported-variables")]
            elif self.reader.text(value, key).lower() in _YES:
                self._not_done(key, pair)

    def _shell(self, node: Node) -> str:
        shell = self.reader.text(node, "env.shell").strip()
        if shell.rpartition("/")[2] not in SHELLS:
            self.reader.refuse(node, f"the commands are for {shell!r}, which is not run here", hint=f"Shells are {' and '.join(SHELLS)}")
        return shell

    def _named(self, node: Node, where: str) -> Iterator[tuple[str, str]]:
        for name, pair, value in self.reader.pairs(node, where):
            if not NAME.fullmatch(name):
                self.reader.refuse(pair, f"{name!r} in {where} is no name that a shell takes for a variable")
            if name.startswith("CODEBUILD_"):
                self.reader.refuse(pair, f"{where} sets {name}: names that begin with CODEBUILD_ are CodeBuild's own")
            yield name, self.reader.text(value, f"{where}.{name}")

    def _exported(self, node: Node) -> str:
        name = self.reader.text(node, "a name in env.exported-variables")
        if not NAME.fullmatch(name):
            self.reader.refuse(node, f"{name!r} in env.exported-variables is no name of a variable")
        if name.startswith("AWS_"):
            self.reader.refuse(node, f"{name} cannot be exported: CodeBuild exports none that begins with AWS_")
        return name

    def _phases(self, node: Node) -> None:
        for name, pair, value in self.reader.pairs(node, "phases", PHASES):
            self.phases[name] = self._phase(name, pair, value)

    def _phase(self, name: str, at: Pair, node: Node) -> Phase:
        where = f"phases.{name}"
        lists: dict[str, tuple[Command, ...]] = {}
        on_failure: OnFailure | None = None
        for key, pair, value in self.reader.pairs(node, where, _PHASE):
            if key in ("commands", "finally"):
                lists[key] = self._commands(value, f"{where}.{key}")
            elif key == "on-failure":
                on_failure = self._on_failure(value, f"{where}.on-failure")
            elif key == "runtime-versions" and name != "install":
                self.reader.refuse(pair, f"{where} has no runtime-versions: they belong to install")
            else:
                self._not_done(key, pair)
        if "commands" not in lists and name != "install":
            self.reader.refuse(at, f"{where} has no commands")
        return Phase(name, lists.get("commands", ()), lists.get("finally", ()), on_failure)

    def _on_failure(self, node: Node, where: str) -> OnFailure:
        try:
            return parse(self.reader.text(node, where))
        except ValueError as error:
            self.reader.refuse(node, f"cannot read {where}: {error}")

    def _commands(self, node: Node, where: str) -> tuple[Command, ...]:
        found: list[Command] = []
        for number, item in enumerate(self.reader.items(node, where)):
            text = self.reader.text(item, f"{where}[{number}]", hint=_QUOTE)
            if not text.strip():
                self.reader.refuse(item, f"{where}[{number}] is empty")
            found.append(Command(text, self.reader.line(item)))
        return tuple(found)
