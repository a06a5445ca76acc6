"""Killing evictions and imports at random moments: a check afterwards finds nothing wrong, and doing it again ends well."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.kept_images import NODE, Kept, image, with_kept

IMAGES = 40
LAYER = 50_000

EVICT = """
import asyncio, sys, time
from pathlib import Path
from unhub.mirror.capacity import Capacity, volume_of
from unhub.mirror.eviction import Evictor, Times
from unhub.store.blobs_filesystem import FilesystemBlobs
from unhub.store.sql.metadata import SqlMetadata

async def main(folder):
    metadata, blobs = SqlMetadata(f"sqlite:///{folder / 'unhub.db'}"), FilesystemBlobs(folder / "blobs", grace=0)
    times = Times(grace=0, young=0, interval=0, urgent=0)
    evictor = Evictor(metadata, blobs, Capacity(bytes=1), lambda: volume_of(folder), in_flight=frozenset, now=time.time, times=times)
    print("begun", flush=True)
    for _ in range(200):
        await evictor.tend()
        if await metadata.eviction.usage() == 0:
            break
    await metadata.close()

asyncio.run(main(Path(sys.argv[1])))
"""
"""An eviction that leaves no time between rows and files, so that a kill often comes between them."""


def fill(folder: Path) -> None:
    """A cache with images in it, some of which share layers."""

    async def work(kept: Kept) -> None:
        for number in range(IMAGES):
            shared = f"shared {number // 4}".encode().ljust(LAYER, b".")
            await kept.pull(NODE, str(number), image(f"node {number}", shared, f"own {number}".encode().ljust(LAYER, b".")))

    with_kept(folder, work)


def kill_eviction(folder: Path, chance: random.Random) -> None:
    """Evict everything, and be killed at some moment of it."""
    kill(["-c", EVICT, str(folder)], chance, wait_for="begun")


def kill_import(folder: Path, layout: Path, chance: random.Random) -> None:
    """Import a layout, and be killed at some moment of it."""
    kill(["-m", "unhub", "cache", "import", str(layout), "--data", str(folder)], chance, wait_for="")


def kill(arguments: list[str], chance: random.Random, *, wait_for: str) -> None:
    """Run Python, and kill it a random moment after it has printed its first line."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert wait_for in process.stdout.readline()
        time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()


def fsck(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Check a data folder as its users do."""
    command = [sys.executable, "-m", "unhub", "cache", "fsck", "--data", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
