"""Killing workers of a mirror under pulls, and comparing its meters with what clients were answered.

What must hold: the meters never tell more than was asked for, and miss at most what was answered in the last
:data:`BOUND` seconds before each kill. ``make test`` does a few kills of a fixed seed, ``make soak`` many.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.hub import docker_hub
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.catalogue import Entry
from unhub.demo.images import bulk_layer, image
from unhub.server.metering import FLUSH, SOONEST

BOUND = FLUSH + SOONEST + 0.5
"""Seconds: between two writings, and a transaction on a busy machine."""

PATH = "/v2/library/app/manifests/1"
CLIENTS = 4
PAUSE = 0.004
"""Seconds between two pulls of a client."""


@dataclass
class Round:
    """Pulls until a kill: when they were asked for and answered, how many of them are metered; and when the kill was."""

    asked: list[float] = field(default_factory=list[float])
    answered: list[float] = field(default_factory=list[float])
    metered: int = 0
    killed_at: float = 0.0

    @property
    def missing(self) -> int:
        """Pulls that were answered and are not metered."""
        return max(0, len(self.answered) - self.metered)

    @property
    def may_miss(self) -> int:
        """Pulls that were answered shortly before the kill."""
        return sum(0 <= self.killed_at - moment <= BOUND for moment in self.answered)

    @property
    def failure(self) -> str | None:
        """What is wrong, ``None`` where nothing is."""
        if self.metered > len(self.asked):
            return f"{self.metered} pulls are metered, and {len(self.asked)} were asked for"
        if self.missing > self.may_miss:
            return f"{self.missing} pulls are missing, and {self.may_miss} were answered shortly before the kill"
        return None


def kill_workers(folder: Path, count: int, seed: int) -> list[Round]:
    """Kill workers ``count`` times under pulls, and look at the meters after each."""
    chance = random.Random(seed)
    app = image([bulk_layer(1000, "meter kills")])
    with (
        docker_hub(limit=None, images=[Entry("library/app", "1", app)]) as hub,
        running_mirror(folder, hub, arguments=("--workers", 2)) as mirror,
    ):
        assert mirror.get(PATH).status == 200
        wait_until(lambda: metered(mirror.data)[0] == 1)
        return [_round(mirror, chance) for _ in range(count)]


def _round(mirror: Mirror, chance: random.Random) -> Round:
    """Pull for some seconds, kill one of the workers, and let the other one write what it has counted."""
    before, result, stop = metered(mirror.data)[0], Round(), threading.Event()
    clients = [threading.Thread(target=_pull, args=(mirror, result, stop)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    victim = chance.choice(("worker 1", "worker 2"))
    try:
        time.sleep(chance.uniform(1.0, 3.5))
        dead = mirror.kill(victim)
        result.killed_at = time.monotonic()
    finally:
        stop.set()
        for client in clients:
            client.join()
    wait_until(lambda: mirror.processes.get(victim) not in (None, dead), 15, f"no new {victim} came")
    time.sleep(BOUND)
    result.metered = metered(mirror.data)[0] - before
    return result


def metered(data: Path) -> tuple[int, int]:
    """Pulls and bytes in the meters of a data folder."""
    connection = sqlite3.connect(f"file:{data / 'unhub.db'}?mode=ro", uri=True)
    try:
        pulls, answered = connection.execute("select coalesce(sum(pulls), 0), coalesce(sum(bytes_answered), 0) from meter").fetchone()
    finally:
        connection.close()
    return pulls, answered


def _pull(mirror: Mirror, result: Round, stop: threading.Event) -> None:
    """One client; it asks again over a new connection when its worker is gone."""
    host, _, port = mirror.address.rpartition(":")
    while not stop.is_set():
        with closing(HTTPConnection(host, int(port), timeout=20)) as connection, suppress(OSError, HTTPException):
            while not stop.is_set():
                result.asked.append(time.monotonic())
                connection.request("GET", PATH)
                response = connection.getresponse()
                response.read()
                if response.status == 200:
                    result.answered.append(time.monotonic())
                time.sleep(PAUSE)
