"""`unhub verify` against stand-ins of Docker Hub and ECR Public: verdicts, words, costs, statuses."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Ended, process, repository, unhub
from tests.hub import docker_hub, ecr_public, environment, small_index
from unhub.cli.configuration import Configuration
from unhub.cli.lock_file import lock_path
from unhub.config.settings import Settings
from unhub.demo.running import Hub
from unhub.image.errors import LimitKind

NODE, GO, REDIS = "node:20-alpine", "golang:1.22-alpine", "redis:7.2-alpine"
ECR = "public.ecr.aws/docker/library/"
UNLIMITED = '[registry."public.ecr.aws"]\nrate = 0\n'
"""Settings without ECR Public's rate, so that no test waits for it."""


class Stage:
    """A folder, and stand-ins of both registries."""

    def __init__(self, folder: Path, hub: Hub, ecr: Hub) -> None:
        self.folder, self.hub, self.ecr = folder, hub, ecr
        self.settings()

    def settings(self, more: str = "") -> None:
        (self.folder / "unhub.toml").write_text(UNLIMITED + more)

    def unhub(self, *arguments: str, **env: str) -> Ended:
        return unhub(*arguments, cwd=self.folder, env={**environment(self.hub, self.ecr), "UNHUB_VERIFY": "1", **env})

    def verify(self, *arguments: str) -> Ended:
        return self.unhub("verify", *arguments)

    def rows(self, *arguments: str) -> dict[str, dict[str, Any]]:
        return {row["reference"]: row for row in self.verify(*arguments, "--format", "json").json["verifications"]}

    def forget(self) -> None:
        self.hub.forget()
        self.ecr.forget()

    @property
    def asked(self) -> int:
        return len(self.hub.requests) + len(self.ecr.requests)

    def write(self, *images: str) -> None:
        (self.folder / "Dockerfile").write_text("".join(f"FROM {image}\n" for image in images))


@contextmanager
def staged(folder: Path, **options: Any) -> Generator[Stage]:
    with docker_hub() as hub, ecr_public(**options) as ecr:
        yield Stage(folder, hub, ecr)


@pytest.fixture
def stage(tmp_path: Path) -> Generator[Stage]:
    differences = {f"library/{GO}": "platforms", "library/python": "no-layers", f"library/{REDIS}": "missing", "library/nginx": "lag"}
    with staged(tmp_path, differences=differences) as made:
        yield made


def test_a_tree_whose_targets_serve_the_same_ends_with_0_and_spends_nothing(stage: Stage) -> None:
    stage.write(NODE, f"{ECR}alpine:3.19", NODE)
    ended = stage.verify()
    assert ended.status == 0
    first, second, empty, total, *cost = ended.text.splitlines()
    assert re.fullmatch(rf"same  {NODE} +sha256:[0-9a-f]{{12}}  -> {ECR}node", first)
    assert second.startswith(f"same  {ECR}alpine:3.19")
    assert (empty, total) == ("", "2 images: 2 same")
    assert cost == [
        "Docker Hub was asked by HEAD only, which it does not count: 0 pulls spent",
        f"requests: Docker Hub {len(stage.hub.asked(site='registry'))}, public.ecr.aws {len(stage.ecr.asked(site='registry'))}",
        "Docker Hub's limit for 127.0.0.1: 100 of 100 pulls left in 6 h",
    ]
    assert stage.hub.counts.total == 0


def test_each_kind_of_difference_has_its_verdict_and_ends_with_1(stage: Stage) -> None:
    assert stage.verify(NODE, GO, REDIS, "nginx:1.25-alpine").status == 1
    rows = stage.rows(NODE, GO, REDIS, "nginx:1.25-alpine", "python:3.12-alpine")
    assert {name: row["verdict"] for name, row in rows.items()} == {
        NODE: "same",
        GO: "different",
        REDIS: "missing",
        "nginx:1.25-alpine": "different",
        "python:3.12-alpine": "same",
    }
    assert rows[GO]["same_platforms"] == ["linux/amd64", "linux/arm64/v8"]
    assert rows[REDIS]["reason"] == "public.ecr.aws answered 404 (no such image or tag)"
    assert "most likely an older push" in rows["nginx:1.25-alpine"]["reason"]
    assert stage.hub.counts.total == 0


