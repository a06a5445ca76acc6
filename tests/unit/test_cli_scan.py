"""`unhub scan`: every field of the JSON, every form, which files are looked at, every exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import POD, git, process, repository, unhub
from unhub.cli.wishes import wishes_of
from unhub.migrate.reports.records import FIELDS

MIXED = """\
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: hub
      image: node:20
    - name: moved
      image: public.ecr.aws/docker/library/node:20
    - name: other
      image: quay.io/a/b:1
    - name: none
      image: grafana/grafana:11
    - name: kept
      image: nginx # unhub: ignore
    - name: wrong
      image: Node/UPPER:20
"""

CURATED = """\
version: 0.2
batch:
  build-list:
    - identifier: images
      env: {image: aws/codebuild/standard:7.0}
phases: {build: {commands: [docker run -d redis:7.2-alpine]}}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "pod.yaml").write_text(MIXED)
    return tmp_path


def test_one_finding_has_every_field_of_the_contract(tree: Path) -> None:
    ended = unhub("scan", "--format", "json", cwd=tree)
    assert ended.status == 1
    assert list(ended.json) == ["schema", "findings", "skipped", "summary"]
    assert ended.json["schema"] == 1
    finding = ended.json["findings"][0]
    assert list(finding) == list(FIELDS)
    start = MIXED.index("node:20")
    assert finding == {
        "path": "app/pod.yaml",
        "line": 6,
        "column": 14,
        "start": start,
        "end": start + len("node:20"),
        "text": "node:20",
        "format": "kubernetes",
        "where": "containers[hub].image",
        "pulled_by": "platform",
        "canonical": "docker.io/library/node:20",
        "class": "migratable",
        "target": "public.ecr.aws/docker/library/node:20",
        "rule": "ecr-public",
        "reason": "pulled by the platform before any login step, so at ECR Public's rate without a login",
        "safety": "safe",
        "verified": "unknown",
        "verdict": None,
        "applied": False,
    }


def test_what_is_absent_is_null(tree: Path) -> None:
    finding = unhub("scan", "--format", "json", cwd=tree).json["findings"][1]
    assert finding["class"] == "already-mirrored"
    assert [name for name, value in finding.items() if value is None] == ["target", "rule", "verified", "verdict"]


def test_each_reference_is_in_one_class_and_the_summary_counts_them(tree: Path) -> None:
    found = unhub("scan", "--format", "json", cwd=tree).json
    classes = ["migratable", "already-mirrored", "not-docker-hub", "no-target", "ignored", "invalid"]
    assert [finding["class"] for finding in found["findings"]] == classes
    summary = found["summary"]
    assert summary["classes"] == dict.fromkeys(classes, 1)
    assert (summary["files"], summary["references"]) == (1, 6)
    assert summary["registries"]["docker.io"] == {"references": 3, "images": 3}
    assert summary["changed_files"] == ["app/pod.yaml"]
    assert summary["run"] is None


def test_a_name_that_only_looks_like_docker_hubs_is_not_counted_as_an_image_from_there(tmp_path: Path) -> None:
    (tmp_path / "buildspec.yml").write_text(CURATED)
    found = unhub("scan", "--format", "json", cwd=tmp_path)
    assert [row["class"] for row in found.json["findings"]] == ["not-docker-hub", "migratable"]
    assert found.json["summary"]["registries"] == {"docker.io": {"references": 1, "images": 1}}
    (tmp_path / "scan.json").write_bytes(found.out)
    assert unhub("report", "--format", "json", "scan.json", cwd=tmp_path).json["summary"]["docker_hub_pulls"] == 1
    assert wishes_of(str(tmp_path / "scan.json")) == ["docker.io/library/redis:7.2-alpine"]
    forecast = unhub("limits", "--offline", "--format", "json", cwd=tmp_path).json
    assert [row["reference"] for row in forecast["images"]["now"]] == ["docker.io/library/redis:7.2-alpine"]


