"""A file finds its format by its path, and only then by what is in it."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.formats._choice import candidates, choose, is_candidate, needs_interpreter
from unhub.formats._format import NO_EXTENSION, entries
from unhub.image.source import Source

GLOBS = sorted({glob for entry in entries() for glob in entry.format.files} - {NO_EXTENSION})
PATHS = st.sampled_from(GLOBS).map(lambda glob: glob.replace("*", "x")) | st.text("aD./ey-ml*", min_size=1, max_size=12)


@given(st.sampled_from(["", "a/", "/abs/b.yaml/"]), PATHS)
def test_the_look_up_says_what_matching_every_glob_would_say(folder: str, name: str) -> None:
    path = folder + name
    lower = path.lower()
    base = lower.rpartition("/")[2]

    def wants(glob: str) -> bool:
        if glob == NO_EXTENSION:
            return bool(base) and "." not in base
        if "/" not in glob:
            return fnmatch.fnmatchcase(base, glob)
        return fnmatch.fnmatchcase(lower, glob) or fnmatch.fnmatchcase(lower, f"*/{glob}")

    assert [entry.format.name for entry in candidates(path)] == [
        entry.format.name for entry in entries() if any(wants(glob) for glob in entry.format.files)
    ]


@pytest.mark.parametrize(
    ("path", "candidate"),
    [("Dockerfile", True), ("a/Web.DOCKERFILE", True), ("src/main.py", False), ("README.rst", False), ("scripts/run", True)],
)
def test_most_files_are_never_opened(path: str, candidate: bool) -> None:
    assert is_candidate(path) is candidate


@pytest.mark.parametrize(("path", "needs"), [("scripts/run", True), ("Dockerfile", False), ("makefile", False), ("x.sh", False)])
def test_a_name_that_says_nothing_needs_an_interpreter(path: str, needs: bool) -> None:
    assert needs_interpreter(path) is needs


@pytest.mark.parametrize(
    ("path", "data", "name"),
    [
        ("x.yaml", b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: node}]}\n", "kubernetes"),
        ("x.yaml", b"services:\n  a:\n    image: node\n", "compose"),
        ("x.yaml", b"nothing: here\n", None),
        ("run", b"#!/bin/sh\ndocker pull node\n", "shell"),
        ("run", b"docker pull node\n", None),
    ],
)
def test_content_decides_where_the_name_does_not(path: str, data: bytes, name: str | None) -> None:
    entry = choose(Source(path, data))
    assert (entry and entry.format.name) == name
