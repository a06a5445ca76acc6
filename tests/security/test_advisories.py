"""Every lesson of other registries has its test, and the test exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.security.advisories import LESSONS, Lesson

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.advisory for lesson in LESSONS])
def test_a_lesson_is_answered(lesson: Lesson) -> None:
    assert bool(lesson.tests) != bool(lesson.unless)
    for test in lesson.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_no_lesson_is_there_twice() -> None:
    names = [lesson.advisory for lesson in LESSONS]
    assert len(set(names)) == len(names)
