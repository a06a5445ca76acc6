"""What verification is asked: is the image the same at one of these targets?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from unhub.image.reference import Reference
from unhub.migrate.verification.verdict import Evidence, tagged


@dataclass(frozen=True, slots=True)
class Question:
    """A reference at Docker Hub and where it may go, the preferred place first.

    ``origin`` is ``None`` for a name at a target that stands for nothing at Docker Hub.
    """

    origin: Reference | None
    targets: tuple[Reference, ...]

    @property
    def distinct(self) -> Question:
        """The question with implied tags spelled out: two that are equal so are the same one."""
        return Question(tagged(self.origin) if self.origin else None, tuple(tagged(target) for target in self.targets))


class Proof(Protocol):
    """What is known about references and targets; asked by the mapper."""

    @property
    def wanted(self) -> bool:
        """Whether what is not known yet will be asked before anything is written."""
        ...

    def evidence(self, origin: Reference | None, target: Reference) -> Evidence | None:
        """What was seen of a target, ``None`` where nothing was."""
        ...


@dataclass(frozen=True, slots=True)
class NoProof:
    """Nothing is known, and nobody will ask."""

    wanted: bool = False

    def evidence(self, origin: Reference | None, target: Reference) -> Evidence | None:
        """See :meth:`Proof.evidence`: never anything."""
        return None
