"""CircleCI: the job's OIDC token, the role, and a ``run`` step with the login before the first step that uses images.

Syntax: circleci.com/docs, "Configuration reference" and "Using OpenID Connect tokens in jobs" (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from unhub.formats._choice import choose
from unhub.formats._scripts import mask
from unhub.formats._yaml.parse import Document, Mapping, Node, Pair, Scalar, Sequence
from unhub.formats.circleci import EXPRESSION
from unhub.image.errors import RefusedError
from unhub.image.source import Source
from unhub.setup.commands import Does
from unhub.setup.events import Event, Story, of_foreign_script, of_script, story
from unhub.setup.file import CiFile
from unhub.setup.login_line import HOSTS, token_lines
from unhub.setup.outcome import FileSetup, Status, System, Wishes
from unhub.setup.yaml_text import Value

_TOKEN = "CIRCLE_OIDC_TOKEN_V2"  # noqa: S105 - the name of a variable
_SHELL = re.compile(r"\s*(?:/\S+/)?(?:ba|da|z|k)?sh(?:\s|$)")
_BUILDS = {
    "circleci/docker": ("build", "publish", "pull"),
    "circleci/aws-ecr": ("build-and-push-image", "build_and_push_image", "build_image"),
}
"""Steps of CircleCI's own orbs that build or pull images (their registry pages, 2026-08)."""
_HAS_CREDENTIALS = re.compile(rb"AWS_WEB_IDENTITY_TOKEN_FILE|assume-role|AWS_ACCESS_KEY_ID")
_NESTING_MAX = 10


def recognise(source: Source) -> bool:
    """Whether a file is a configuration or an orb."""
    entry = choose(source)
    return entry is not None and entry.format.name == "circleci"


def set_up(source: Source, wishes: Wishes) -> FileSetup:
    """The role and the login for every job that uses images."""
    file = _Config(source, wishes)
    return file.finish(file.set_up)


SYSTEM = System("circleci", "CircleCI", ("circleci",), recognise, set_up)


class _Config(CiFile):
    """One configuration."""

    def set_up(self) -> None:
        for document in self.documents:
            root = document.mapping(document.root)
            if root is not None:
                self._blocks(document, root)

    def _blocks(self, document: Document, root: Mapping) -> None:
        """The jobs; commands that a job of this file calls count where they are called, the others for themselves."""
        reader = _Reader(self.source, document, root)
        called: set[str] = set()
        changed: list[str] = []
        for name, job in _named(document, root, "jobs"):
            called |= {step for step, _ in _step_names(document, job.get("steps"))}
            if self._block(reader, f"jobs.{name}", job):
                changed.append(name)
        for name, command in reader.commands.items():
            if name not in called:
                self._block(reader, f"commands.{name}", command)
        if changed:
            self._contexts(document, root, changed)
        self._orb_jobs(document, root, reader.orbs)

    def _block(self, reader: _Reader, place: str, block: Mapping) -> bool:
        """Put the login into a job or command; whether it needs the OIDC token."""
        told = story(list(reader.events(block.get("steps"))))
        has_login = self.logins(told, place)
        use = told.first(Does.USE)
        steps = block.get("steps")
        needs = False
        if use is not None:
            self.result.status = Status.PRESENT
            if not has_login:
                if not isinstance(steps, Sequence):
                    raise RefusedError(
                        f"line {self.editor.line(block.span.start)}: the steps of {place} are an alias, which others may use"
                    )
                needs = self._insert(block, steps, told, use)
        self.hub_logins(told, place, lambda event: self.remove_step(steps, event, told))
        return needs

    def _insert(self, block: Mapping, steps: Sequence, told: Story, use: Event) -> bool:
        written = self.source.data[block.span.start : block.span.end]
        known = _HAS_CREDENTIALS.search(written) is not None or any(event.shown == "aws-cli/setup" for event in told.all(Does.INSTALL))
        lines = [] if known else token_lines(_TOKEN, "circleci-$CIRCLE_WORKFLOW_JOB_ID", self.wishes.role)
        command = "\n".join([*lines, self.line()])
        step: Value = {"run": {"name": "Log in to ECR Public", "command": command + "\n" if lines else command}}
        self.editor.insert_item(steps, use.at, step)
        if not told.all(Does.INSTALL):
            self.note(steps, "aws-cli", "the image of the job has to have aws for the login")
        if not known and self.wishes.role is None:
            self.note(
                steps, "role", "the variable AWS_ROLE_ARN of the context or project names the role, which has to trust the organization"
            )
        return not known

    def _contexts(self, document: Document, root: Mapping, names: list[str]) -> None:
        """Jobs get an OIDC token where they use a context."""
        workflows = document.mapping(root.get("workflows"))
        for pair in workflows.pairs if workflows else ():
            workflow = document.mapping(pair.value)
            for name, call in _step_names(document, workflow.get("jobs") if workflow else None):
                given = document.mapping(call)
                if name in names and (given is None or given.get("context") is None):
                    text = (
                        f"workflows.{pair.name}: {name} uses no context; jobs get an OIDC token only with one (unverified: perhaps without)"
                    )
                    self.note(call, "context", text)

    def _orb_jobs(self, document: Document, root: Mapping, orbs: dict[str, str]) -> None:
        workflows = document.mapping(root.get("workflows"))
        for pair in workflows.pairs if workflows else ():
            workflow = document.mapping(pair.value)
            for name, call in _step_names(document, workflow.get("jobs") if workflow else None):
                given = document.mapping(call)
                if _orb_builds(name, orbs) and (given is None or given.get("pre-steps") is None):
                    self.by_hand(call, f"{name} is a job of an orb; log in by pre-steps of it by hand: {self.line()}")


