"""Timing whole processes fairly: alternating runs, the system's own accounting, medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Several runs: wall-clock seconds, seconds of all processors, peak resident memory (bytes, the largest process)."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def processor_median(self) -> float:
        """Seconds of all processors, which a busy machine changes less than the time on the wall."""
        return statistics.median(self.processor)

    @property
    def spread(self) -> str:
        return f"{min(self.seconds):.3f}–{max(self.seconds):.3f}"

    @property
    def peak(self) -> int:
        return max(self.memory)


def installed(folder: str) -> dict[str, str]:
    """The environment of a program that was installed: its modules are compiled once, here into ``folder``, not at every start."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "PYTHONPYCACHEPREFIX": folder}


def run_once(command: Sequence[str], cwd: str | None = None, environment: Mapping[str, str] | None = None) -> tuple[float, float, int]:
    """Run a command once: seconds, seconds of processors, bytes of memory.

    Its output is thrown away. Exit statuses 0 and 1 are answers, others are errors.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def alternate(
    commands: Mapping[str, Sequence[str]],
    *,
    runs: int = 5,
    warmup: int = 1,
    cwd: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Figures]:
    """Each command in turn, ``runs`` times, after ``warmup`` rounds that do not count."""
    figures = {name: Figures() for name in commands}
    for number in range(warmup + runs):
        for name, command in commands.items():
            seconds, processor, memory = run_once(command, cwd, environment)
            if number >= warmup:
                figures[name].seconds.append(seconds)
                figures[name].processor.append(processor)
                figures[name].memory.append(memory)
    return figures
