"""Findings as SARIF 2.1.0, for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
Section 3.30.4: the text and the binary properties of a region are independent, so both are
given: lines and columns for people, byte offsets for programs that apply a fix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from unhub import __version__
from unhub.image.found import Class
from unhub.migrate.edits import Edit
from unhub.migrate.item import FilePlan, Item
from unhub.migrate.look import Lines, SkippedFile
from unhub.migrate.plan import Plan
from unhub.migrate.reports.github import LEVELS, message
from unhub.migrate.reports.records import canonical, class_of, target, verdict_of
from unhub.migrate.verification.verdict import verified

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

RULES: Final = {
    Class.MIGRATABLE: "A Docker Hub image that can come from elsewhere",
    Class.MIGRATED: "A Docker Hub image that now comes from elsewhere",
    Class.CONFLICT: "A Docker Hub image whose move would break something",
    Class.NO_TARGET: "A Docker Hub image that no target serves",
    Class.VARIABLE: "An image of which a part is not known here",
    Class.SHORT_NAME: "An unqualified image name whose registry podman decides",
    Class.INVALID: "A text at the place of an image that is none",
    Class.IGNORED: "An image that an unhub: ignore comment keeps",
    Class.ALREADY_MIRRORED: "An image that comes from where it should",
    Class.NOT_DOCKER_HUB: "An image of another registry",
    Class.BUILD_OUTPUT: "An image that is built here, not pulled",
    Class.STAGE: "A build stage, not an image",
}

_Object = dict[str, object]


def render(plan: Plan, *, everything: bool = False) -> str:
    """The log: one result a reference that needs something, its fix with it; all references if ``everything``."""
    lines = _PlacesByPath(plan)
    results = [
        _result(item, lines)
        for file in plan.files
        for item in file.items
        if everything or class_of(item) in LEVELS or class_of(item) is Class.IGNORED
    ]
    run: _Object = {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder that unhub was started in"}}},
        "artifacts": [_artifact(file) for file in plan.files],
        "invocations": [_invocation(plan)],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _driver() -> _Object:
    rules = [
        {
            "id": class_.value,
            "shortDescription": {"text": title},
            "defaultConfiguration": {"level": _level(class_)},
        }
        for class_, title in RULES.items()
    ]
    return {"name": "unhub", "semanticVersion": __version__, "rules": rules}


def _level(class_: Class) -> str:
    return {"warning": "warning", "notice": "note"}.get(LEVELS.get(class_, ""), "none")


def _artifact(file: FilePlan) -> _Object:
    return {"location": _location(file.path), "length": len(file.data)}


def _location(path: str) -> _Object:
    uri = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    if path.startswith("/"):
        return {"uri": f"file://{uri}"}
    return {"uri": uri, "uriBaseId": "SRCROOT"}


def _invocation(plan: Plan) -> _Object:
    unreadable = [file for file in plan.skipped if file.unreadable]
    return {"executionSuccessful": not unreadable, "toolExecutionNotifications": [_notification(file) for file in unreadable]}


def _notification(file: SkippedFile) -> _Object:
    return {
        "level": "warning",
        "message": {"text": _text(file.reason)},
        "locations": [{"physicalLocation": {"artifactLocation": _location(file.path)}}],
    }


def _result(item: Item, places: _PlacesByPath) -> _Object:
    class_ = class_of(item)
    span = item.finding.span
    result: _Object = {
        "ruleId": class_.value,
        "level": _level(class_),
        "message": {"text": _text(message(item))},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": _location(item.path), "region": places.region(item.path, span.start, span.end)},
                "logicalLocations": [{"fullyQualifiedName": _text(item.finding.where)}],
            }
        ],
        "properties": {
            "canonical": canonical(item),
            "target": target(item),
            "pulledBy": item.pulled_by,
            "verified": None if item.decision.target is None else verified(verdict_of(item)),
            "verdict": verdict_of(item),
        },
    }
    if _level(class_) == "none":
        result["kind"] = "informational"
    if class_ is Class.IGNORED:
        result["suppressions"] = [{"kind": "inSource"}]
    if item.fix is not None and not item.applied and item.fix.edits:
        result["fixes"] = [_fix(item.fix.edits, target(item), places)]
    return result


def _fix(edits: Iterable[Edit], new: str | None, places: _PlacesByPath) -> _Object:
    changes: dict[str, list[_Object]] = {}
    for edit in sorted(edits):
        replacement: _Object = {
            "deletedRegion": places.region(edit.path, edit.span.start, edit.span.end),
            "insertedContent": {"text": edit.replacement.decode("utf-8", "replace")},
        }
        changes.setdefault(edit.path, []).append(replacement)
    return {
        "description": {"text": f"Pull {new} instead"},
        "artifactChanges": [{"artifactLocation": _location(path), "replacements": rows} for path, rows in changes.items()],
    }


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _PlacesByPath:
    """Regions of the files of a plan; a file's lines are counted once."""

    def __init__(self, plan: Plan) -> None:
        self._data = {**plan.before, **{file.path: file.data for file in plan.files}}
        self._lines: dict[str, Lines] = {}

    def region(self, path: str, start: int, end: int) -> _Object:
        lines = self._lines.get(path)
        if lines is None:
            lines = self._lines[path] = Lines(self._data[path])
        return {
            "startLine": lines.line(start),
            "startColumn": lines.column(start),
            "endLine": lines.line(end),
            "endColumn": lines.column(end),
            "byteOffset": start,
            "byteLength": end - start,
        }
