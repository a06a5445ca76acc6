"""What a check says: how it stands, what was seen, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Status(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """Nothing fails, but somebody should know."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not looked at; the verdict says why."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something to do: a sentence, and the command that does it, if one does."""

    do: str
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status, the one sentence that says why, further lines of evidence, and remedies in the order to try them."""

    status: Status
    says: str
    evidence: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()

    def having(self, *evidence: str) -> Verdict:
        """The same with more evidence."""
        return replace(self, evidence=(*self.evidence, *evidence))


def ok(says: str, *evidence: str) -> Verdict:
    """All is well."""
    return Verdict(Status.OK, says, evidence)


def warning(says: str, *remedies: Remedy) -> Verdict:
    """Nothing fails, but somebody should know."""
    return Verdict(Status.WARNING, says, (), remedies)


def failed(says: str, *remedies: Remedy) -> Verdict:
    """Something is wrong."""
    return Verdict(Status.FAILED, says, (), remedies)


def skipped(why: str, *remedies: Remedy) -> Verdict:
    """It was not looked at."""
    return Verdict(Status.SKIPPED, why, (), remedies)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check that was made: its name for programs, its title for people, and the verdict."""

    name: str
    title: str
    verdict: Verdict
