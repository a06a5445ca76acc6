"""Runs the registry under Granian, in a process of its own, and asks it over plain sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.tools import ROOT
from unhub.store.sql.upgrade import upgrade

READY_SECONDS = 30


@dataclass(frozen=True)
class Response:
    """An answer; header names are lower case, and a header that comes twice is joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name.lower()]

    def get(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the first error, after a look at the form of all."""
        assert self["content-type"] == "application/json"
        errors = self.json["errors"]
        assert errors
        assert all(isinstance(error["code"], str) and error["message"] for error in errors)
        return errors[0]["code"]


@dataclass(frozen=True)
class Server:
    """A registry that runs; ``folder`` is its data."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 20,
    ) -> Response:
        """One request on a connection of its own. ``path`` may be a whole URL, as ``Location`` may be one."""
        parts = urlsplit(path)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}), encode_chunked=body is not None)
            answer = connection.getresponse()
            return Response(answer.status, _headers(answer), answer.read())
        finally:
            connection.close()

    def raw(self, text: bytes, *, timeout: float = 10) -> bytes:
        """Bytes as they are, and everything that comes back until the other end closes or says nothing for ``timeout``."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(text)
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except TimeoutError:
                pass
            return received


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in answer.getheaders():
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


@contextmanager
def serving(folder: Path, *, workers: int = 1, **settings: str) -> Generator[Server]:
    """The registry for as long as the body runs; settings are those of ``tests.protocol.application``, in upper case."""
    folder.mkdir(parents=True, exist_ok=True)
    upgrade(f"sqlite:///{folder}/unhub.db")
    port = free_port()
    environment = {**os.environ, "UNHUB_TEST_FOLDER": str(folder), **{f"UNHUB_TEST_{key}": value for key, value in settings.items()}}
    command = [
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "tests.protocol.application:application"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers), "--no-ws", "--log-level", "error"),
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(process, port, folder / "server.log")
            yield Server(port, folder)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server is not ready: {log.read_text('utf-8', 'replace')}")