def test_the_offsets_cover_the_text_in_bytes_and_the_column_counts_characters(tmp_path: Path) -> None:
    text = '\ufeff{"apiVersion": "v1", "kind": "Pod", "ä": "日本", "spec": {"containers": [{"name": "a", "image": "node:20"}]}}'.encode()
    (tmp_path / "pod.json").write_bytes(text)
    finding = unhub("scan", "--format", "json", cwd=tmp_path).json["findings"][0]
    assert text[finding["start"] : finding["end"]] == b"node:20" == finding["text"].encode()
    line = text.decode("utf-8-sig")
    assert line[finding["column"] - 1 :].startswith("node:20")


def test_a_path_outside_the_working_folder_is_absolute(tree: Path) -> None:
    (tree / "elsewhere").mkdir()
    found = unhub("scan", "--format", "json", "../app", cwd=tree / "elsewhere").json
    assert {finding["path"] for finding in found["findings"]} == {str(tree / "app" / "pod.yaml")}


def test_a_name_that_is_not_utf8_survives_the_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"p\xff\n.yaml")
    (tmp_path / name).write_text(POD.format(image="node:20"))
    ended = unhub("scan", "--format", "json", cwd=tmp_path)
    assert ended.json["findings"][0]["path"] == name
    assert ended.out.isascii()


