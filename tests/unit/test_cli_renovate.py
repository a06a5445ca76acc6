"""`unhub renovate`: the rules that are lost under a new name come back, and a user's rules hold for both names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import POD, unhub

ECR = "public.ecr.aws/docker/library/"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    images = ("alpine:3.19", "eclipse-temurin:21-jre", "node:20", f"{ECR}ubuntu:noble", "quay.io/a/b:1", "grafana/grafana:11")
    for number, image in enumerate(images):
        (tmp_path / f"{number}.yaml").write_text(POD.format(image=image))
    return tmp_path


def shown(tree: Path, *arguments: str) -> Any:
    ended = unhub("renovate", *arguments, cwd=tree)
    assert ended.status == 0
    return ended.json


def test_the_rules_of_the_presets_come_back_under_the_new_names(tree: Path) -> None:
    rules = shown(tree)["packageRules"]
    by_image = {tuple(rule["matchDepNames"]): rule for rule in rules if rule.get("versioning") != "docker"}
    assert set(by_image) == {(f"{ECR}alpine",), (f"{ECR}eclipse-temurin",), (f"{ECR}ubuntu",)}
    assert by_image[f"{ECR}alpine",]["allowedVersions"] == "<20000000"
    assert by_image[f"{ECR}ubuntu",]["versioning"] == "ubuntu"
    for rule in rules:
        assert rule["matchDatasources"] == ["docker"]
        assert re.search(r"^unhub: .*as of \d{4}-\d\d-\d\d\)$", rule["description"])


def test_patterns_are_written_as_renovate_reads_them(tree: Path) -> None:
    (java, rolling) = [rule for rule in shown(tree)["packageRules"] if rule["matchDepNames"] == [f"{ECR}eclipse-temurin"]]
    assert re.match(java["allowedVersions"].strip("/"), "21.0.1_12-jre")
    assert not re.match(java["allowedVersions"].strip("/"), "22.0.1")
    assert re.match(rolling["matchCurrentValue"].strip("/"), "21-jre")


def test_ecr_public_is_asked_slowly(tree: Path) -> None:
    assert shown(tree)["hostRules"] == [{"hostType": "docker", "matchHost": "public.ecr.aws", "maxRequestsPerSecond": 1}]
    assert "hostRules" not in shown(tree, "--to", "mirror:m.example")


def test_new_versions_can_be_looked_up_at_docker_hub(tree: Path) -> None:
    found = shown(tree, "--lookup", "docker-hub")
    assert found["registryAliases"] == {"public.ecr.aws/docker/library": "docker.io/library"}
    assert "hostRules" not in found
    mirror = shown(tree, "--lookup", "docker-hub", "--to", "mirror:m.example/hub")
    assert mirror["registryAliases"] == {"m.example/hub/grafana": "docker.io/grafana", "m.example/hub/library": "docker.io/library"}


def test_nothing_moved_needs_nothing(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD.format(image="quay.io/a/b:1"))
    assert shown(tmp_path) == {}


EXISTING = """{
    "extends": ["config:recommended"],
    "ignoreDeps": ["node"],
    "packageRules": [
        {"matchPackageNames": ["alpine", "x"], "enabled": false},
        {"matchDepNames": ["docker.io/library/node"], "groupName": "node"},
        {"matchPackageNames": ["/^al/"]},
        {"matchPackagePatterns": ["^no"]}
    ]
}
"""


def test_write_extends_the_rules_of_the_user_and_takes_nothing_away(tree: Path) -> None:
    (tree / "renovate.json").write_text(EXISTING)
    ended = unhub("renovate", "--write", cwd=tree)
    assert (ended.status, ended.out) == (0, b"")
    text = (tree / "renovate.json").read_text()
    merged = json.loads(text)
    assert merged["extends"] == ["config:recommended"]
    assert merged["ignoreDeps"] == ["node", f"{ECR}node"]
    assert merged["packageRules"][0] == {"matchPackageNames": ["alpine", "x", f"{ECR}alpine"], "enabled": False}
    assert merged["packageRules"][1] == {"matchDepNames": ["docker.io/library/node", f"{ECR}node"], "groupName": "node"}
    assert merged["packageRules"][2:4] == json.loads(EXISTING)["packageRules"][2:]
    assert merged["packageRules"][4:] == shown(tree)["packageRules"]
    assert text.startswith('{\n    "extends"')
    assert text.endswith("}\n")
    for said in ("added ignoreDeps: ", "look at packageRules[2].matchPackageNames: /^al/", "look at packageRules[3].matchPackagePatterns"):
        assert said in ended.err


def test_a_second_write_changes_nothing_and_undo_takes_the_first_back(tree: Path) -> None:
    (tree / "renovate.json").write_text(EXISTING)
    unhub("renovate", "--write", cwd=tree)
    before = (tree / "renovate.json").read_bytes()
    assert "nothing to change in renovate.json" in unhub("renovate", "--write", cwd=tree).err
    assert (tree / "renovate.json").read_bytes() == before
    unhub("undo", cwd=tree)
    assert (tree / "renovate.json").read_text() == EXISTING


def test_changing_the_mind_about_the_lookup_leaves_no_rule_of_the_other_kind(tree: Path) -> None:
    (tree / "renovate.json").write_text("{}")
    unhub("renovate", "--write", cwd=tree)
    unhub("renovate", "--write", "--lookup", "docker-hub", cwd=tree)
    merged = json.loads((tree / "renovate.json").read_text())
    assert "hostRules" not in merged
    assert merged["registryAliases"]


def test_with_an_alias_packages_are_called_as_at_docker_hub(tree: Path) -> None:
    (tree / "renovate.json").write_text(EXISTING)
    unhub("renovate", "--write", "--lookup", "docker-hub", cwd=tree)
    rules = json.loads((tree / "renovate.json").read_text())["packageRules"]
    assert rules[0]["matchPackageNames"] == ["alpine", "x", f"{ECR}alpine", "docker.io/library/alpine"]
    assert rules[1]["matchDepNames"] == ["docker.io/library/node", f"{ECR}node"]


def test_windows_line_ends_stay(tree: Path) -> None:
    (tree / "renovate.json").write_bytes(EXISTING.replace("\n", "\r\n").encode())
    unhub("renovate", "--write", cwd=tree)
    data = (tree / "renovate.json").read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n") > 20


@pytest.mark.parametrize("name", [".github/renovate.json", ".renovaterc", "own.json"])
def test_the_settings_are_found_or_named(name: str, tree: Path) -> None:
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("{}")
    arguments = ["--file", name] if name == "own.json" else []
    assert unhub("renovate", "--write", *arguments, cwd=tree).status == 0
    assert json.loads((tree / name).read_text())["packageRules"]


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        (None, 2, "cannot find Renovate's settings here"),
        ("// comment\n{}", 3, "With comments in it, merge by hand"),
        ("[]", 3, "it holds no JSON object"),
    ],
)
def test_settings_that_cannot_be_merged_are_left_alone(text: str | None, status: int, says: str, tree: Path) -> None:
    if text is not None:
        (tree / "renovate.json").write_text(text)
    ended = unhub("renovate", "--write", cwd=tree)
    assert ended.status == status
    assert says in ended.err
    assert text is None or (tree / "renovate.json").read_text() == text
