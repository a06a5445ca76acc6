"""A build: the phases in their order, what follows when one fails, and what it ends with.

A failing command skips the rest of its list and fails its phase; ``finally`` runs anyway. A failed install or pre_build
ends the build. A failed build phase is followed by post_build (the maintainers' word in aws-codebuild-docker-images#385;
not in the reference, so it can be switched off). A build that failed in a phase with ``CONTINUE`` goes on and counts as failed
all the same (unverified). ``RETRY`` begins the whole build anew in a fresh shell, as "retry the build" says; its pattern is
looked for in the message of the failure and in the end of what the command wrote (unverified).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from unhub.buildspec.masking import Mask
from unhub.buildspec.on_failure import Do
from unhub.buildspec.shell import Shell
from unhub.buildspec.spec import Buildspec, Command, Phase

TAIL = 16_384
"""Bytes at the end of a command's output in which the pattern of ``RETRY`` is looked for."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that did not succeed, its exit status, and the end of what it wrote."""

    command: Command
    status: int
    tail: str

    @property
    def message(self) -> str:
        """The failure in CodeBuild's words."""
        return f"Error while executing command: {self.command.text}. Reason: exit status {self.status}"


class Log(Protocol):
    """Who is told what happens."""

    def output(self, data: bytes) -> None:
        """A command wrote this."""
        ...

    def entering(self, phase: Phase) -> None:
        """A phase begins."""
        ...

    def running(self, command: Command) -> None:
        """A command begins."""
        ...

    def failed(self, failure: Failure) -> None:
        """A command did not succeed."""
        ...

    def complete(self, phase: Phase, failure: Failure | None) -> None:
        """A phase ends, by its first failure if there was one."""
        ...

    def again(self, number: int, retries: int) -> None:
        """The build begins anew, for the ``number``-th time of at most ``retries``."""
        ...


@dataclass(frozen=True, slots=True)
class Wishes:
    """Where a build runs and with which variables; ``only`` names the phases to run, all where it is empty."""

    folder: Path
    variables: Mapping[str, str]
    secrets: Sequence[str] = ()
    only: frozenset[str] = frozenset()
    post_build_after_failure: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a build ended: the exit status of the first command that failed, else 0, and the exported variables that have a value."""

    status: int
    exported: Mapping[str, str]


class _Then(Enum):
    GO_ON = auto()
    END = auto()
    AGAIN = auto()


def run(spec: Buildspec, wishes: Wishes, log: Log) -> Outcome:
    """Run a build to its end. Raises :class:`~unhub.image.errors.UsageError` where there is no such shell."""
    tried_again = 0
    while True:
        attempt = _Attempt(spec, wishes, log, tried_again)
        outcome = attempt.run()
        if outcome is not None:
            return outcome
        tried_again += 1
        log.again(tried_again, attempt.retries)


@dataclass
class _Attempt:
    """One try of a build, from its first phase."""

    spec: Buildspec
    wishes: Wishes
    log: Log
    tried_again: int
    retries: int = 0
    _first: Failure | None = None
    _tail: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._mask = Mask(self.wishes.secrets)

    def run(self) -> Outcome | None:
        """The outcome, or ``None`` where the build is to be tried again."""
        with self._shell() as shell:
            for phase in self.spec.phases:
                if self.wishes.only and phase.name not in self.wishes.only:
                    continue
                failure = self._phase(phase, shell)
                if failure is None:
                    continue
                match self._then(phase, failure):
                    case _Then.AGAIN:
                        return None
                    case _Then.END:
                        break
                    case _Then.GO_ON:
                        pass
            return Outcome(self._first.status if self._first else 0, self._exported(shell))

    def _shell(self) -> Shell:
        return Shell(self.spec.shell, self.wishes.folder, self.wishes.variables, self._write)

    def _phase(self, phase: Phase, shell: Shell) -> Failure | None:
        self.log.entering(phase)
        failures = [failure for commands in (phase.commands, phase.at_the_end) if (failure := self._commands(commands, shell))]
        failure = failures[0] if failures else None
        self.log.complete(phase, failure)
        return failure

    def _commands(self, commands: Sequence[Command], shell: Shell) -> Failure | None:
        """Run commands up to the first that fails."""
        for command in commands:
            self.log.running(command)
            status = self._run(command, shell)
            if status != 0:
                failure = Failure(command, status, self._tail.decode("utf-8", "replace"))
                self._first = self._first or failure
                self.log.failed(failure)
                return failure
        return None

    def _run(self, command: Command, shell: Shell) -> int:
        self._tail.clear()
        succeeding = self._first is None
        if self.spec.one_shell:
            status = shell.run(command.text, succeeding=succeeding)
        else:
            with self._shell() as own:
                status = own.run(command.text, succeeding=succeeding)
        self._show(self._mask.end())
        return status

    def _then(self, phase: Phase, failure: Failure) -> _Then:
        rule = phase.on_failure
        if rule is not None and rule.wants_another_try(self.tried_again, f"{failure.message}\n{failure.tail}"):
            self.retries = rule.retries
            return _Then.AGAIN
        if rule is not None and rule.do is not Do.RETRY:
            return _Then.GO_ON if rule.do is Do.CONTINUE else _Then.END
        return _Then.GO_ON if phase.name == "build" and self.wishes.post_build_after_failure else _Then.END

    def _exported(self, shell: Shell) -> dict[str, str]:
        values = {name: shell.value(name) for name in self.spec.exported if self.spec.one_shell}
        return {name: value for name, value in values.items() if value is not None}

    def _write(self, data: bytes) -> None:
        self._show(self._mask.feed(data))

    def _show(self, data: bytes) -> None:
        if data:
            self._tail += data
            del self._tail[:-TAIL]
            self.log.output(data)
