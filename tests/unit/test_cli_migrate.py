"""`unhub migrate` and `unhub undo`: what is shown, what is written, what is taken back, every exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import POD, git, process, repository, unhub

MOVED = POD.format(image="public.ecr.aws/docker/library/node:20")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pod.yaml").write_text(POD.format(image="node:20"))
    (tmp_path / "other.yaml").write_text(POD.format(image="grafana/grafana"))
    return repository(tmp_path)


def pod(tree: Path) -> str:
    return (tree / "pod.yaml").read_text()


def test_without_write_the_diff_is_shown_and_nothing_is_written(tree: Path) -> None:
    ended = unhub("migrate", cwd=tree)
    assert ended.status == 0
    assert ended.text.splitlines()[0] == "diff --git a/pod.yaml b/pod.yaml"
    assert "nothing was written; `unhub migrate --write` changes 1 file" in ended.err
    assert pod(tree) == POD.format(image="node:20")


def test_write_changes_says_what_and_how_to_undo(tree: Path) -> None:
    ended = unhub("migrate", "--write", cwd=tree)
    assert ended.status == 0
    assert ended.out == b""
    assert ended.err.splitlines()[-3:] == ["changed 1 file:", "  pod.yaml", "`unhub undo` takes this back"]
    assert pod(tree) == MOVED


def test_a_second_run_changes_nothing(tree: Path) -> None:
    unhub("migrate", "--write", cwd=tree)
    ended = unhub("migrate", "--write", "--exit-code", cwd=tree)
    assert ended.status == 0
    assert "nothing to change" in ended.err


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        ([], 0, 0),
        (["--exit-code"], 1, 0),
        (["--check"], 1, 0),
        (["--write"], 0, 0),
        (["--write", "--exit-code"], 1, 0),
        (["--check", "--format", "json"], 1, 0),
        (["--check", "--only", "dockerfile"], 0, 0),
    ],
)
def test_the_exit_status_says_whether_something_changes(arguments: list[str], before: int, after: int, tree: Path) -> None:
    assert unhub("migrate", *arguments, cwd=tree).status == before
    unhub("migrate", "--write", cwd=tree)
    assert unhub("migrate", *arguments, cwd=tree).status == after


def test_check_shows_the_diff_and_writes_nothing(tree: Path) -> None:
    ended = process("migrate", "--check", cwd=tree)
    assert ended.status == 1
    assert b"+      image: public.ecr.aws/docker/library/node:20" in ended.out
    assert git("status", "--porcelain", cwd=tree) == b""
    assert not (tree / ".git" / "unhub").exists()


def test_strict_weighs_more_than_a_change(tree: Path) -> None:
    (tree / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\nimage: [\n")
    assert unhub("migrate", "--check", "--strict", cwd=tree).status == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--write", "--check"], "cannot use --write together with --check"),
        (["--write", "-", "--stdin-name", "x.yaml"], "cannot use --write with standard input"),
    ],
)
def test_what_does_not_fit_together_ends_with_2(arguments: list[str], says: str, tree: Path) -> None:
    ended = unhub("migrate", *arguments, cwd=tree)
    assert ended.status == 2
    assert says in ended.err


def test_a_read_only_file_ends_with_4_and_nothing_is_changed(tree: Path) -> None:
    (tree / "pod.yaml").chmod(0o444)
    ended = unhub("migrate", "--write", cwd=tree)
    assert ended.status == 4
    assert ended.err.startswith("unhub: cannot write pod.yaml: it is read-only; no file was changed\n  Make it writable")
    assert pod(tree) == POD.format(image="node:20")


def test_the_json_says_what_was_applied_and_by_which_run(tree: Path) -> None:
    shown = unhub("migrate", "--format", "json", cwd=tree).json
    assert [(row["class"], row["applied"]) for row in shown["findings"]] == [("no-target", False), ("migratable", False)]
    written = unhub("migrate", "--write", "--format", "json", cwd=tree).json
    assert [(row["class"], row["applied"]) for row in written["findings"]] == [("no-target", False), ("migrated", True)]
    assert written["summary"]["changed_files"] == ["pod.yaml"]
    assert written["summary"]["registries"]["public.ecr.aws"] == {"references": 1, "images": 1}
    assert unhub("undo", "--list", cwd=tree).text.split()[0] == written["summary"]["run"]


def test_github_says_what_can_move_and_what_has(tree: Path) -> None:
    assert "::warning file=pod.yaml,line=6,col=14," in unhub("migrate", "--format", "github", cwd=tree).text
    written = unhub("migrate", "--write", "--format", "github", cwd=tree).text
    assert "::notice file=pod.yaml,line=6" in written
    assert "node:20 (containers[web].image) is now public.ecr.aws/docker/library/node:20" in written


def test_write_with_format_diff_shows_the_diff_of_what_was_written(tree: Path) -> None:
    ended = unhub("migrate", "--write", "--format", "diff", cwd=tree)
    git("checkout", "-q", ".", cwd=tree)
    git("apply", "-", cwd=tree, stdin=ended.out)
    assert pod(tree) == MOVED


# Standard input


def test_standard_input_comes_out_moved(tmp_path: Path) -> None:
    ended = process("migrate", "-", "--stdin-name", "x/pod.yaml", cwd=tmp_path, stdin=POD.format(image="node:20").encode())
    assert (ended.status, ended.text) == (0, MOVED)


@pytest.mark.parametrize("data", [b"", b"no yaml: [", b"\xff\x00\r\n", MOVED.encode()])
def test_standard_input_with_nothing_to_move_comes_out_as_it_was(data: bytes, tmp_path: Path) -> None:
    assert unhub("migrate", "-", "--stdin-name", "pod.yaml", cwd=tmp_path, stdin=data).out == data


def test_standard_input_can_be_checked_or_shown_as_a_diff(tmp_path: Path) -> None:
    data = POD.format(image="node:20").encode()
    assert unhub("migrate", "-", "--stdin-name", "pod.yaml", "--check", cwd=tmp_path, stdin=data).status == 1
    diff = unhub("migrate", "-", "--stdin-name", "pod.yaml", "--format", "diff", cwd=tmp_path, stdin=data).out
    (tmp_path / "pod.yaml").write_bytes(data)
    git("apply", "-", cwd=tmp_path, stdin=diff)
    assert pod(tmp_path) == MOVED


# The text for a pull request


def test_the_summary_says_what_moved_what_stayed_and_how_to_take_it_back(tree: Path) -> None:
    unhub("migrate", "--write", "--summary", "text.md", cwd=tree)
    text = (tree / "text.md").read_text()
    assert "This changes 1 image reference in 1 file (to `ecr-public`)." in text
    assert "| `docker.io/library/node:20` | `public.ecr.aws/docker/library/node:20` | 1 | not verified |" in text
    assert "| `other.yaml:6:14` | `grafana/grafana` | no-target | ecr-public carries official images only (library/\\*) |" in text
    for way in ("`unhub undo`", "`unhub: ignore`", '`target = "keep"`'):
        assert way in text


def test_the_summary_of_a_dry_run_does_not_claim_a_change(tree: Path) -> None:
    unhub("migrate", "--summary", "text.md", cwd=tree)
    assert "This would change 1 image reference" in (tree / "text.md").read_text()


def test_the_summary_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(MOVED)
    assert unhub("migrate", "--summary", "text.md", cwd=tmp_path).status == 0
    assert (tmp_path / "text.md").read_text().startswith("## No image has to move\n")


def test_a_name_cannot_break_out_of_the_summary(tmp_path: Path) -> None:
    (tmp_path / "a|b`c\n@all <b>.yaml").write_text(POD.format(image="grafana/grafana"))
    unhub("migrate", "--summary", "text.md", cwd=tmp_path)
    (row,) = [line for line in (tmp_path / "text.md").read_text().splitlines() if "grafana" in line]
    assert row.startswith("| `` a\\|b`c @all <b>.yaml:6:14 `` | `grafana/grafana` |")


def test_a_summary_that_cannot_be_written_ends_with_4(tree: Path) -> None:
    ended = unhub("migrate", "--summary", "no/where.md", cwd=tree)
    assert ended.status == 4
    assert ended.err.splitlines()[-1] == "unhub: cannot write the summary no/where.md: No such file or directory"


# Undo


def test_undo_puts_back_the_last_run_and_lists_it(tree: Path) -> None:
    unhub("migrate", "--write", cwd=tree)
    run, _, state, *files = unhub("undo", "--list", cwd=tree).text.split()
    assert (state, files) == ("done", ["1", "file"])
    ended = unhub("undo", cwd=tree)
    assert (ended.status, ended.text) == (0, "pod.yaml\n")
    assert f"run {run} is undone" in ended.err
    assert git("status", "--porcelain", cwd=tree) == b""
    assert unhub("undo", "--list", cwd=tree).text.split()[2] == "undone"


def test_undo_takes_the_run_it_is_told(tree: Path) -> None:
    first = unhub("migrate", "--write", "--format", "json", cwd=tree).json["summary"]["run"]
    (tree / "third.yaml").write_text(POD.format(image="redis"))
    unhub("migrate", "--write", cwd=tree)
    assert unhub("undo", "--run", first, cwd=tree).status == 0
    assert pod(tree) == POD.format(image="node:20")
    assert "public.ecr.aws" in (tree / "third.yaml").read_text()


def test_undo_refuses_a_file_that_changed_since_unless_forced(tree: Path) -> None:
    unhub("migrate", "--write", cwd=tree)
    (tree / "pod.yaml").write_text("mine\n")
    ended = unhub("undo", cwd=tree)
    assert ended.status == 4
    assert "unhub undo --force" in ended.err
    assert pod(tree) == "mine\n"
    assert unhub("undo", "--force", cwd=tree).status == 0
    assert pod(tree) == POD.format(image="node:20")


@pytest.mark.parametrize("arguments", [["undo"], ["undo", "--run", "x"], ["undo", "--list", "--force"], ["undo", "--list", "--run", "x"]])
def test_undo_of_nothing_ends_with_2(arguments: list[str], tree: Path) -> None:
    assert unhub(*arguments, cwd=tree).status == 2


def test_a_list_of_no_runs_is_empty(tree: Path) -> None:
    ended = unhub("undo", "--list", cwd=tree)
    assert (ended.status, ended.out, ended.err) == (0, b"", "no run is on record here\n")


def test_outside_of_a_repository_the_journal_lies_in_the_state_folder(tmp_path: Path) -> None:
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()
    (tree / "pod.yaml").write_text(POD.format(image="node:20"))
    unhub("migrate", "--write", cwd=tree, env={"XDG_STATE_HOME": str(state)})
    assert [path.name for path in tree.iterdir()] == ["pod.yaml"]
    assert list(state.glob("unhub/*/runs/*/run.json"))
    assert unhub("undo", cwd=tree, env={"XDG_STATE_HOME": str(state)}).status == 0
    assert pod(tree) == POD.format(image="node:20")


# A part of the tree


def test_a_part_of_the_tree_is_moved_with_an_eye_on_the_rest(tmp_path: Path) -> None:
    """A build context that an unchanged file declares still decides about a FROM (rule #59)."""
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    build:\n      context: .\n      additional_contexts:\n        node: ./mine\n"
    )
    (tmp_path / "Dockerfile").write_text("FROM redis:7\n")
    repository(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM node\n")
    for arguments in (["--changed-since", "HEAD"], ["--only", "dockerfile"]):
        found = unhub("migrate", "--format", "json", *arguments, cwd=tmp_path).json
        assert [(row["path"], row["class"]) for row in found["findings"]] == [("Dockerfile", "conflict")]


def test_a_value_shared_with_an_unchanged_file_moves_only_if_that_file_agrees(tmp_path: Path) -> None:
    compose = "services:\n  web:\n    image: ${IMAGE}\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".env").write_text("IMAGE=node:20\n")
    (tmp_path / "a" / "compose.yaml").write_text(compose)
    (tmp_path / "a" / "compose.kept.yaml").write_text(compose.replace("}", "} # unhub: ignore"))
    repository(tmp_path)
    (tmp_path / "a" / "compose.yaml").write_text(compose + "    restart: always\n")
    (finding,) = unhub("migrate", "--format", "json", "--changed-since", "HEAD", cwd=tmp_path).json["findings"]
    assert (finding["class"], finding["path"]) == ("conflict", "a/compose.yaml")
    (tmp_path / "a" / "compose.kept.yaml").write_text(compose)
    git("commit", "-q", "-m", "agree", "a/compose.kept.yaml", cwd=tmp_path)
    written = unhub("migrate", "--write", "--format", "json", "--changed-since", "HEAD", cwd=tmp_path).json
    assert written["summary"]["changed_files"] == ["a/.env"]
    assert [row["path"] for row in written["findings"]] == ["a/compose.yaml"]