def test_deep_finds_a_tag_without_layers_and_spend_finds_what_only_one_side_has(stage: Stage) -> None:
    deep = stage.rows("python:3.12-alpine", NODE, "--deep")
    assert deep["python:3.12-alpine"]["verdict"] == "missing"
    assert "public.ecr.aws has the tag, but not layer" in deep["python:3.12-alpine"]["reason"]
    assert deep[NODE]["built_from"] == deep[NODE]["built_to"] == "2024-03-07T00:00:00Z"
    spent = stage.verify(GO, "--spend", "1")
    assert "only at Docker Hub: linux/arm/v7" in spent.text
    assert "Docker Hub was asked by HEAD, and 1 times by GET, which it counts (--spend): 1 pulls spent" in spent.text
    assert stage.hub.counts.total == 1


def test_accepted_verdicts_end_with_0(stage: Stage) -> None:
    assert stage.verify(GO, "--accept", "different").status == 0
    assert stage.verify(GO, REDIS, "--accept", "different").status == 1
    assert stage.verify(GO, REDIS, "--accept", "different", "--accept", "missing").status == 0
    quiet = stage.verify(NODE, REDIS, "--quiet")
    assert NODE not in quiet.text
    assert REDIS in quiet.text


def test_near_misses_get_a_suggestion(stage: Stage) -> None:
    stage.write(f"public.ecr.aws/docker/{NODE}", "ngnix:1.25-alpine", "quay.io/x/y")
    ended = stage.verify()
    assert ended.status == 1
    assert f"Did you mean {ECR}{NODE}?" in ended.text
    assert "Did you mean nginx:1.25-alpine?" in ended.text
    assert "in Dockerfile:1:6" in ended.text
    assert "not compared: 1 not-docker-hub" in ended.text


def test_a_tag_that_is_a_variable_without_a_value_is_unknown_and_never_asked_for(stage: Stage) -> None:
    (stage.folder / "Dockerfile").write_text("ARG V\nFROM redis:${V}\n")
    (row,) = stage.verify("--format", "json").json["verifications"]
    assert (row["reference"], row["verdict"], row["target"]) == ("redis:${V}", "unknown", None)
    assert "nobody can be asked" in row["reason"]
    assert stage.asked == 0


def test_a_pinned_digest_is_looked_for_by_that_digest(stage: Stage) -> None:
    digest = stage.hub.digest(f"library/{NODE}")
    stage.forget()
    row = stage.rows(f"{NODE}@{digest}")[f"{NODE}@{digest}"]
    assert row["verdict"] == "same"
    assert stage.hub.asked(kind="manifest") == ()
    gone = f"{REDIS}@{stage.hub.digest(f'library/{REDIS}')}"
    assert stage.rows(gone)[gone]["verdict"] == "missing"


def test_a_fact_that_is_contradicted_is_said_with_the_lines_to_override_it(stage: Stage) -> None:
    for hub, name in ((stage.hub, "library/azul-zulu:21"), (stage.ecr, "docker/library/azul-zulu:21")):
        hub.add(small_index(), name)
    ended = stage.verify("azul-zulu:21")
    assert ended.status == 0
    assert 'fact contradicted: "ECR Public answered 404 for this official image"' in ended.text
    lines = [line[2:] for line in ended.text.splitlines() if line.startswith("  ")]
    (stage.folder / "facts.toml").write_text("\n".join(lines))
    stage.settings('[data]\nfile = "facts.toml"\n')
    again = stage.verify("azul-zulu:21")
    assert (again.status, "contradicted" in again.text) == (0, False)
    (row,) = stage.verify("azul-zulu:21", "--format", "json").json["verifications"]
    assert row["verdict"] == "same"


