"""The corpus of real projects lies beside the repository; without it these tests are skipped by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools import missing

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not CORPUS.is_dir():
        missing("corpus", "../shared/corpus is not here")
    return CORPUS


def trees() -> list[str]:
    return sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "tree" in metafunc.fixturenames:
        metafunc.parametrize("tree", trees() or ["no-corpus"])
