"""The base install stays small, and starting a command loads only what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LIMIT = 40_000_000
"""Bytes of everything that `pip install unhub` brings, itself included."""

NEVER = ("alembic", "asyncpg", "boto3", "botocore", "granian", "httpx", "moto", "requests", "sqlalchemy", "starlette", "uvicorn")
HEAVY = (
    "aiohttp",
    "rich",
    "tree_sitter",
    "tree_sitter_yaml",
    "tree_sitter_bash",
    "unhub.formats",
    "unhub.migrate",
    "subprocess",
    "asyncio",
)


def base_install() -> set[str]:
    """The distributions that a plain install of unhub needs, extras left out, by their dependencies."""
    seen: set[str] = set()
    waiting = ["unhub"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return seen


def size(name: str) -> int:
    files = distribution(name).files or []
    kept = [file.locate() for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in kept if path.is_file())


def test_the_base_install_takes_at_most_forty_megabytes() -> None:
    from tests.tools import ROOT

    own = sum(path.stat().st_size for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc")
    sizes = {name: size(name) for name in base_install() - {"unhub"}}
    assert min(sizes.values()) > 0, f"a distribution without files cannot be measured: {sizes}"
    assert own + sum(sizes.values()) <= LIMIT, f"unhub: {own}, {sizes}"


def test_the_base_install_brings_no_web_server_database_or_cloud_sdk() -> None:
    assert base_install().isdisjoint(NEVER)


def loaded_after(statement: str) -> set[str]:
    """The modules that a new Python has loaded after a statement."""
    program = textwrap.dedent(f"""
        import contextlib, io, json, sys
        before = set(sys.modules)
        with contextlib.redirect_stdout(io.StringIO()):
            {statement}
        print(json.dumps(sorted(set(sys.modules) - before)))
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_starting_loads_neither_parsers_nor_terminal_nor_network(arguments: list[str]) -> None:
    loaded = loaded_after(f"from unhub.cli.main import main; assert main({arguments!r}) == 0")
    assert "unhub.cli.main" in loaded
    assert loaded.isdisjoint({*HEAVY, *NEVER})


@pytest.mark.parametrize("command", ["scan", "migrate", "undo", "formats", "report", "renovate"])
def test_the_help_of_a_command_loads_no_web_server_database_or_cloud_sdk(command: str) -> None:
    loaded = loaded_after(f"from unhub.cli.main import main; assert main([{command!r}, '--help']) == 0")
    assert "unhub.cli.main" in loaded
    assert loaded.isdisjoint({"aiohttp", *NEVER})
