"""The diff: `git apply` takes it, whatever the bytes and the names, and makes exactly what `--write` makes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.command_line import POD, git, process, repository, unhub
from unhub.image.found import Span
from unhub.migrate.edits import Edit, apply
from unhub.migrate.reports.diff import file_diff, quoted

MOVED = "public.ecr.aws/docker/library/node:20"
CONTENTS = {
    "plain": POD.format(image="node:20").encode(),
    "no final newline": POD.format(image="node:20").encode().rstrip(b"\n"),
    "CRLF": POD.format(image="node:20").replace("\n", "\r\n").encode(),
    "mixed line ends": POD.format(image="node:20").replace("spec:\n", "spec:\r\n").encode(),
    "byte-order mark": b"\xef\xbb\xbf" + POD.format(image="node:20").encode(),
    "not UTF-8": b"# caf\xe9\n" + POD.format(image="node:20 # \xff").encode("latin-1"),
    "a long file": b"# x\n" * 500 + POD.format(image="node:20").encode() + b"# y\n" * 500,
    "first line": b'{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": "node:20"}]}}',
    "lines that look like a diff": b"# --- a/x\n# +++ b/x\n" + POD.format(image="node:20").encode() + b"#@@ -1 +1 @@\n",
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_git_applies_it_and_makes_what_write_makes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_bytes(content)
    repository(tmp_path)
    diff = unhub("migrate", cwd=tmp_path).out
    git("apply", "--whitespace=nowarn", "-", cwd=tmp_path, stdin=diff)
    applied = (tmp_path / "pod.yaml").read_bytes()
    assert MOVED.encode() in applied
    git("checkout", "-q", ".", cwd=tmp_path)
    unhub("migrate", "--write", cwd=tmp_path)
    assert (tmp_path / "pod.yaml").read_bytes() == applied


NAMES = [
    b"a b.yaml",
    b'q"uote.yaml',
    b"back\\slash.yaml",
    b"new\nline.yaml",
    b"tab\t.yaml",
    "ä日.yaml".encode(),
    b"\xff.yaml",
    b" .yaml",
    b"-n.yaml",
    b"b/a b/p.yaml",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_git_applies_it_to_any_name(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(POD.format(image="node:20"))
    repository(tmp_path)
    git("apply", "-", cwd=tmp_path, stdin=unhub("migrate", cwd=tmp_path).out)
    assert MOVED in path.read_text()


def test_it_applies_at_the_top_and_in_every_folder_whichever_it_was_made_in(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "c" / "pod.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(POD.format(image="node:20"))
    repository(tmp_path)
    for made_in in (tmp_path, path.parent.parent, path.parent):
        diff = unhub("migrate", cwd=made_in).out
        assert b"+++ b/a b/c/pod.yaml\t\n" in diff
        for applied_in in (tmp_path, path.parent):
            git("apply", "-", cwd=applied_in, stdin=diff)
            assert MOVED in path.read_text()
            git("checkout", "-q", ".", cwd=tmp_path)


def test_it_applies_outside_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD.format(image="node:20"))
    git("apply", "-", cwd=tmp_path, stdin=unhub("migrate", cwd=tmp_path).out)
    assert MOVED in (tmp_path / "pod.yaml").read_text()


def test_it_applies_where_the_tree_is_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "pod.yaml").write_text(POD.format(image="node:20"))
    repository(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    diff = process("migrate", cwd=tmp_path / "link", env={"PWD": str(tmp_path / "link")}).out
    git("apply", "-", cwd=tmp_path / "real", stdin=diff)
    assert MOVED in (tmp_path / "real" / "pod.yaml").read_text()


def test_many_files_and_far_apart_hunks_apply_in_one(tmp_path: Path) -> None:
    for number in range(5):
        lines = [POD.format(image="node:20"), *["# between\n"] * number * 2, "---\n", POD.format(image="redis")]
        (tmp_path / f"{number}.yaml").write_text("".join(lines))
    repository(tmp_path)
    diff = unhub("migrate", cwd=tmp_path).out
    git("apply", "-", cwd=tmp_path, stdin=diff)
    applied = {path.name: path.read_bytes() for path in tmp_path.glob("*.yaml")}
    git("checkout", "-q", ".", cwd=tmp_path)
    unhub("migrate", "--write", cwd=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.yaml")} == applied


def test_nothing_to_change_is_an_empty_diff(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD.format(image=MOVED))
    ended = unhub("migrate", cwd=tmp_path)
    assert (ended.status, ended.out) == (0, b"")
    assert "nothing to change" in ended.err


@pytest.mark.parametrize(
    ("name", "written"),
    [(b"a b", b"a b"), (b'a"b', b'"a\\"b"'), (b"a\\b", b'"a\\\\b"'), (b"a\n\x01\x7f", b'"a\\n\\001\\177"'), (b"\xc3\xa4", b"\xc3\xa4")],
)
def test_names_are_quoted_as_git_quotes_them(name: bytes, written: bytes) -> None:
    assert quoted(name) == written


@st.composite
def files_and_edits(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    data = draw(st.lists(st.sampled_from([b"a", b"b\n", b"\n", b"\r\n", b"c d", b"\xff"]), min_size=1, max_size=40).map(b"".join))
    places = sorted(draw(st.lists(st.integers(0, len(data)), min_size=2, max_size=8).filter(lambda row: len(row) % 2 == 0)))
    replacements = st.sampled_from([b"", b"x", b"x\ny", b"\n", b"longer text"])
    edits: list[Edit] = []
    for start, end in zip(places[::2], places[1::2], strict=True):
        if edits and start <= edits[-1].span.end:
            continue
        edits.append(Edit("f", Span(start, end), draw(replacements)))
    return data, edits


@settings(max_examples=60, deadline=None)
@given(files_and_edits())
def test_git_makes_of_any_edits_what_we_make(case: tuple[bytes, list[Edit]]) -> None:
    data, edits = case
    after = apply(data, edits)
    if after in (data, b""):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "f").write_bytes(data)
        git("apply", "--whitespace=nowarn", "-", cwd=folder, stdin=b"".join(file_diff(data, edits, b"f")))
        assert (folder / "f").read_bytes() == after
