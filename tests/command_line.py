"""Running unhub in tests: in this process where it is enough, as a process where the process matters."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from unhub.cli.main import main

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: web\n      image: {image}\n"
"""A file with one reference, at line 6, column 14."""


@dataclass(frozen=True)
class Ended:
    """How a call ended: its exit status and what it wrote."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def json(self) -> Any:
        """Standard output as one JSON object; fails where there is anything else."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def unhub(*arguments: str | Path, cwd: Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
    """Call unhub in this process, with ``cwd`` as working folder and no UNHUB_ variables but those of ``env``.

    Nothing is verified unless ``env`` or an option says so: most tests are about other things, and have no registry.
    """
    out, err = io.BytesIO(), io.StringIO()
    text_in, text_out = io.TextIOWrapper(io.BytesIO(stdin)), io.TextIOWrapper(out, write_through=True)
    with _environment(env or {}), contextlib.chdir(cwd), mock.patch.object(sys, "stdin", text_in):
        with contextlib.redirect_stdout(text_out), contextlib.redirect_stderr(err):
            status = main([str(argument) for argument in arguments])
        return Ended(status, out.getvalue(), err.getvalue())


def process(*arguments: str | Path, cwd: Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
    """Run unhub as its users do."""
    command = [sys.executable, "-m", "unhub", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=False, env={**_clean(), **(env or {})})
    return Ended(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def git(*arguments: str | Path, cwd: Path, stdin: bytes = b"") -> bytes:
    """Run git with an identity of its own and no settings of this machine."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=True, env={**os.environ, **own}).stdout


def repository(folder: Path) -> Path:
    """A git repository in ``folder`` with everything in it committed."""
    folder.mkdir(exist_ok=True, parents=True)
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=folder)
    return folder


def _clean() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("UNHUB_") and key != "NO_COLOR"}
    return {**kept, "UNHUB_VERIFY": "0"}


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    with mock.patch.dict(os.environ, {**_clean(), **env}, clear=True):
        yield
