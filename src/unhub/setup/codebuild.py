"""AWS CodeBuild: the login in ``pre_build`` of a buildspec, and ``DOCKER_BUILDKIT`` (AWS docs, ``build-spec-ref``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unhub.formats._buildspec_commands import PHASES, variables
from unhub.formats._choice import choose
from unhub.formats._text import Mapped
from unhub.formats._yaml.parse import Alias, Document, Empty, Mapping, Node, Pair, Scalar
from unhub.formats._yaml.parse import Sequence as List
from unhub.image.errors import RefusedError, UnreadableError
from unhub.image.source import Source
from unhub.setup.called import all_acts
from unhub.setup.commands import Act, Does, of_text
from unhub.setup.file import CiFile
from unhub.setup.login_line import Form, login
from unhub.setup.logins import judge, named, region_problem, repair_texts
from unhub.setup.outcome import FileSetup, Status, System, Wishes
from unhub.setup.yaml_text import Value

_AFTER_ENV = ("proxy", "batch", "phases", "reports", "artifacts", "cache")
_AFTER_VARIABLES = ("parameter-store", "secrets-manager", "exported-variables", "git-credential-helper")
_POSIX_SHELL = re.compile(r"(?:.*/)?(?:ba|da|a|k|z)?sh", re.IGNORECASE)
_BASH = re.compile(r"(?:.*/)?bash")
_BUILDKIT = "DOCKER_BUILDKIT"
_INLINE = re.compile(r"\s*(?:version\s*:|\{)")


@dataclass(frozen=True, slots=True)
class _Command:
    """A command of a phase: its list (``None`` where it is no list) and its number there."""

    phase: str
    key: str
    sequence: List | None
    number: int
    node: Node
    text: Mapped


def recognise(source: Source) -> bool:
    """Whether a file is a buildspec."""
    entry = choose(source)
    if entry is not None:
        return entry.format.name == "buildspec"
    return "buildspec" in source.name.lower() and source.data[source.body_start :].lstrip()[:1] == b"{" and b'"phases"' in source.data


def names_files(source: Source) -> list[str]:
    """The buildspecs that batch builds of a buildspec name; paths count from the top of the source."""
    found: list[str] = []
    for node in _batch_buildspecs(source):
        text = node.text.strip()
        if not _INLINE.match(text) and "$" not in text and ":" not in text:
            found += [text.removeprefix("./"), source.beside(text)]
    return list(dict.fromkeys(found))


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The login and ``DOCKER_BUILDKIT`` for one buildspec."""
    file = _Buildspec(source, wishes)
    return file.finish(file.set_up)


SYSTEM = System("codebuild", "AWS CodeBuild", ("buildspec",), recognise, set_up, names_files)


