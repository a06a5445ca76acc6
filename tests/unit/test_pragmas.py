"""Comments that tell unhub to leave a reference alone, in the comment form of each file."""

from __future__ import annotations

from pathlib import Path

import pytest

from unhub.data.facts import builtin
from unhub.image.source import FormatSettings
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.pragmas import Pragmas
from unhub.migrate.run import RunOptions, plan_run


def plan_of(base: Path) -> Plan:
    return plan_run(RunOptions(base=base), FormatSettings(), Mapper(MappingOptions(), builtin()))


@pytest.mark.parametrize("mark", [b"#", b"//", b"/*", b"<!--", b"--", b"{{/*", b"{{- /*"])
def test_each_comment_form_carries_a_pragma(mark: bytes) -> None:
    assert Pragmas(b"a\nx " + mark + b" unhub: ignore\nb\n").ignores(2)
    assert not Pragmas(b"a\nx " + mark + b" unhub: ignore\nb\n").ignores(3)
    assert Pragmas(mark + b" unhub: ignore-next-line\nb\n").ignores(2)
    assert Pragmas(b"a\n" + mark + b" UNHUB: IGNORE-FILE\n").ignores(1)


def test_text_without_a_comment_mark_is_no_pragma() -> None:
    assert not Pragmas(b"name: unhub: ignore\n").ignores(1)


def test_an_ignored_reference_is_listed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:20 AS a\n# unhub: ignore-next-line\nFROM redis:7\nFROM alpine\n")
    (tmp_path / "compose.yaml").write_text("services:\n  a:\n    image: node  # unhub: ignore\n  b:\n    image: redis\n")
    (tmp_path / "buildspec.yml").write_text(
        "# unhub: ignore-file\nversion: 0.2\nphases:\n  build:\n    commands:\n      - docker pull node\n"
    )
    plan = plan_of(tmp_path)
    ignored = sorted((item.path, item.finding.text) for item in plan.items if item.decision.class_ == "ignored")
    assert ignored == [("Dockerfile", "redis:7"), ("buildspec.yml", "node"), ("compose.yaml", "node")]
    assert b"\nFROM redis:7\n" in plan.after["Dockerfile"]
    assert b"image: node  #" in plan.after["compose.yaml"]
    assert "buildspec.yml" not in plan.after


def test_a_misspelt_pragma_is_said(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# unhub: ignore-nextline\nFROM node\n")
    plan = plan_of(tmp_path)
    assert [(skipped.path, skipped.reason, skipped.unreadable) for skipped in plan.skipped] == [
        ("Dockerfile", "line 1: there is no comment 'unhub: ignore-nextline', only ignore, ignore-next-line and ignore-file", False)
    ]
    assert "Dockerfile" in plan.after
