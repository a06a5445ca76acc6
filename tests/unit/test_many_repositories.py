"""400 generated repositories, one broken, one read-only: scanned, merged into one report, and moved where that can be."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from tests.command_line import unhub
from unhub.data.facts import builtin
from unhub.image.errors import WriteFailed
from unhub.image.source import FormatSettings
from unhub.migrate.journal import Journal
from unhub.migrate.mapping import Mapper, MappingOptions
from unhub.migrate.plan import Plan
from unhub.migrate.reports import json_report
from unhub.migrate.run import RunOptions, plan_run
from unhub.migrate.write import write_plan

COUNT, BROKEN, READ_ONLY = 400, 7, 11
NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def plan_of(base: Path, *, proven: bool = False) -> Plan:
    mapper = Mapper(MappingOptions(), builtin())
    return plan_run(RunOptions(base=base, use_gitignore=False), FormatSettings(), mapper, proven=proven)


@pytest.fixture
def repositories(tmp_path: Path) -> list[Path]:
    made: list[Path] = []
    for number in range(COUNT):
        base = tmp_path / "repositories" / f"team-{number % 20}" / f"service-{number}"
        base.mkdir(parents=True)
        (base / "Dockerfile").write_text(f"FROM node:{18 + number % 3}\nCOPY --from=alpine /x /x\n")
        (base / "compose.yaml").write_text("services:\n  db:\n    image: postgres:16\n  own:\n    image: ghcr.io/us/own:1\n")
        made.append(base)
    (made[BROKEN] / "compose.yaml").write_text("services:\n  db:\n    image: [\n")
    for path in made[READ_ONLY].iterdir():
        path.chmod(0o444)
    return made


def test_400_repositories_make_one_report(repositories: list[Path], tmp_path: Path) -> None:
    scans: list[str] = []
    for base in repositories:
        path = tmp_path / f"{base.name}.json"
        path.write_text("".join(json_report.render(plan_of(base))))
        scans.append(path.name)
    assert json.loads((tmp_path / f"service-{BROKEN}.json").read_text())["skipped"], "the broken file is said"
    done = unhub("report", "--format", "json", *scans, cwd=tmp_path)
    assert done.status == 0
    assert done.json["summary"]["repositories"] == COUNT
    assert done.json["summary"]["pulls"] == 4 * COUNT - 2, "the broken compose file has none of its two"
    assert done.json["skipped"] == []


def test_each_moves_but_the_read_only_one_which_stays_whole(repositories: list[Path], tmp_path: Path) -> None:
    for number in (0, BROKEN, READ_ONLY, COUNT - 1):
        base = repositories[number]
        before = {path.name: path.read_bytes() for path in base.iterdir()}
        plan = plan_of(base, proven=True)
        journal = Journal(tmp_path / f"journal-{number}")
        if number == READ_ONLY:
            with pytest.raises(WriteFailed, match="it is read-only; no file was changed"):
                write_plan(plan, base, journal, NOW)
            assert {path.name: path.read_bytes() for path in base.iterdir()} == before
        else:
            run = write_plan(plan, base, journal, NOW)
            assert run is not None
            assert run.files == (["Dockerfile"] if number == BROKEN else ["Dockerfile", "compose.yaml"])
