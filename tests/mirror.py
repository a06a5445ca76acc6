"""A running mirror for tests: ``unhub serve`` as its users start it, on a free port, ended with the block.

::

    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        said = mirror.get("/v2/library/node/manifests/20-alpine")
        assert said.status == 200
        mirror.kill("fetcher")          # SIGKILL; "worker 1" and "supervisor", too
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hub import Said, ask
from unhub.demo.handles import Hub

START_SECONDS = 60.0
END_SECONDS = 45.0


@dataclass
class Mirror:
    """A mirror that runs. ``url`` is the IPv4 one; ``data`` its folder."""

    process: subprocess.Popen[bytes]
    facts: dict[str, Any]
    folder: Path
    seconds_to_start: float
    ended: bool = field(default=False)

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    @property
    def urls(self) -> list[str]:
        return list(self.facts["urls"])

    @property
    def api_url(self) -> str:
        """Where ECR Public's API and STS are served on a port of their own."""
        return str(self.facts["api_urls"][0])

    @property
    def address(self) -> str:
        """Host and port, as they stand in a reference."""
        return self.url.partition("://")[2]

    @property
    def data(self) -> Path:
        return Path(self.facts["data"])

    @property
    def token(self) -> str:
        """The admin token."""
        return Path(self.facts["admin_token_file"]).read_text().strip()

    @property
    def processes(self) -> dict[str, int]:
        """Process ids by name: ``supervisor``, ``fetcher``, ``worker 1``…"""
        return dict(json.loads((self.data / "run" / "processes.json").read_text()))

    @property
    def stderr(self) -> str:
        """What it said to people so far."""
        return (self.folder / "mirror.err").read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the request log so far (they are written every tenth of a second)."""
        return [json.loads(line) for line in (self.folder / "mirror.log").read_text().splitlines()]

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric, by its name with labels."""
        rows = [line.rpartition(" ") for line in self.get("/metrics").body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}

    def get(self, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str) -> Said:
        """One request with a connection of its own."""
        return ask(self.url + path, method, body=body, **headers)

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to one of its processes, at once; the process id."""
        pid = self.processes[name]
        os.kill(pid, number)
        return pid

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        self.ended = True
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)


@contextlib.contextmanager
def running_mirror(
    folder: Path,
    upstream: Hub | str | None,
    *fallbacks: Hub | str,
    arguments: Sequence[str | Path] = (),
    data: Path | None = None,
    listen: str | None = "localhost:0",
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Generator[Mirror]:
    """``unhub serve`` for as long as the body runs; ``folder`` is for its output, and its data unless ``data`` is another.

    ``upstream`` and ``fallbacks`` are stand-ins, or URLs; ``None`` lets ``arguments`` or ``env`` say where to pull from.
    ``prefix`` is a program that runs the command, such as ``nsenter``.
    """
    ready = folder / "mirror.ready"
    command: list[str] = [
        *prefix,
        sys.executable,
        "-m",
        "unhub",
        "serve",
        "--data",
        str(data or folder / "data"),
        "--ready-file",
        str(ready),
    ]
    command += [] if listen is None else ["--listen", listen]
    command += [] if upstream is None else ["--upstream", upstream if isinstance(upstream, str) else upstream.url]
    for fallback in fallbacks:
        command += ["--fallback", fallback if isinstance(fallback, str) else f"{fallback.url}/docker"]
    command += [str(argument) for argument in arguments]
    ready.unlink(missing_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("UNHUB_", "AWS_"))}
    alone = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    began = time.monotonic()
    with (folder / "mirror.log").open("ab") as out, (folder / "mirror.err").open("ab") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**own, **alone, **(env or {})}, cwd=folder)
    mirror = None
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, START_SECONDS, "the mirror did not start")
        if process.poll() is not None:
            pytest.fail(f"the mirror ended with status {process.returncode}: {(folder / 'mirror.err').read_text()}")
        mirror = Mirror(process, json.loads(ready.read_text()), folder, time.monotonic() - began)
        yield mirror
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"the mirror did not end: {(folder / 'mirror.err').read_text()}")


def wait_until(condition: Callable[[], object], seconds: float = 40.0, why: str = "it did not come true") -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"{why} within {seconds:g} s")
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
