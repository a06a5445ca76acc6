"""Jenkins: a ``sh`` step with the login in front of the first use of images on each agent; the agent's instance role gives access.

A pipeline is Groovy, of which tokens are read; the edited file must have the same tokens, and those of the login.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unhub.formats._choice import choose
from unhub.formats._groovy.calls import arguments_of, group_items, is_sign, is_word, name_at
from unhub.formats._groovy.tokens import Group, Item, Text, Token, read
from unhub.formats._text import Mapped, encode
from unhub.image.errors import RefusedError, SelfCheckFailed
from unhub.image.found import Span
from unhub.image.source import Source
from unhub.migrate.edits import Edit, apply, merge, reverse
from unhub.setup.called import all_acts
from unhub.setup.commands import Does
from unhub.setup.login_line import Form, login
from unhub.setup.logins import named, region_problem
from unhub.setup.outcome import FileSetup, Note, Status, System, Wishes

_METHODS = frozenset({"pull", "inside", "run", "withRun"})
"""Methods of ``docker.image(…)`` that pull (docker-workflow plugin, 2026-08)."""


def recognise(source: Source) -> bool:
    """Whether a file is a pipeline, or a part of a shared library that uses docker."""
    entry = choose(source)
    return entry is not None and entry.format.name == "jenkinsfile"


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The login for every agent that uses images."""
    pipeline = _Pipeline(source, wishes)
    try:
        pipeline.set_up()
        pipeline.finish()
    except SelfCheckFailed as error:
        pipeline.result.status, pipeline.result.edits = Status.REFUSED, []
        pipeline.note(0, "refused", error.message)
    return pipeline.result


SYSTEM = System("jenkins", "Jenkins", ("jenkinsfile",), recognise, set_up)


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that a pipeline does: in which group, at which item, and on which agent (the outermost group of it)."""

    does: Does
    group: Group
    item: int
    agent: int
    block: str
    shown: str
    problem: str | None = None

    @property
    def at(self) -> int:
        """Where it stands in the file."""
        return self.group.items[self.item].span.start


class _Pipeline:
    """One Jenkinsfile, or a file of a shared library."""

    def __init__(self, source: Source, wishes: Wishes) -> None:
        self.source = source
        self.wishes = wishes
        self.root = read(source.data)
        self.result = FileSetup(source.path, source.data, Status.NOT_NEEDED)
        self.edits: list[Edit] = []

    def note(self, at: int, kind: str, text: str) -> None:
        line = self.source.data.count(b"\n", 0, at) + 1
        if all((said.kind, said.text) != (kind, text) for said in self.result.notes):
            self.result.notes.append(Note(self.source.path, line, kind, text))

    def set_up(self) -> None:
        """Look at each agent's steps in order, and put a login in front of the first that uses images."""
        steps = sorted(_steps(self.source, self.root, _Where(0), 0), key=lambda step: step.at)
        for agent in dict.fromkeys(step.agent for step in steps):
            self._agent([step for step in steps if step.agent == agent])

    def _agent(self, steps: Sequence[_Step]) -> None:
        use = next((step for step in steps if step.does is Does.USE), None)
        logins = [step for step in steps if step.does is Does.LOGIN]
        for step in steps:
            if step.problem is not None:
                self.note(step.at, "login-region", f"{step.problem}; mend it by hand")
            if step.does is Does.HUB_LOGIN:
                self.result.hub_logins += 1
                self.note(step.at, "hub-login", "logs in to Docker Hub; take that out by hand once nothing needs it")
        if use is None:
            return
        if self.result.status is Status.NOT_NEEDED:
            self.result.status = Status.PRESENT
        if not logins or (logins[0].at > use.at and self.wishes.repair):
            self._insert(use)
        elif logins[0].at > use.at:
            text = f"the login comes after the first use of images ({use.shown}); --repair puts one in front"
            self.note(logins[0].at, "login-late", text)

    def _insert(self, use: _Step) -> None:
        step = self._written()
        try:
            self.edits.append(self._edit(use, step))
        except RefusedError as error:
            self.result.status = Status.BY_HAND
            self.note(use.at, "by-hand", f"{error.message}; put this in front of it by hand: {step}")
            return
        text = "the agent has to have aws, and a role of its instance (or other credentials) with the two permissions"
        self.note(use.at, "role", text)

    def _written(self) -> str:
        """The step: a string without interpolation. Jenkins' shell prints commands, so the robust form switches that off."""
        if self.wishes.robust:
            return f"sh '''set +x; {login(Form.ROBUST, self.wishes.region)}'''"
        return f"sh '{login(Form.LINE, self.wishes.region)}'"

    def _edit(self, use: _Step, step: str) -> Edit:
        """In a line of its own in front of the statement; where that shares its line with the bracket, right behind that."""
        first = use.item
        while first > 0 and not is_sign(use.group.items[first - 1], "\n") and not is_sign(use.group.items[first - 1], ";"):
            first -= 1
        if not _is_statement(use.group, first, use.block):
            raise RefusedError(f"{use.shown} is part of another statement")
        at = use.group.items[first].span.start
        data = self.source.data
        line = max(data.rfind(b"\n", 0, at), data.rfind(b"\r", 0, at)) + 1
        line = self.source.body_start if line == 0 else line
        blanks = data[line:at]
        if not blanks.strip(b" \t"):
            end = b"\r\n" if data[:line].endswith(b"\r\n") or (b"\r\n" in data and line == self.source.body_start) else b"\n"
            line = _above_comments(data, line, blanks)
            return Edit(self.source.path, Span(line, line), blanks + encode(step) + end)
        if use.group.opener == "{" and first == 0:
            place = use.group.span.start + 1
            return Edit(self.source.path, Span(place, place), encode(f" {step};"))
        raise RefusedError(f"{use.shown} stands in the middle of a line")

    def finish(self) -> None:
        """Make the edits and prove them; raises :class:`SelfCheckFailed`."""
        if not self.edits:
            return
        data, path = self.source.data, self.source.path
        edits = merge(self.edits)
        after = apply(data, edits)
        wanted = list(_said(self.root.items))
        for edit in reversed(edits):
            place = next((n for n, (at, _) in enumerate(wanted) if at >= edit.span.start), len(wanted))
            wanted[place:place] = _said(read(encode(self._written())).items)
        if apply(after, reverse(data, edits)) != data or [text for _, text in _said(read(after).items)] != [text for _, text in wanted]:
            raise SelfCheckFailed(f"cannot edit {path}: the edited file does not say what was planned")
        self.result.edits, self.result.after, self.result.status = edits, after, Status.CHANGES