class _Buildspec(CiFile):
    """One buildspec."""

    def __init__(self, source: Source, wishes: Wishes) -> None:
        super().__init__(source, wishes)
        document = self.documents[0] if len(self.documents) == 1 else None
        root = document.mapping(document.root) if document else None
        if document is None or root is None:
            raise UnreadableError(f"cannot set up {source.path}: it is no buildspec")
        self.document: Document = document
        self.root: Mapping = root
        self.env = document.mapping(root.get("env"))
        self.shell = (self.env.text("shell") if self.env else None) or ""
        self.commands = list(self._commands())
        self.acts = all_acts(source, [command.text for command in self.commands], variables(document, root))

    def set_up(self) -> None:
        """Decide, insert and note."""
        if self._note_inline():
            self.result.status = Status.BY_HAND
        if self.shell and not _POSIX_SHELL.fullmatch(self.shell):
            self._foreign_shell()
            return
        uses = [act for act in self.acts if act.does is Does.USE]
        judged = judge(self.acts)
        if not uses:
            self._hub_logins()
            if judged.logins:
                self.result.status = Status.PRESENT
            elif self.result.status is Status.NOT_NEEDED:
                self.note(None, "no-docker", "no command builds or pulls images, so nothing is inserted")
            return
        self.result.status = Status.PRESENT
        self._logins(uses)
        try:
            self._buildkit(uses)
        except RefusedError as error:
            self.note(self.env, "by-hand", f"{error.message}; put DOCKER_BUILDKIT: 1 under env.variables by hand")
        self._hub_logins()
        self._run_as(uses)

    def _commands(self) -> Iterator[_Command]:
        """Every command in the order CodeBuild runs them; a list that an alias repeats counts wherever it runs."""
        phases = self.document.mapping(self.root.get("phases"))
        for name in PHASES if phases else ():
            phase = self.document.mapping(phases.get(name)) if phases else None
            for key in ("commands", "finally"):
                value = phase.get(key) if phase else None
                sequence = self.document.sequence(value)
                for number, item in enumerate(sequence.items if sequence else [value] if value else []):
                    node = self.document.resolve(item)
                    if isinstance(node, Scalar):
                        yield _Command(name, key, sequence, number, item, node.mapped)
                    elif isinstance(node, Mapping):
                        yield _Command(name, key, sequence, number, item, Mapped.plain(self.source.data, node.span.start, node.span.end))

    def _place(self, act: Act) -> str:
        command = self.commands[act.text]
        return f"phases.{command.phase}.{command.key}[{command.number}]"

    def _node(self, act: Act) -> Node:
        return self.commands[act.text].node

    # the login

    def _logins(self, uses: Sequence[Act]) -> None:
        judged = judge(self.acts)
        first = uses[0]
        if self.wishes.repair:
            for command in self.commands:
                if isinstance(command.node, Scalar):
                    repair_texts(self.editor, command.node, of_text(self.source, command.node.mapped), self.wishes.region)
        for act in judged.wrong:
            self._wrong_region(act)
        if not judged.logins:
            self._insert_login(first)
        elif judged.logins[0].text > first.text:
            where, late = self._place(first), self._place(judged.logins[0])
            if self.wishes.repair:
                self._insert_login(first)
            else:
                text = f"the login at {late} comes after the first use of images at {where} ({named(first)}); --repair puts one in front"
                self.note(self._node(judged.logins[0]), "login-late", text)
        for act in self.acts:
            if act.does is Does.TRACE:
                text = "set -x prints the commands: with --robust the password would be printed, too; switch it off around the login"
                self.note(self._node(act), "trace", text)

    def _wrong_region(self, act: Act) -> None:
        if self.wishes.repair and not act.path:
            return
        place = f"{act.path} (which {self._place(act)} runs)" if act.path else self._place(act)
        mend = "mend it by hand" if act.path else "--repair mends it"
        self.note(self._node(act), "login-region", f"{place}: {region_problem(act)}; {mend}")

    def _form(self, index_in: Sequence[_Command]) -> Form:
        if self.wishes.robust:
            return Form.ROBUST
        numbers = {self.commands.index(command) for command in index_in}
        already = any(act.does is Does.PIPEFAIL and act.text in numbers for act in self.acts)
        return Form.PIPEFAIL if _BASH.fullmatch(self.shell) and not already else Form.LINE

    def _insert_login(self, first: Act) -> None:
        """Into ``pre_build``, or into ``install`` where images are used there."""
        phase = "install" if self.commands[first.text].phase == "install" else "pre_build"
        before = [command for command in self.commands[: first.text] if command.phase == phase and command.key == "commands"]
        installs = {act.text for act in self.acts if act.does is Does.INSTALL}
        index = max((command.number + 1 for command in before if self.commands.index(command) in installs), default=0)
        text = login(self._form(self._shared_shell(phase, index)), self.wishes.region)
        if phase == "install":
            self.note(self._node(first), "install", f"images are used in install already ({named(first)}), so the login stands there")
        self._insert_command(phase, index, text)

    def _shared_shell(self, phase: str, index: int) -> list[_Command]:
        """The commands that one shell runs before a place: version 0.2 runs all in one, 0.1 each in its own."""
        if (self.root.text("version") or "").strip() == "0.1":
            return []
        earlier = PHASES[: PHASES.index(phase)]
        return [
            one for one in self.commands if one.phase in earlier or (one.phase == phase and one.key == "commands" and one.number < index)
        ]

    def _insert_command(self, phase: str, index: int, text: str) -> None:
        phases_pair = self.own(self.root, "phases", self.document)
        phases = self._own_mapping(phases_pair)
        pair = self.own(phases, phase, self.document)
        if pair is None:
            self.editor.insert_pair(phases, phase, {"commands": [text]}, before=PHASES[PHASES.index(phase) + 1 :])
            return
        if isinstance(pair.value, Empty):
            self.editor.fill(phases, pair, {"commands": [text]})
            return
        inside = self._own_mapping(pair)
        commands = self.own(inside, "commands", self.document)
        if commands is None:
            self.editor.insert_pair(inside, "commands", [text], before=("finally",))
        elif isinstance(commands.value, List):
            self.editor.insert_item(commands.value, index, text)
        else:
            self.editor.fill(inside, commands, [text])

    def _own_mapping(self, pair: Pair | None) -> Mapping:
        if pair is not None and isinstance(pair.value, Mapping):
            return pair.value
        name = pair.name if pair else "phases"
        line = self.editor.line(pair.span.start if pair else 0)
        raise RefusedError(f"line {line}: {name} is no mapping")

    # DOCKER_BUILDKIT

    def _buildkit(self, uses: Sequence[Act]) -> None:
        """``DOCKER_BUILDKIT: 1``, unless it is set already, in any way, or nothing is built."""
        said = [key for name in ("variables", *_AFTER_VARIABLES[:2]) if (inner := self._env_mapping(name)) for key in inner.keys()]  # noqa: SIM118
        if _BUILDKIT in said or any(_BUILDKIT.encode() in command.text.data for command in self.commands):
            return
        if not any({"build", "bud", "bake", "compose", "docker-compose", None} & set(act.words) for act in uses):
            return
        value: Value = {_BUILDKIT: 1}
        env = self.own(self.root, "env", self.document)
        if env is None:
            self.editor.insert_pair(self.root, "env", {"variables": value}, before=_AFTER_ENV)
        elif isinstance(env.value, Empty):
            self.editor.fill(self.root, env, {"variables": value})
        else:
            inside = self._own_mapping(env)
            pair = self.own(inside, "variables", self.document)
            if pair is None:
                self.editor.insert_pair(inside, "variables", value, before=_AFTER_VARIABLES)
            elif isinstance(pair.value, Empty):
                self.editor.fill(inside, pair, value)
            else:
                self.editor.insert_pair(self._own_mapping(pair), _BUILDKIT, 1)

    def _env_mapping(self, name: str) -> Mapping | None:
        return (
            next((found for node in self.document.lookup(self.env, name) if (found := self.document.mapping(node))), None)
            if self.env
            else None
        )

    # what a person has to know

    def _hub_logins(self) -> None:
        for act in self.acts:
            if act.does is not Does.HUB_LOGIN:
                continue
            self.result.hub_logins += 1
            command = self.commands[act.text]
            if not self.wishes.remove_hub_login:
                self.note(command.node, "hub-login", f"{self._place(act)} logs in to Docker Hub")
            elif self._is_whole(act, command) and command.sequence is not None:
                self.editor.remove_item(command.sequence, command.number)
            else:
                self.note(command.node, "hub-login", f"{self._place(act)} logs in to Docker Hub among other things; take that out by hand")

    def _is_whole(self, act: Act, command: _Command) -> bool:
        """Whether a command is all that its item says, a pipe into it included."""
        same = [other for other in self.acts if other.text == act.text]
        text = command.text.data.strip()
        one = b"\n" not in text and not re.search(rb"&&|\|\||;", text)
        alias = isinstance(command.node, Alias) or command.node.anchor is not None
        alone = command.sequence is None or len(command.sequence.items) == 1
        stays = not alone or (command.sequence is not None and self.editor.inserts_into(command.sequence))
        return one and len(same) == 1 and not alias and not act.path and stays

    def _foreign_shell(self) -> None:
        line = login(Form.LINE, self.wishes.region)
        if re.search(rb"\bdocker\b", self.source.data) and b"ecr-public" not in self.source.data:
            self.by_hand(
                self.env, f"the commands are for {self.shell}, which is not edited here; put this line into pre_build by hand: {line}"
            )

    def _run_as(self, uses: Sequence[Act]) -> None:
        """A login is for the user who runs it: another phase may run as somebody else."""
        phases = self.document.mapping(self.root.get("phases"))
        general = self.root.text("run-as")
        users: dict[str, str | None] = {}
        for name in ("pre_build", *(self.commands[act.text].phase for act in uses)):
            phase = self.document.mapping(phases.get(name)) if phases else None
            users.setdefault(name, (phase.text("run-as") if phase else None) or general)
        others = sorted(name for name, user in users.items() if user != users["pre_build"])
        if others:
            names = ", ".join(others)
            self.note(self.root, "run-as", f"{names} runs as another user than pre_build, who does not have its login; log in there, too")

    def _note_inline(self) -> bool:
        """Report buildspecs inside this one that use docker and do not log in; whether there are any."""
        found = False
        for node in _batch_buildspecs(self.source):
            if _INLINE.match(node.text) and "docker" in node.text and "ecr-public" not in node.text:
                found = True
                self.note(node, "inline-buildspec", "a buildspec written inside another is not edited; put the login into it by hand")
        return found


def _batch_buildspecs(source: Source) -> Iterator[Scalar]:
    """The texts of ``buildspec`` in batch lists: a path, or a whole buildspec."""
    from unhub.formats._yaml.parse import parse

    for document in parse(source.data):
        root = document.mapping(document.root)
        batch = document.mapping(root.get("batch")) if root else None
        pending: list[Node | None] = [batch]
        while pending:
            node = document.resolve(pending.pop())
            if isinstance(node, List):
                pending.extend(node.items)
            elif isinstance(node, Mapping):
                for pair in node.pairs:
                    if pair.name == "buildspec":
                        sequence = document.sequence(pair.value)
                        for item in sequence.items if sequence else [pair.value]:
                            scalar = document.scalar(item)
                            if scalar is not None:
                                yield scalar
                    elif pair.name != "env":
                        pending.append(pair.value)
