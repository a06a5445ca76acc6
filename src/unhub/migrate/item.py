"""One reference with what was decided about it, and the references of one file."""

from __future__ import annotations

from dataclasses import dataclass, field

from unhub.image.found import Found, PulledBy, Safety, Skipped
from unhub.image.reference import Reference
from unhub.migrate.edits import Fix
from unhub.migrate.mapping import Decision


@dataclass(slots=True)
class Item:
    """One reference of one file with its decision; ``fix`` holds its edits if it will be moved."""

    path: str
    line: int
    column: int
    finding: Found | Skipped
    decision: Decision
    fix: Fix | None = None
    applied: bool = False

    @property
    def safety(self) -> Safety | None:
        """How sure the text is; ``None`` for what is not a reference to pull."""
        return self.finding.safety if isinstance(self.finding, Found) else None

    @property
    def pulled_by(self) -> PulledBy | None:
        """Who pulls, where that is known."""
        return self.finding.pulled_by

    @property
    def reference(self) -> Reference | None:
        """The reference as it is written today, where it could be evaluated."""
        return self.finding.reference if isinstance(self.finding, Found) else None


@dataclass(slots=True)
class FilePlan:
    """The references of one file, its bytes, and its format's name."""

    path: str
    data: bytes
    format: str
    items: list[Item] = field(default_factory=list)
