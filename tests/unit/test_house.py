"""The house rules that no linter knows (docs/contracts.md, who may import whom)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import unhub

PACKAGE = Path(unhub.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ENVIRONMENT = {"environ", "environb", "getenv", "expanduser", "home", "gethostname", "getlogin"}
CHANCE = {"random", "secrets", "uuid"}
USERS_FILES = {"registry/credentials.py", "aws/login.py"}
"""Beside the command line (and the doctor) the only ones that know where a user's logins lie."""


def layer(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0]


def names_used(module: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names)


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if layer(module) not in {"cli", "doctor"} and module.relative_to(PACKAGE).as_posix() not in USERS_FILES],
    ids=lambda module: module.relative_to(PACKAGE).as_posix(),
)
def test_only_the_command_line_reads_the_environment_and_home_folder(module: Path) -> None:
    assert [(line, name) for line, name in names_used(module) if name in ENVIRONMENT] == []


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if layer(module) in {"image", "formats"}],
    ids=lambda module: module.relative_to(PACKAGE).as_posix(),
)
def test_nouns_and_formats_open_nothing_and_know_no_time_and_no_chance(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    imported = {alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported.isdisjoint({"os", "shutil", "tempfile", "time", "datetime", *CHANCE})
    assert "Path" not in {name for _, name in names_used(module)}, "pathlib only for pure paths"
    opened = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert opened == []