# What is asked: trees, references, and what could be both


def test_paths_are_trees_and_the_rest_is_references(stage: Stage) -> None:
    stage.write(NODE)
    (stage.folder / "alpine").mkdir()
    ended = stage.verify("Dockerfile", "alpine", "docker.io/library/alpine:3.19")
    assert "alpine is a folder here, so it is read as a path; docker.io/library/alpine is the image" in ended.err
    assert [line.split()[1] for line in ended.text.splitlines()[:2]] == ["alpine:3.19", NODE]


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("./none", "there is no such file or folder"),
        ("sub/none.yaml", "there is no such file or folder"),
        ("No:Image", "no such file, and no image reference: a repository must be lower case"),
    ],
)
def test_what_is_neither_a_path_nor_a_reference_ends_with_2(argument: str, says: str, stage: Stage) -> None:
    (stage.folder / "sub").mkdir()
    ended = stage.verify(argument)
    assert ended.status == 2
    assert says in ended.err


def test_images_that_no_target_carries_are_counted_in_a_tree_and_missing_when_named(stage: Stage) -> None:
    stage.write("grafana/grafana")
    assert stage.verify().status == 0
    named = stage.rows("grafana/grafana", "quay.io/x/y")
    assert {name: row["verdict"] for name, row in named.items()} == {"grafana/grafana": "missing", "quay.io/x/y": "unknown"}
    assert "official images only" in named["grafana/grafana"]["reason"]
    assert stage.asked == 0


def test_annotations_stand_at_the_references(stage: Stage) -> None:
    stage.write(NODE, REDIS)
    text = stage.verify("--format", "github").text
    assert text.startswith("::error file=Dockerfile,line=2,col=6,endColumn=22,title=unhub%3A missing::redis:7.2-alpine is missing at")
    assert text.count("\n") == 1
    assert stage.verify(REDIS, "--format", "github").text.startswith("::error title=unhub%3A missing::")


def test_the_json_says_where_a_reference_stands_and_what_it_cost(stage: Stage) -> None:
    stage.write(NODE, NODE)
    shown = stage.verify("--format", "json").json
    assert shown["schema"] == 1
    (row,) = shown["verifications"]
    assert [(place["path"], place["line"]) for place in row["places"]] == [("Dockerfile", 1), ("Dockerfile", 2)]
    assert (row["verified"], row["accepted"], row["from_lock"]) == ("yes", True, False)
    assert row["docker_hub_digest"] == row["target_digest"] == stage.hub.digest(f"library/{NODE}")
    summary = shown["summary"]
    assert (summary["references"], summary["verdicts"], summary["pulls_spent"], summary["pulls_left"]) == (1, {"same": 1}, 0, 100)


# The network that is not there


def test_offline_nothing_is_asked_and_everything_is_unknown(stage: Stage) -> None:
    ended = stage.verify(NODE, "--offline")
    assert ended.status == 1
    assert "nobody was asked (--offline)" in ended.text
    assert "requests" not in ended.text
    assert stage.asked == 0
    assert stage.verify(NODE, "--offline", "--refresh").status == 2


def test_registries_that_do_not_answer_end_with_5(stage: Stage) -> None:
    with stage.hub.refusing(), stage.ecr.refusing():
        ended = stage.verify(NODE)
    assert ended.status == 5
    assert "unhub: cannot verify: no registry answered" in ended.err
    assert ended.text.startswith("unknown")


def test_one_registry_that_answers_is_enough_for_1(stage: Stage) -> None:
    with stage.ecr.refusing():
        assert stage.verify(NODE).status == 1


def test_docker_hubs_refusal_is_told_as_the_cause(stage: Stage) -> None:
    stage.hub.fault("status", path="*/manifests/*", status=403, count=None)
    row = stage.rows(NODE)[NODE]
    assert (row["verdict"], row["failure"]) == ("unknown", "access-refused")
    assert row["reason"] == "nothing to compare with: Docker Hub answered 403"


