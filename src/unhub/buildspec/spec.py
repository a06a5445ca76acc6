"""What a buildspec says, as far as it can be run here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unhub.buildspec.on_failure import OnFailure

PHASES = ("install", "pre_build", "build", "post_build")
"""The phases that have commands, in the order in which they run."""

SHELL = "sh"
"""Who runs the commands where the buildspec names no shell."""

SHELLS = ("sh", "bash")
"""The shells that CodeBuild's Linux images offer (``env.shell``: ``/bin/sh`` and ``bash``), with or without their folder."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, several lines where its author wrote them; ``line`` is where it begins in the file, from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase: its commands, those that run whatever became of them, and what follows when one fails."""

    name: str
    commands: tuple[Command, ...]
    at_the_end: tuple[Command, ...]
    """``finally``."""
    on_failure: OnFailure | None = None

    @property
    def title(self) -> str:
        """The name as CodeBuild's log has it: ``PRE_BUILD``."""
        return self.name.upper()


@dataclass(frozen=True, slots=True)
class Secret:
    """A variable whose value AWS keeps: ``store`` is ``parameter-store`` or ``secrets-manager``."""

    name: str
    store: str
    line: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the buildspec asks for and a run on this machine does not do, with the reason."""

    key: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Buildspec:
    """A whole buildspec. ``version`` is ``0.1`` (a shell for each command) or ``0.2`` (one for all)."""

    path: str
    version: str
    shell: str
    variables: Mapping[str, str]
    secrets: tuple[Secret, ...]
    exported: tuple[str, ...]
    phases: tuple[Phase, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def one_shell(self) -> bool:
        """Whether folder, variables and functions carry over from one command to the next."""
        return self.version != "0.1"
