"""The corpus of real projects lies beside the repository; without it these tests are skipped by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools import CORPUS


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not CORPUS.is_dir():
        if os.environ.get("UNHUB_REQUIRE") == "all":
            pytest.fail("the corpus is missing at ../shared/corpus")
        pytest.skip("the corpus is not here: ../shared/corpus")
    return CORPUS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "tree" in metafunc.fixturenames:
        trees = sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []
        metafunc.parametrize("tree", trees or ["no-corpus"])