def test_a_used_up_pull_limit_does_not_matter(stage: Stage) -> None:
    stage.hub.exhaust(LimitKind.PULLS)
    ended = stage.verify(NODE)
    assert ended.status == 0
    assert "0 of 100 pulls left" in ended.text


# The lock file


def test_the_lock_is_written_where_wanted_and_then_nothing_is_asked(stage: Stage) -> None:
    assert stage.verify(NODE).err == ""
    assert not (stage.folder / "unhub.lock").exists()
    assert "what was seen is kept in unhub.lock" in stage.verify(NODE, REDIS, "--write-lock").err
    stage.forget()
    ended = stage.verify(NODE, REDIS)
    assert ended.status == 1
    assert "2 of them by the lock file, the oldest of 20" in ended.text
    assert stage.asked == 0
    known = json.loads((stage.folder / "unhub.lock").read_text())["references"]
    served = known[f"docker.io/library/{NODE}"]["targets"][f"{ECR}{NODE}"]
    assert (served["verdict"], len(served["platforms"])) == ("same", 3)
    before = (stage.folder / "unhub.lock").read_bytes()
    stage.verify(NODE, "alpine:3.19")
    assert (stage.folder / "unhub.lock").read_bytes() != before
    stage.forget()
    stage.verify(NODE, "--refresh")
    assert stage.asked > 0
    stage.forget()
    assert stage.verify(NODE, "--no-lock").status == 0
    assert stage.asked > 0


def test_the_lock_lies_beside_the_settings_else_at_the_top_of_the_repository(stage: Stage) -> None:
    sub = stage.folder / "a" / "b"
    sub.mkdir(parents=True)
    env = environment(stage.hub, stage.ecr)
    unhub("verify", NODE, "--write-lock", "--config", "../../unhub.toml", cwd=sub, env=env)
    assert (stage.folder / "unhub.lock").exists()
    unhub("verify", NODE, "--lock", "own.lock", "--write-lock", "--config", "../../unhub.toml", cwd=sub, env=env)
    assert (sub / "own.lock").exists()
    without = Configuration(Settings())
    assert lock_path(without, sub) == sub / "unhub.lock"
    repository(stage.folder)
    assert lock_path(without, sub) == stage.folder / "unhub.lock"


def test_a_lag_that_the_lock_remembers_is_accepted_and_too_old_a_one_is_not(stage: Stage) -> None:
    old, new = small_index("old"), small_index("new")
    stage.hub.add(old, "library/node:18")
    stage.ecr.add(old, "docker/library/node:18")
    assert stage.verify("node:18", "--write-lock").status == 0
    stage.hub.add(new, "library/node:18")
    ended = stage.verify("node:18", "--refresh")
    assert (ended.status, ended.text.split()[0]) == (0, "lagging")
    assert "Docker Hub now has" in ended.text
    assert stage.rows("node:18", "--refresh", "--max-lag", "0h")["node:18"]["verdict"] == "different"


def test_a_damaged_lock_ends_with_2_and_its_place(stage: Stage) -> None:
    (stage.folder / "unhub.lock").write_text("{\n<<<<<<< ours\n")
    for arguments in (("verify", NODE), ("scan", "."), ("migrate", "--check", ".")):
        ended = stage.unhub(*arguments)
        assert ended.status == 2
        assert "unhub.lock:2:1: cannot read the lock file" in ended.err


@pytest.mark.parametrize("arguments", [["--no-lock", "--write-lock"], ["--max-lag", "soon"], ["--spend", "-1"], ["--accept", "all"]])
def test_what_does_not_fit_together_ends_with_2(arguments: list[str], stage: Stage) -> None:
    assert stage.verify(NODE, *arguments).status == 2


def test_it_runs_as_a_process_without_a_login_or_a_terminal(stage: Stage) -> None:
    ended = process("verify", NODE, cwd=stage.folder, env=environment(stage.hub, stage.ecr))
    assert (ended.status, ended.err) == (0, "")