def test_json_is_one_object_and_nothing_else_whatever_happens(tree: Path) -> None:
    (tree / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nimage: [\n")
    ended = process("scan", "--format", "json", cwd=tree)
    assert ended.status == 1
    assert list(ended.json) == ["schema", "findings", "skipped", "summary"]
    assert ended.err == ""
    (skipped,) = ended.json["skipped"]
    assert skipped["path"] == "broken.yaml"
    assert "line" in skipped["reason"]
    assert list(skipped) == ["path", "format", "reason", "unreadable"]
    assert skipped["unreadable"] is True


# Exit statuses


def test_it_ends_with_0_where_nothing_can_move(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD.format(image="quay.io/a/b:1"))
    assert unhub("scan", cwd=tmp_path).status == 0


def test_an_empty_folder_is_no_error(tmp_path: Path) -> None:
    ended = unhub("scan", cwd=tmp_path)
    assert ended.status == 0
    assert ended.text == "0 references in 0 files\n"


def test_it_ends_with_3_under_strict_where_something_could_not_be_read(tree: Path) -> None:
    (tree / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nimage: [\n")
    assert unhub("scan", cwd=tree).status == 1
    ended = unhub("scan", "--strict", cwd=tree)
    assert ended.status == 3
    assert "1 file could not be read:\n  broken.yaml: " in ended.text


def test_a_link_is_not_something_that_could_not_be_read(tree: Path) -> None:
    (tree / "link.yaml").symlink_to("app/pod.yaml")
    ended = unhub("scan", "--strict", cwd=tree)
    assert ended.status == 1
    assert "1 symbolic link not followed" in ended.text


def test_a_path_that_is_not_there_is_a_mistake_of_the_caller(tree: Path) -> None:
    ended = unhub("scan", "nowhere", cwd=tree)
    assert ended.status == 2
    assert ended.err == "unhub: cannot look at nowhere: there is no such file or folder\n"


# Which files


def test_only_looks_at_the_named_formats(tree: Path) -> None:
    (tree / "Dockerfile").write_text("FROM redis:7\n")
    found = unhub("scan", "--format", "json", "--only", "dockerfile", cwd=tree).json["findings"]
    assert {finding["format"] for finding in found} == {"dockerfile"}
    assert unhub("scan", "--only", "dockerfile", "--only", "kubernetes", "--format", "json", cwd=tree).json["summary"]["files"] == 2


def test_an_unknown_format_is_a_mistake_of_the_caller(tree: Path) -> None:
    ended = unhub("scan", "--only", "dockrfile", cwd=tree)
    assert ended.status == 2
    assert ended.err == "unhub: there is no format 'dockrfile'\n  `unhub formats` lists them\n"


def test_what_git_ignores_is_counted_and_looked_at_on_demand(tree: Path) -> None:
    (tree / ".gitignore").write_text("app/\n")
    repository(tree)
    ended = unhub("scan", cwd=tree)
    assert ended.status == 0
    assert "1 path that git ignores not looked at; --no-ignore does" in ended.text
    assert unhub("scan", "--no-ignore", cwd=tree).status == 1


def test_changed_since_takes_committed_changed_and_untracked_files_and_no_others(tree: Path) -> None:
    (tree / "same.yaml").write_text(POD.format(image="redis:6"))
    (tree / "edited.yaml").write_text(POD.format(image="redis:6"))
    (tree / "gone.yaml").write_text(POD.format(image="redis:6"))
    repository(tree)
    (tree / "edited.yaml").write_text(POD.format(image="redis:7"))
    git("commit", "-qam", "second", cwd=tree)
    (tree / "gone.yaml").unlink()
    (tree / "app" / "new\nname ä.yaml").write_text(POD.format(image="nginx"))

    def files(*arguments: str, cwd: Path = tree) -> set[str]:
        found = unhub("scan", "--format", "json", *arguments, cwd=cwd).json["findings"]
        return {finding["path"] for finding in found}

    assert files("--changed-since", "HEAD") == {"app/new\nname ä.yaml"}
    assert files("--changed-since", "HEAD~1") == {"app/new\nname ä.yaml", "edited.yaml"}
    assert files("--changed-since", "HEAD~1", cwd=tree / "app") == {"new\nname ä.yaml"}
    assert files("--changed-since", "HEAD~1", "edited.yaml") == {"edited.yaml"}


@pytest.mark.parametrize("revision", ["nonsense", "--output=x", ""])
def test_an_unknown_revision_is_a_mistake_of_the_caller(revision: str, tree: Path) -> None:
    repository(tree)
    ended = unhub("scan", f"--changed-since={revision}", cwd=tree)
    assert ended.status == 2
    assert ended.err.startswith(f"unhub: cannot tell what changed: git knows no revision {revision!r}")


def test_changed_since_outside_of_git_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    ended = unhub("scan", "--changed-since", "HEAD", cwd=tmp_path)
    assert (ended.status, ended.err) == (2, "unhub: cannot tell what changed: this is no git work tree\n")


def test_standard_input_is_read_as_what_it_is_called(tmp_path: Path) -> None:
    found = unhub("scan", "-", "--stdin-name", "k8s/pod.yaml", "--format", "json", cwd=tmp_path, stdin=MIXED.encode()).json["findings"]
    assert [found[0]["path"], found[0]["text"]] == ["k8s/pod.yaml", "node:20"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-"], "cannot tell the format of standard input"),
        (["-", "."], "cannot mix - (standard input) with other paths"),
        (["-", "--stdin-name", "x.yaml", "--changed-since", "HEAD"], "cannot use --changed-since with standard input"),
    ],
)
def test_standard_input_must_make_sense(arguments: list[str], says: str, tmp_path: Path) -> None:
    ended = unhub("scan", *arguments, cwd=tmp_path)
    assert ended.status == 2
    assert says in ended.err


# Forms


def test_the_table_says_place_position_reference_and_target(tree: Path) -> None:
    lines = unhub("scan", cwd=tree).text.splitlines()
    assert lines[0] == "app/pod.yaml  kubernetes"
    assert lines[1].split("  ")[1:] == [" 6:14", "containers[hub].image", *lines[1].split("  ")[3:]]
    assert lines[1].rstrip().endswith("-> public.ecr.aws/docker/library/node:20 (1)")
    assert any(line.endswith("not-docker-hub: is at quay.io") for line in lines)
    assert any(line.startswith("(1) pulled by the platform before any login step") for line in lines)
    assert "6 references in 1 file: 1 migratable, 1 already-mirrored, 1 not-docker-hub, 1 no-target, 1 ignored, 1 invalid" in lines
    assert "  docker.io           3 references      3 images" in lines


def test_the_table_has_no_colour_for_a_program(tree: Path) -> None:
    assert b"\x1b" not in unhub("scan", cwd=tree).out


def test_quiet_leaves_the_summary(tree: Path) -> None:
    lines = unhub("scan", "-q", cwd=tree).text.splitlines()
    assert lines[0].startswith("6 references in 1 file")


def test_stages_are_counted_and_listed_on_demand(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:20 AS build\nFROM scratch\nCOPY --from=build /a /a\n")
    short, long = unhub("scan", cwd=tmp_path).text, unhub("scan", "--all", cwd=tmp_path).text
    assert "stages or build outputs that nobody pulls; --all lists them" in short
    assert "scratch" not in short
    assert "scratch" in long


def test_control_characters_of_a_tree_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31mp\n.yaml").write_text(POD.format(image='"no\\x1b[0mde:20"'))
    out = unhub("scan", cwd=tmp_path).text
    assert "\x1b" not in out
    assert "\\x1b[31mp\\n.yaml" in out


def on_a_terminal(tree: Path, columns: int, **env: str) -> str:
    """What a person sees in a window of so many columns."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm", "COLUMNS": str(columns)} | env
    with subprocess.Popen(
        [sys.executable, "-m", "unhub", "scan"], cwd=tree, stdout=theirs, stderr=subprocess.DEVNULL, env=environment
    ) as child:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        assert child.wait() == 1
    return shown.decode()


def test_a_narrow_terminal_gets_short_lines_and_loses_nothing(tree: Path) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(tree, 60)).replace("\r\n", "\n")
    assert all(len(line) <= 60 for line in shown.splitlines() if "public.ecr.aws/docker/library/node:20" not in line)
    assert "\n           -> public.ecr.aws/docker/library/node:20 (1)\n" in shown
    notes = " ".join(shown[shown.index("(1) pulled") :].split())
    assert notes.startswith("(1) pulled by the platform before any login step, so at ECR Public's rate without a login")


def test_a_terminal_gets_colours_unless_it_asks_for_none(tree: Path) -> None:
    assert "\x1b[33m-> public.ecr.aws" in on_a_terminal(tree, 200)
    assert "\x1b" not in on_a_terminal(tree, 200, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(tree, 200, TERM="dumb")


def test_csv_has_a_line_a_finding_with_the_fields_of_the_json(tree: Path) -> None:
    ended = unhub("scan", "--format", "csv", cwd=tree)
    rows = list(csv.DictReader(io.StringIO(ended.text, newline="")))
    found = unhub("scan", "--format", "json", cwd=tree).json["findings"]
    assert [row["text"] for row in rows] == [finding["text"] for finding in found]
    assert list(rows[0]) == list(FIELDS)
    assert (rows[0]["line"], rows[0]["applied"], rows[1]["target"]) == ("6", "false", "")


def test_no_cell_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    (tmp_path / '=cmd|"x".yaml').write_text(POD.format(image="node:20"))
    rows = list(csv.DictReader(io.StringIO(unhub("scan", "--format", "csv", cwd=tmp_path).text, newline="")))
    assert rows[0]["path"] == '\'=cmd|"x".yaml'


def test_github_gets_a_warning_for_what_can_move_and_a_notice_for_what_cannot(tree: Path) -> None:
    lines = unhub("scan", "--format", "github", cwd=tree).text.splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        "::warning file=app/pod.yaml,line=6,col=14,endColumn=21,title=unhub%3A migratable::node:20 (containers[hub].image) can move to "
        "public.ecr.aws/docker/library/node:20: pulled by the platform before any login step, so at ECR Public's rate without a login"
    )
    assert lines[1].startswith("::notice file=app/pod.yaml,line=12,col=14,")
    assert len(unhub("scan", "--format", "github", "--all", cwd=tree).text.splitlines()) == 6


def test_a_name_cannot_break_out_of_a_github_command(tmp_path: Path) -> None:
    (tmp_path / "a,line=9::x\n%.yaml").write_text(POD.format(image="node:20"))
    (line,) = unhub("scan", "--format", "github", cwd=tmp_path).text.splitlines()
    assert line.startswith("::warning file=a%2Cline=9%3A%3Ax%0A%25.yaml,line=6,")


def test_a_large_tree_is_counted_once_by_both_processors(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number}.yaml").write_text(POD.format(image=f"node:{number}"))
    one = unhub("scan", "--jobs", "1", "--format", "json", cwd=tmp_path).out
    two = unhub("scan", "--jobs", "2", "--format", "json", cwd=tmp_path).out
    assert one == two
    assert json.loads(one)["summary"]["references"] == 400
