"""One shell that runs command after command, so that folder, variables and functions carry over.

The shell runs a loop of ours: it reads the name of a file with the next command, runs that file in itself, and reports
the status. A command that ends the shell (``exit``, ``set -e``, a syntax error in sh) ends with the shell's status; the
next one gets a new shell with the folder, the variables and (bash) the functions that there were before that command.

The commands have no terminal, nothing to read, and process groups of their own that end with the build.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from unhub.buildspec.process_groups import Groups
from unhub.image.errors import UsageError

CHUNK = 1 << 16
_ENDED = b"ended"
_DRAINED = 32
"""Chunks that are read at most when a command has ended: it left no more in the pipe, and others may go on writing."""

_LOOP = """\
exec 9>{folder}/answers
if [ -f {folder}/all ]; then
    unhub_posix=:
    if [ -n "${{BASH_VERSION-}}" ]; then unhub_posix=$(shopt -po posix || :); set +o posix; fi
    {{ . {folder}/all; . {folder}/exported; $unhub_posix; }} 2>/dev/null
    cd "$(cat {folder}/place)"
fi
while {{ IFS=' ' read -r unhub_succeeding unhub_file; }} 2>/dev/null; do
    export CODEBUILD_BUILD_SUCCEEDING="$unhub_succeeding"
    . "$unhub_file" </dev/null 9>&-
    {{ unhub_status=$?; set >|{folder}/all; export -p >|{folder}/exported; pwd >|{folder}/place; echo "$unhub_status" >&9; }} 2>/dev/null
done
"""
"""bash's own posix mode is left while the variables are read back: it would end at the first that is read-only."""


class Shell:
    """A shell in ``folder`` with ``variables``. ``output`` gets what commands write, both streams in one, as it comes."""

    def __init__(self, shell: str, folder: Path, variables: Mapping[str, str], output: Callable[[bytes], None]) -> None:
        self._shell = shell
        self._folder = folder
        self._variables = variables
        self._output = output
        self._own = tempfile.TemporaryDirectory(prefix="unhub-build-", ignore_cleanup_errors=True)
        self._place = Path(self._own.name)
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._groups = Groups(self._place)
        self._commands = -1
        self._answered = b""
        os.mkfifo(self._place / "answers", 0o600)
        self._answers = os.open(self._place / "answers", os.O_RDWR | os.O_NONBLOCK)  # both, so that it is never at its end
        self._said, self._to_us = os.pipe()
        os.set_blocking(self._said, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def run(self, text: str, *, succeeding: bool) -> int:
        """Run a command to its end and return its status; 128 and the signal's number where a signal ended the shell."""
        process = self._process or self._start()
        self._number += 1
        file = self._place / f"{self._number}.sh"
        file.write_bytes(text.encode("utf-8", "surrogateescape") + b"\n")
        with contextlib.suppress(BrokenPipeError):  # the shell was killed meanwhile: its end is read below
            os.write(self._commands, f"{int(succeeding)} {file}\n".encode())
        answer = self._follow()
        if answer != _ENDED:
            return int(answer)
        status = process.wait()
        self._forget()
        return status if status >= 0 else 128 - status

    def value(self, name: str) -> str | None:
        """The value of a variable of the shell, exported or not; ``None`` where it has none."""
        where = shlex.quote(str(self._place / "value"))
        self.run(f'if [ "${{{name}+set}}" ]; then printf %s "${name}" >|{where}; else rm -f {where}; fi', succeeding=True)
        try:
            return (self._place / "value").read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None

    def close(self) -> None:
        """End the shell and whatever its commands left running in the background."""
        try:
            self._forget()
            self._groups.end()
        finally:
            for descriptor in (self._answers, self._said, self._to_us):
                os.close(descriptor)
            self._own.cleanup()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the shell, or one that follows another."""
        from_us, self._commands = os.pipe()
        loop = _LOOP.format(folder=shlex.quote(str(self._place)))
        try:
            process = subprocess.Popen(
                [self._shell, "-c", loop, self._shell.rpartition("/")[2]],
                cwd=self._folder,
                env=dict(self._variables),
                stdin=from_us,
                stdout=self._to_us,
                stderr=self._to_us,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"cannot run commands with {self._shell!r} in {self._folder}: {error.strerror or error}") from None
        finally:
            os.close(from_us)
        self._process = process
        self._groups.add(process)
        threading.Thread(target=_tell_the_end, args=(process, os.dup(self._answers)), daemon=True).start()
        return process

    def _forget(self) -> None:
        """Give the shell nothing more to do; it ends when it has read all."""
        if self._commands >= 0:
            os.close(self._commands)
        self._commands, self._process, self._answered = -1, None, b""

    def _follow(self) -> bytes:
        """Pass the output on until the shell answers or ends; everything that the command wrote has passed then."""
        with selectors.DefaultSelector() as selector:
            for descriptor in (self._answers, self._said):
                selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._answered:
                for key, _ in selector.select():
                    if key.fd == self._answers:
                        self._answered += os.read(self._answers, CHUNK)
                    else:
                        self._pass_on()
        for _ in range(_DRAINED):
            if not self._pass_on():
                break
        answer, _, self._answered = self._answered.partition(b"\n")
        return answer

    def _pass_on(self) -> bool:
        """Pass on what was written so far; whether there was something."""
        try:
            data = os.read(self._said, CHUNK)
        except BlockingIOError:
            return False
        self._output(data)
        return True


def _tell_the_end(process: subprocess.Popen[bytes], answers: int) -> None:
    """Write into the pipe of the answers when a shell has ended."""
    process.wait()
    os.write(answers, _ENDED + b"\n")
    os.close(answers)
