"""Programs that tests use: one place to find them, and one rule for when one is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_BIN = ROOT / ".tools" / "bin"


def not_available() -> dict[str, str]:
    """The tools of ``scripts/not-available`` with the reason for each."""
    lines = (ROOT / "scripts" / "not-available").read_text("utf-8").splitlines()
    rows = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


def tool(name: str) -> str:
    """The path of a program from ``.tools/bin`` or PATH.

    A test is skipped, by the tool's name, where it is missing; with ``UNHUB_REQUIRE=all``
    it fails instead, unless ``scripts/not-available`` lists the tool.
    """
    path = shutil.which(name, path=f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if path is not None:
        return path
    missing = f"{name} is not installed"
    known = not_available().get(name)
    if known is not None:
        pytest.skip(f"{missing}: {known}")
    if os.environ.get("UNHUB_REQUIRE") == "all":
        pytest.fail(f"{missing}, and UNHUB_REQUIRE=all wants every test: run scripts/install-test-tools")
    pytest.skip(f"{missing}: scripts/install-test-tools brings it")


CORPUS = ROOT.parent / "shared" / "corpus"


def corpus(tree: str) -> Path:
    """A tree of real projects that lies beside the checkout; the test is skipped where it does not."""
    folder = CORPUS / tree
    if folder.is_dir():
        return folder
    if os.environ.get("UNHUB_REQUIRE") == "all":
        pytest.fail(f"the corpus tree {tree} is missing at {folder}")
    pytest.skip(f"the corpus tree {tree} is not here")


def run(command: list[str], folder: Path, *, status: int | None = 0, stdin: bytes = b"", **environment: str) -> str:
    """Run a program in a folder and return its standard output; its exit status must be ``status`` (``None``: any)."""
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False, env={**os.environ, **environment})
    output = done.stdout.decode("utf-8", "replace")
    if status is not None and done.returncode != status:
        pytest.fail(
            f"{command} ended with {done.returncode}, not {status}\n{output}\n{done.stderr.decode('utf-8', 'replace')}", pytrace=False
        )
    return output


def path_with_unhub() -> str:
    """A PATH on which the ``unhub`` of this environment comes first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def unhub(folder: Path, *arguments: str, status: int | None = 0, stdin: bytes = b"", **environment: str) -> str:
    """Run the ``unhub`` of this environment as users do, but verify nothing unless an option says so: there is no registry."""
    command = [str(Path(sys.executable).with_name("unhub")), *arguments]
    return run(command, folder, status=status, stdin=stdin, **{"UNHUB_VERIFY": "0", **environment})


def git_repository(folder: Path) -> Path:
    """Make a folder a git repository with everything in it committed."""
    git = [tool("git"), "-c", "user.name=Tester", "-c", "user.email=tester@example.invalid", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "start"]):
        run([*git, *arguments], folder)
    return folder


def go_program(source: Path, folder: Path) -> Path:
    """Build the Go module in ``source`` (an oracle from somebody else's code) and return the program.

    Skipped by name, or failed, as :func:`tool` does it, where Go is missing.
    """
    program = folder / source.name
    done = subprocess.run([tool("go"), "build", "-o", str(program), "."], cwd=source, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"go cannot build {source}: {done.stderr}")
    return program
