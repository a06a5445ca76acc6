"""Recall: everything a raw search catches is found, skipped with a reason, or explained as no reference."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from tests.corpus.net import Hit, files, hits
from unhub.data.facts import builtin
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.run import RunOptions, plan_run

EXPLAINED = Path(__file__).with_name("not-references.toml")


@cache
def explanations() -> tuple[dict[str, Any], ...]:
    return tuple(tomllib.loads(EXPLAINED.read_text("utf-8"))["entry"])


def explained(tree: str, hit: Hit) -> dict[str, Any] | None:
    for entry in explanations():
        if not fnmatch.fnmatchcase(f"{tree}/{hit.path}", entry.get("path", "*")):
            continue
        if "pattern" in entry and entry["pattern"] != hit.pattern:
            continue
        if re.search(entry["line"], hit.line_text):
            return entry
    return None


def plan_of(top: Path) -> Plan:
    options = RunOptions(base=top, use_gitignore=False)
    return plan_run(options, FormatSettings(), Mapper(MappingOptions(), builtin()))


def test_every_hit_is_found_skipped_or_explained(corpus: Path, tree: str) -> None:
    plan = plan_of(corpus / tree)
    spans: dict[str, list[tuple[int, int]]] = {}
    for item in plan.items:
        spans.setdefault(item.path, []).append((item.finding.span.start, item.finding.span.end))
        for part in item.finding.parts if hasattr(item.finding, "parts") else ():
            spans.setdefault(part.path or item.path, []).append((part.span.start, part.span.end))
    unreadable = {skipped.path for skipped in plan.skipped}
    lost = [
        hit
        for path, data in files(corpus / tree)
        if path not in unreadable
        for hit in hits(path, data)
        if not any(start < hit.end and hit.start < end for start, end in spans.get(path, ())) and explained(tree, hit) is None
    ]
    assert not lost, f"{len(lost)} lost:\n" + "\n".join(
        f"{tree}/{hit.path}:{hit.line}  [{hit.pattern}]  {hit.text[:60]!r}  in  {hit.line_text.strip()[:120]}" for hit in lost
    )


def test_every_explanation_is_needed_and_gives_a_reason(corpus: Path) -> None:
    used = set()
    for tree in sorted(path.name for path in corpus.iterdir() if path.is_dir()):
        for path, data in files(corpus / tree):
            for hit in hits(path, data):
                entry = explained(tree, hit)
                if entry is not None:
                    used.add(entry["line"] + entry.get("path", "*") + entry.get("pattern", ""))
    for entry in explanations():
        assert entry["reason"].strip()
        assert entry["line"] + entry.get("path", "*") + entry.get("pattern", "") in used, f"no hit needs {entry}"
