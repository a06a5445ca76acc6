"""What is held back: a rewrite that would break something elsewhere, or that cannot be made alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from unhub.image.found import Class, Found, Part
from unhub.migrate.conflicts import Declarations
from unhub.migrate.edits import overlaps
from unhub.migrate.item import FilePlan, Item
from unhub.migrate.mapping import Decision


def _items(files: Sequence[FilePlan]) -> Iterable[Item]:
    return (item for file in files for item in file.items)


def movable(files: Sequence[FilePlan]) -> list[tuple[Item, Found]]:
    """The references that would move so far, each with its finding."""
    return [(item, item.finding) for item in _items(files) if item.decision.class_ is Class.MIGRATABLE and isinstance(item.finding, Found)]


def hold_back(item: Item, reason: str, class_: Class = Class.CONFLICT) -> None:
    """Let a reference stay as it is, and say why."""
    item.decision = replace(item.decision, class_=class_, reason=reason)
    item.fix = None


def hold_back_conflicts(files: Sequence[FilePlan], declarations: Declarations) -> None:
    """Hold back what another file of the tree builds, replaces, selects or reaches by its name (rules #52, #53, #59, #63)."""
    for item, found in movable(files):
        built, conflict = declarations.built(found, item.path), declarations.conflict(found, item.path)
        if built:
            item.decision = Decision(Class.BUILD_OUTPUT, None, None, built)
        elif conflict:
            hold_back(item, conflict)


def hold_back_foreign(files: Sequence[FilePlan], may_edit: Callable[[str], bool]) -> None:
    """Hold back a value that stands in a neighbouring file which may not be edited (rule #55)."""
    for item, found in movable(files):
        for part in found.parts:
            if part.path is not None and not may_edit(part.path):
                hold_back(item, f"its value stands in {part.path}, which git does not track, so it is not edited", Class.VARIABLE)


Cluster = list[tuple[Item, Part]]


def _shared_bytes(files: Sequence[FilePlan]) -> list[tuple[str, Cluster]]:
    """The bytes (an ARG's default, an anchor, a ``.env`` line) that spell several references, with their users."""
    clusters: dict[tuple[str, int], Cluster] = {}
    for item in _items(files):
        if isinstance(item.finding, Found):
            for part in item.finding.parts:
                clusters.setdefault((part.path or item.path, part.span.start), []).append((item, part))
    return [(path, users) for (path, _), users in clusters.items() if len(users) > 1]


def hold_back_disagreeing(files: Sequence[FilePlan]) -> None:
    """Hold back the users of shared bytes that cannot all move together.

    Holding one back may leave another alone, so this goes on until nothing changes.
    """
    shared = _shared_bytes(files)
    together = _moving_together(files)
    changed = True
    while changed:
        changed = False
        for path, users in shared:
            for item, other in _disagreeing(path, users):
                reason = (
                    f"shares its value with {other.path}:{other.line} ({other.finding.text}), "
                    f"which stays: {other.decision.reason or other.decision.class_}"
                )
                hold_back(item, reason)
                changed = True
        for items in together:
            stays = next((item for item in items if item.fix is None), None)
            for item in items:
                if stays is not None and item.fix is not None:
                    reason = f"is the image of {stays.path}:{stays.line}, which stays: {stays.decision.reason or stays.decision.class_}"
                    hold_back(item, reason)
                    changed = True


def _moving_together(files: Sequence[FilePlan]) -> list[list[Item]]:
    """References that move all or none, because they name one image on one machine."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in _items(files):
        if isinstance(item.finding, Found) and item.finding.together is not None:
            groups.setdefault((item.path, item.finding.together), []).append(item)
    return [items for items in groups.values() if len(items) > 1]


def _disagreeing(path: str, users: Cluster) -> list[tuple[Item, Item]]:
    """Each user whose edit of the shared bytes another user does not make too, with that other one."""
    found: list[tuple[Item, Item]] = []
    for item, _ in users:
        edits = [edit for edit in item.fix.edits if edit.path == path] if item.fix else []
        for other, part in users:
            agrees = other is item or all(
                other.fix is not None and edit in other.fix.edits for edit in edits if overlaps(edit.span, part.span)
            )
            if not agrees:
                found.append((item, other))
                break
    return found
