"""One reference with what was decided about it, and the references of one file."""

from __future__ import annotations

from msgspec import Struct, field

from unhub.image.found import Found, PulledBy, Safety, Skipped
from unhub.image.reference import Reference, written_name_length
from unhub.migrate.edits import Fix
from unhub.migrate.mapping import Decision


class Item(Struct):
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
    def incomplete(self) -> bool:
        """Whether a part of the reference (its tag) has no known value."""
        return isinstance(self.finding, Found) and any(not part.known for part in self.finding.parts)

    @property
    def target_text(self) -> str | None:
        """The target as it will be written: a tag without a known value stays as the variable it is."""
        target = self.decision.target
        if target is None or not self.incomplete:
            return None if target is None else str(target)
        text = self.finding.text
        return target.name + text[written_name_length(text) :]

    @property
    def reference(self) -> Reference | None:
        """The reference as it is written today, where it could be evaluated."""
        return self.finding.reference if isinstance(self.finding, Found) else None


class FilePlan(Struct):
    """The references of one file, its bytes, and its format's name."""

    path: str
    data: bytes
    format: str
    items: list[Item] = field(default_factory=list)
