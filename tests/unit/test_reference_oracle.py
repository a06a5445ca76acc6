"""Our reading of references against distribution's own Go package, on made-up and awkward texts."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from tests.tools import go_program
from tests.unit.test_reference import INVALID, VALID
from unhub.image.errors import InvalidReference
from unhub.image.reference import Reference

PIECES = ["node", "library", "docker.io", "index.docker.io", "a", "A", "localhost", "x.y", ":", "5000", "/", "//", "@", "sha256:"]
PIECES += [
    "0" * 64,
    "f" * 64,
    "-",
    "--",
    "_",
    "__",
    "___",
    ".",
    "..",
    "[::1]",
    "[",
    "]",
    "tag",
    "é",
    " ",
    "registry-1.docker.io",
    "a" * 130,
]


def made_up(count: int) -> list[str]:
    pick = random.Random(20261123)
    return ["".join(pick.choices(PIECES, k=pick.randint(1, 8))) for _ in range(count)]


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return go_program(Path(__file__).parents[1] / "oracles" / "reference", tmp_path_factory.mktemp("oracle"))


def test_distribution_agrees_on_every_text(oracle: Path) -> None:
    texts = [*VALID, *(text for text in INVALID if "\n" not in text), *made_up(20_000)]
    asked = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([str(oracle)], input=asked, capture_output=True, text=True, check=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(texts)
    assert sum(answer["ok"] for answer in answers) > 1_000, "too few valid texts to say anything"
    for text, answer in zip(texts, answers, strict=True):
        try:
            reference = Reference.parse(text)
        except InvalidReference as error:
            assert not answer["ok"], f"{text!r} is valid for distribution: {error}"
        else:
            assert answer["ok"], f"{text!r} is invalid for distribution"
            assert (answer["canonical"], answer["familiar"]) == (str(reference), reference.familiar())
