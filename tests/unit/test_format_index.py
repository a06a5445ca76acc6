"""A scan knows which files a format wants without importing it; what it knows by heart is what the formats say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unhub.formats import _index
from unhub.formats._format import entries, heads_of_modules
from unhub.image.source import FormatSettings


def test_the_index_says_what_the_formats_say_themselves() -> None:
    assert heads_of_modules() == _index.HEADS, "run: python -m scripts.formats"


def test_a_format_that_the_index_does_not_know_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    known = entries()
    monkeypatch.setattr(_index, "HEADS", tuple(head for head in _index.HEADS if head.name not in ("compose", "shell")))
    entries.cache_clear()
    try:
        assert entries() == known
    finally:
        entries.cache_clear()


def test_a_format_whose_module_is_gone_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    known = entries()
    monkeypatch.setattr(_index, "HEADS", (*_index.HEADS, type(_index.HEADS[0])("gone", "gone", 1, ("*.gone",), ())))
    entries.cache_clear()
    try:
        assert entries() == known
    finally:
        entries.cache_clear()


@pytest.mark.parametrize("switch", [entry.head.switch for entry in entries() if entry.head.switch])
def test_what_switches_a_format_on_is_a_setting(switch: str) -> None:
    assert getattr(FormatSettings(), switch) is False


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, set[str]()),
        ({"main.py": "FROM nowhere", "README.md": "docker pull node", "data.yaml": "a: b\n"}, set[str]()),
        ({"Dockerfile": "FROM node:20\n"}, {"dockerfile"}),
    ],
)
def test_a_format_is_imported_when_a_file_wants_it(tmp_path: Path, files: dict[str, str], wanted: set[str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    script = (
        "import sys; from unhub.cli.main import main; main(['scan', '--quiet']); "
        "print(*(name for name in sys.modules if name.startswith('unhub.formats.') and '._' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()[-1].replace("unhub.formats.", "").split()) == wanted