def _is_statement(group: Group, first: int, block: str) -> bool:
    """Whether a statement begins at an item, so that another may stand in front: no branch without brackets, no argument."""
    if group.opener not in ("{", "") or block == "environment":
        return False
    before = next((n for n in range(first - 1, -1, -1) if not is_sign(group.items[n], "\n")), None)
    if before is None:
        return True
    item = group.items[before]
    if isinstance(item, Group):
        return item.opener != "(" or name_at(group.items, before - 1) not in ("if", "for", "while", "switch")
    if isinstance(item, Token):
        return item.text in (";", ">") if item.kind == "sign" else item.text not in ("else", "do", "return", "in")
    return True


def _above_comments(data: bytes, line: int, blanks: bytes) -> int:
    """The start of the comments that stand right above a line, as far in as it."""
    while line > 0:
        above = data.rfind(b"\n", 0, line - 1) + 1
        if not data.startswith(blanks + b"//", above):
            break
        line = above
    return line


def _said(items: Sequence[Item]) -> list[tuple[int, str]]:
    """What tokens say and where, brackets included, line ends and semicolons left out."""
    found: list[tuple[int, str]] = []
    for item in items:
        if isinstance(item, Group):
            found += [(item.span.start, item.opener), *_said(item.items), (item.span.end - 1, f"end {item.opener}")]
        elif isinstance(item, Text):
            found.append((item.span.start, f"text {item.value}"))
        elif item.text not in ("\n", ";"):
            found.append((item.span.start, item.text))
    return found


@dataclass(frozen=True, slots=True)
class _Where:
    """Which agent runs a group (where its block starts), and the name of the block around it."""

    agent: int
    block: str = ""


def _steps(source: Source, group: Group, where: _Where, depth: int) -> Iterator[_Step]:
    """The steps of a group and of the groups inside."""
    for number, item in enumerate(group.items):
        if isinstance(item, Group) and depth < 200:
            inner = where
            if item.opener == "{":
                inner = _Where(item.span.start if _has_agent(group.items, number, item) else where.agent, _block(group.items, number))
            yield from _steps(source, item, inner, depth + 1)
        elif isinstance(item, Token) and item.kind == "word":
            yield from _word(source, group, number, where)


def _block(items: Sequence[Item], number: int) -> str:
    """The name in front of a block, parentheses between them passed over."""
    return name_at(items, number - 2 if number > 0 and isinstance(items[number - 1], Group) else number - 1)


def _has_agent(items: Sequence[Item], number: int, block: Group) -> bool:
    """Whether a block runs on an agent of its own: ``node {…}``, or a stage or matrix that names one."""
    if _block(items, number) in ("node", "podTemplate", "dockerNode"):
        return True
    return any(is_word(item, "agent") for item in group_items(block))


def _word(source: Source, group: Group, number: int, where: _Where) -> Iterator[_Step]:
    items = group.items
    name = name_at(items, number)
    if name == "sh":
        arguments = arguments_of(items, number)
        text = next((argument.text for argument in arguments if argument.name in (None, "script") and argument.text), None)
        if text is not None:
            yield from _shell(source, group, number, where, text)
    elif name == "docker.build":
        yield _Step(Does.USE, group, number, where.agent, where.block, name)
    elif name == "docker.image":
        dotted = number + 2 < len(items) and is_sign(items[number + 2], ".")
        method = items[number + 3] if dotted and number + 3 < len(items) else None
        if isinstance(method, Token) and method.text in _METHODS:
            yield _Step(Does.USE, group, number, where.agent, where.block, f"docker.image.{method.text}")


def _shell(source: Source, group: Group, number: int, where: _Where, text: Text) -> Iterator[_Step]:
    for act in all_acts(source, [_masked(text)]):
        if act.does in (Does.USE, Does.LOGIN, Does.HUB_LOGIN, Does.PASSWORD):
            problem = region_problem(act) if act.does is Does.PASSWORD and not act.region_is_right else None
            yield _Step(act.does, group, number, where.agent, where.block, named(act), problem)


def _masked(text: Text) -> Mapped:
    """The script with what Groovy puts into it as variables of the shell."""
    data = bytearray(text.mapped.data)
    for span in text.variables:
        if span.end - span.start > 3:
            data[span.start : span.end] = b"${" + b"_" * (span.end - span.start - 3) + b"}"
    return Mapped(bytes(data), text.mapped.pieces)
