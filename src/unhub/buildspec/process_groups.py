"""Ending everything that a build started, also when unhub is killed."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 5.0
"""Seconds from the request to end until what is left is ended the hard way."""

_PROCESSES = Path("/proc")
_KEEPER = 'while read -r leader; do leaders="$leaders $leader"; done; for leader in $leaders; do kill -9 "-$leader"; done; rm -rf {folder}'


class Groups:
    """The process groups of a build. A small shell beside them ends them, and removes ``folder``, if this process dies first."""

    def __init__(self, folder: Path) -> None:
        self._leaders: list[subprocess.Popen[bytes]] = []
        keeper = _KEEPER.format(folder=shlex.quote(str(folder)))
        quiet = subprocess.DEVNULL
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", keeper], stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, bufsize=0, start_new_session=True
        )

    def add(self, leader: subprocess.Popen[bytes]) -> None:
        """Look after a process that leads a group of its own."""
        self._leaders.append(leader)
        if self._keeper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.write(f"{leader.pid}\n".encode())

    def end(self) -> None:
        """End every process of the groups: asked first, and after a while the hard way."""
        try:
            self._signal(signal.SIGTERM)
            until = time.monotonic() + PATIENCE
            while self._anybody() and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            self._signal(signal.SIGKILL)
            for leader in self._leaders:
                leader.wait()
            with self._keeper:
                self._keeper.kill()  # before its input ends: it has nothing more to do

    def _signal(self, number: int) -> bool:
        """Send a signal to the groups; whether there was somebody to get it."""
        reached = False
        for leader in self._leaders:
            leader.poll()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader.pid, number)
                reached = True
        return reached

    def _anybody(self) -> bool:
        """Whether a process of the groups runs. Where nobody collects orphans that ended, as in many containers, they stay in
        their group for ever: such zombies do not count where the system tells them apart."""
        if not self._signal(0):
            return False
        groups = {leader.pid for leader in self._leaders}
        return not _PROCESSES.is_dir() or any(group in groups for group in _groups_of_the_living())


def _groups_of_the_living() -> Iterator[int]:
    """The process group of every process of this machine that has not ended (proc(5), /proc/pid/stat: state, ppid, pgrp)."""
    for name in os.listdir(_PROCESSES):
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError):
                state, _, group, *_ = (_PROCESSES / name / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                if state not in ("Z", "X"):
                    yield int(group)
