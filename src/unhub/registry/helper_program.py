"""Running a credential helper, ``docker-credential-NAME``, by docker's protocol (ecr-public.md, section 8).

Secrets go through standard input and output only, never into arguments.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, cast

from unhub.image.errors import CredentialsError

PREFIX = "docker-credential-"
NOT_FOUND = "credentials not found in native keychain"
"""The one answer that means "nobody is logged in" and is no failure."""

LARGEST = 1024 * 1024
"""Bytes of an answer at most."""


@dataclass(frozen=True, slots=True)
class HelperLogin:
    """What a helper answered to ``get``."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HelperProgram:
    """The helper ``docker-credential-<name>``.

    ``named_in`` says for people which setting asks for it. ``seconds`` bound a call; they are
    many because a keychain may ask its owner first.
    """

    name: str
    named_in: str
    seconds: float = 60.0

    @property
    def program(self) -> str:
        """The program's file name."""
        return f"{PREFIX}{self.name}"

    def get(self, server: str) -> HelperLogin | None:
        """The login for a server, ``None`` where the helper has none; raises :class:`CredentialsError`."""
        status, output = self._run("get", server.encode())
        if status != 0:
            if output.strip() == NOT_FOUND:
                return None
            raise self._failed("get the login for", server, status, output)
        try:
            answer: object = json.JSONDecoder().raw_decode(output.lstrip())[0]
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise CredentialsError(f"cannot get the login for {server}: {self.program} answered something that is not JSON")
        folded = {key.lower(): value for key, value in cast(dict[str, object], answer).items()}
        username, secret = folded.get("username") or "", folded.get("secret") or ""
        if not isinstance(username, str) or not isinstance(secret, str):
            raise CredentialsError(f"cannot get the login for {server}: {self.program} answered no Username and Secret")
        return HelperLogin(username, secret) if username or secret else None

    def store(self, server: str, username: str, secret: str) -> None:
        """Have the helper keep a login; raises :class:`CredentialsError`."""
        message = json.dumps({"ServerURL": server, "Username": username, "Secret": secret})
        status, output = self._run("store", f"{message}\n".encode())
        if status != 0:
            raise self._failed("store the login for", server, status, output.replace(secret, "…"))

    def erase(self, server: str) -> None:
        """Have the helper forget a login, if it has one; raises :class:`CredentialsError`."""
        status, output = self._run("erase", server.encode())
        if status != 0 and output.strip() != NOT_FOUND:
            raise self._failed("erase the login for", server, status, output)

    def _failed(self, action: str, server: str, status: int, output: str) -> CredentialsError:
        said = output.strip().partition("\n")[0][:300] or "nothing"
        ended = f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
        return CredentialsError(
            f"cannot {action} {server}: {self.program} {ended} and said: {said}",
            hint=f"Mend that helper, or take it out of {self.named_in}",
        )

    def _found(self) -> str:
        path = None if os.sep in self.name or not self.name.strip() else shutil.which(self.program)
        if path is None:
            raise CredentialsError(
                f"cannot run {self.program}, which {self.named_in} asks for: there is no such program on PATH",
                hint="Install it, or take that setting out; docker fails here, too",
            )
        return path

    def _run(self, verb: str, message: bytes) -> tuple[int, str]:
        """The exit status and standard output of one call; standard error goes where ours goes, as docker lets it."""
        path = self._found()
        until = time.monotonic() + self.seconds
        try:
            process = subprocess.Popen([path, verb], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            raise CredentialsError(f"cannot run {path}, which {self.named_in} asks for: {error.strerror or error}") from None
        assert process.stdin is not None  # noqa: S101 (both are pipes)
        assert process.stdout is not None  # noqa: S101
        with process.stdout:
            return self._talk(process, process.stdin, process.stdout, message, until)

    def _talk(self, process: subprocess.Popen[bytes], put: IO[bytes], take: IO[bytes], message: bytes, until: float) -> tuple[int, str]:
        output: list[bytes] = []
        # threads, since a helper may neither read nor write nor end
        threads = [
            threading.Thread(target=_write, args=(put, message), daemon=True),
            threading.Thread(target=lambda: output.append(take.read(LARGEST + 1)), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            status = self._ended(process, threads[1], output, until)
        except BaseException:
            _kill(process)
            raise
        finally:
            for thread in threads:
                thread.join(5)
        return status, output[0].decode("utf-8", "replace")

    def _ended(self, process: subprocess.Popen[bytes], reader: threading.Thread, output: list[bytes], until: float) -> int:
        reader.join(max(until - time.monotonic(), 0))
        if reader.is_alive():
            raise CredentialsError(f"cannot use {self.program}: it did not answer within {self.seconds:g} s")
        if len(output[0]) > LARGEST:
            raise CredentialsError(f"cannot use {self.program}: its answer has more than {LARGEST // 1024} KiB")
        try:
            return process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise CredentialsError(f"cannot use {self.program}: it did not end within {self.seconds:g} s") from None


def _write(pipe: IO[bytes], message: bytes) -> None:
    with contextlib.suppress(OSError):  # a helper need not read what it does not want
        pipe.write(message)
    with contextlib.suppress(OSError):
        pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the helper and whatever it started: a child of it may hold the pipe."""
    process.kill()
    with contextlib.suppress(OSError, AttributeError):  # there are no process groups on Windows
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
