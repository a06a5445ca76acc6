"""SARIF: valid by its schema, right in lines, columns and bytes, and its fixes do what the plan does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from tests.command_line import POD, Ended, unhub
from unhub.image.found import Class
from unhub.migrate.reports.sarif import RULES

SCHEMA = json.loads((Path(__file__).parent.parent / "data" / "sarif-2.1.0-rtm.5.json").read_bytes())


def run_of(ended: Ended) -> Any:
    log = ended.json
    jsonschema.validate(log, SCHEMA, cls=jsonschema.Draft4Validator, format_checker=jsonschema.FormatChecker())
    (run,) = log["runs"]
    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "pod ä.yaml").write_bytes(
        "\ufeff# ä日\r\n".encode() + POD.format(image='"node:20" # ü').replace("\n", "\r\n").encode()
    )
    (tmp_path / "kept.yaml").write_text(POD.format(image="nginx # unhub: ignore"))
    (tmp_path / "stuck.yaml").write_text(POD.format(image="grafana/grafana"))
    (tmp_path / "fine.yaml").write_text(POD.format(image="quay.io/a/b"))
    (tmp_path / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nimage: [\n")
    return tmp_path


def test_every_class_that_a_reference_can_end_in_has_a_rule() -> None:
    assert set(RULES) == set(Class) - {Class.UNREADABLE}


def test_it_is_valid_and_names_what_needs_something(tree: Path) -> None:
    run = run_of(unhub("scan", "--format", "sarif", cwd=tree))
    assert run["columnKind"] == "unicodeCodePoints"
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("migratable", "warning"),
        ("ignored", "none"),
        ("no-target", "note"),
    ]
    assert run["results"][1]["suppressions"] == [{"kind": "inSource"}]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert {result["ruleId"] for result in run["results"]} <= set(rules)


def test_everything_is_in_it_on_demand(tree: Path) -> None:
    run = run_of(unhub("scan", "--format", "sarif", "--all", cwd=tree))
    assert {result["ruleId"] for result in run["results"]} == {"migratable", "ignored", "no-target", "not-docker-hub"}


def test_what_could_not_be_read_is_a_notification(tree: Path) -> None:
    (invocation,) = run_of(unhub("scan", "--format", "sarif", cwd=tree))["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "broken.yaml"


def test_a_region_has_lines_columns_and_bytes(tree: Path) -> None:
    result = run_of(unhub("scan", "--format", "sarif", cwd=tree))["results"][0]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "a%20b/pod%20%C3%A4.yaml", "uriBaseId": "SRCROOT"}
    region = location["region"]
    data = (tree / unquote(location["artifactLocation"]["uri"])).read_bytes()
    start = region["byteOffset"]
    assert data[start : start + region["byteLength"]] == b"node:20"
    assert (region["startLine"], region["startColumn"], region["endLine"], region["endColumn"]) == (7, 15, 7, 22)


def test_its_fixes_make_the_change_that_migrate_makes(tree: Path) -> None:
    result = run_of(unhub("migrate", "--format", "sarif", cwd=tree))["results"][0]
    (change,) = result["fixes"][0]["artifactChanges"]
    path = tree / unquote(change["artifactLocation"]["uri"])
    data = path.read_bytes()
    for replacement in reversed(change["replacements"]):
        start, length = replacement["deletedRegion"]["byteOffset"], replacement["deletedRegion"]["byteLength"]
        data = data[:start] + replacement["insertedContent"]["text"].encode() + data[start + length :]
    unhub("migrate", "--write", cwd=tree)
    assert path.read_bytes() == data


def test_what_is_written_has_no_fix_any_more(tree: Path) -> None:
    run = run_of(unhub("migrate", "--write", "--format", "sarif", cwd=tree))
    assert run["results"][0]["ruleId"] == "migrated"
    assert "fixes" not in run["results"][0]


def test_a_path_outside_of_the_working_folder_is_a_file_uri(tree: Path) -> None:
    run = run_of(unhub("scan", "--format", "sarif", tree / "stuck.yaml", cwd=tree / "a b"))
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": f"file://{tree}/stuck.yaml"}
