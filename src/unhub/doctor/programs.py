"""Programs run for a check: without a shell, with a time-out, and with little of what they write."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from unhub.doctor.machine import Ran

OUTPUT_MAX: Final = 64 * 1024
"""Bytes of each stream that are kept."""


def runner(environment: Mapping[str, str]) -> Callable[[Sequence[str], float], Awaitable[Ran | None]]:
    """What runs a program under an environment: ``None`` where it is not on its PATH."""

    async def run(command: Sequence[str], seconds: float) -> Ran | None:
        path = shutil.which(command[0], path=environment.get("PATH"))
        return None if path is None else await _run([path, *command[1:]], seconds, environment)

    return run


async def _run(command: Sequence[str], seconds: float, environment: Mapping[str, str]) -> Ran:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        return Ran(126, "", error.strerror or str(error))
    try:
        async with asyncio.timeout(seconds):
            out, err = await asyncio.gather(_some(process.stdout), _some(process.stderr))
            return Ran(await process.wait(), out, err)
    except TimeoutError:
        return Ran(124, "", f"no end within {seconds:g} s")
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _some(stream: asyncio.StreamReader | None) -> str:
    """The beginning of a stream; the rest is read and dropped, so that the program can end."""
    kept = bytearray()
    while stream is not None and (data := await stream.read(65_536)):
        kept += data[: OUTPUT_MAX - len(kept)]
    return kept.decode("utf-8", "replace")
