"""`unhub formats`: from the code, and the page in the documentation is what it says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import unhub
from unhub.formats._format import entries

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"


def test_every_format_is_listed_in_every_form(tmp_path: Path) -> None:
    names = {entry.format.name for entry in entries()}
    rows = json.loads(unhub("formats", "--format", "json", cwd=tmp_path).out)["formats"]
    assert {row["name"] for row in rows} == names
    assert list(rows[0]) == ["name", "title", "tier", "files", "positions", "gaps"]
    table, page = unhub("formats", cwd=tmp_path).text, unhub("formats", "--format", "markdown", cwd=tmp_path).text
    for entry in entries():
        assert f"{entry.format.name}  (tier {entry.format.tier})  {entry.format.title}" in table
        assert f"## {entry.format.title}\n\n`--only {entry.format.name}`, tier {entry.format.tier}.\n" in page


def test_tier_a_comes_first(tmp_path: Path) -> None:
    tiers = [row["tier"] for row in json.loads(unhub("formats", "--format", "json", cwd=tmp_path).out)["formats"]]
    assert tiers == sorted(tiers)


def test_the_page_in_the_documentation_is_current(tmp_path: Path) -> None:
    expected = unhub("formats", "--format", "markdown", cwd=tmp_path).text
    assert PAGE.read_text("utf-8") == expected, "run: python -m scripts.formats"