def _named(document: Document, root: Mapping, key: str) -> Iterator[tuple[str, Mapping]]:
    group = document.mapping(root.get(key))
    for pair in group.pairs if group else ():
        block = document.mapping(pair.value)
        if block is not None and isinstance(pair.value, Mapping):
            yield pair.name or "", block


def _orbs(document: Document, root: Mapping) -> dict[str, str]:
    """The orbs that are used, by the names they have here, without their versions."""
    group = document.mapping(root.get("orbs"))
    return (
        {pair.name or "": scalar.text.partition("@")[0] for pair in group.pairs if (scalar := document.scalar(pair.value))} if group else {}
    )


def _orb_builds(name: str, orbs: dict[str, str]) -> bool:
    orb, _, step = name.partition("/")
    return step in _BUILDS.get(orbs.get(orb, ""), ())


def _step_names(document: Document, node: Node | None) -> Iterator[tuple[str, Node]]:
    """The names of steps, or of the jobs of a workflow, each with what is handed over."""
    steps = document.sequence(node)
    for item in steps.items if steps else ():
        step = document.resolve(item)
        if isinstance(step, Scalar):
            yield step.text, step
        elif isinstance(step, Mapping) and step.pairs:
            yield step.pairs[0].name or "", step.pairs[0].value


class _Reader:
    """Reads the steps of one document: what they do, what commands of the file do where they are called."""

    def __init__(self, source: Source, document: Document, root: Mapping) -> None:
        self.source = source
        self.document = document
        self.commands = dict(_named(document, root, "commands"))
        self.orbs = _orbs(document, root)

    def events(self, node: Node | None, depth: int = 0) -> Iterator[Event]:
        """The events of a list of steps."""
        steps = self.document.sequence(node)
        for number, item in enumerate(steps.items if steps and depth < _NESTING_MAX else []):
            step = self.document.resolve(item)
            if isinstance(step, Scalar):
                yield from self._called(step.text, step, number, depth)
            elif isinstance(step, Mapping):
                for pair in step.pairs:
                    yield from self._pair(pair, number, depth)

    def _pair(self, pair: Pair, number: int, depth: int) -> Iterator[Event]:
        inner = self.document.mapping(pair.value)
        if pair.name == "run":
            yield from self._run(inner, pair.value, number)
        elif inner is not None and inner.get("steps") is not None:
            for event in self.events(inner.get("steps"), depth + 1):
                yield replace(event, at=number)
        elif pair.name == "docker/check" and inner is not None and (inner.text("registry") or "") in HOSTS:
            yield Event(Does.LOGIN, number, "docker/check", pair.key)
        else:
            yield from self._called(pair.name or "", pair.key, number, depth)

    def _run(self, inner: Mapping | None, node: Node, number: int) -> Iterator[Event]:
        command = self.document.scalar(inner.get("command") if inner else node)
        shell = (inner.text("shell") if inner else None) or ""
        if command is not None:
            text = mask(command.mapped, EXPRESSION)
            readable = not shell or _SHELL.match(shell)
            yield from of_script(self.source, text, number, command) if readable else of_foreign_script(text, number, command)

    def _called(self, name: str, node: Node, number: int, depth: int) -> Iterator[Event]:
        """A command of this file, or one of an orb."""
        if name in self.commands:
            for event in self.events(self.commands[name].get("steps"), depth + 1):
                yield replace(event, at=number, shown=f"{name}: {event.shown}")
        elif _orb_builds(name, self.orbs):
            yield Event(Does.USE, number, name, node)
        elif name == "aws-cli/setup" and self.orbs.get("aws-cli") == "circleci/aws-cli":
            yield Event(Does.INSTALL, number, name, node)
