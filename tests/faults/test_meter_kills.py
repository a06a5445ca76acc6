"""Meters outlive the workers that counted, but for what these answered in the last moment."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import RemoteDisconnected
from pathlib import Path

from tests.faults.meter_kills import PATH, kill_workers, metered
from tests.hub import docker_hub
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.catalogue import Entry
from unhub.demo.images import bulk_layer, image

SEED = 7


def test_a_killed_worker_loses_at_most_its_last_second(tmp_path: Path) -> None:
    rounds = kill_workers(tmp_path, 3, SEED)
    assert [one.failure for one in rounds] == [None] * 3
    assert sum(len(one.answered) for one in rounds) > 300
    assert sum(one.metered for one in rounds) > 0


def pulls(mirror: Mirror, count: int, meanwhile: Callable[[], object] = lambda: None) -> tuple[int, int]:
    """How many of so many pulls were answered, and the bytes of these, while something else happened."""

    def one() -> int:
        with suppress(RemoteDisconnected, ConnectionResetError):  # clients ask again where a worker that ends had not yet read it
            said = mirror.get(PATH)
            return len(said.body) if said.status == 200 else 0
        return 0

    with ThreadPoolExecutor(4) as pool:
        under_way = [pool.submit(one) for _ in range(count)]
        meanwhile()
        sizes = [done.result() for done in under_way]
    return sum(size > 0 for size in sizes), sum(sizes)


def test_workers_that_are_replaced_or_ended_lose_nothing(tmp_path: Path) -> None:
    app = image([bulk_layer(1000, "meter ends")])
    entries = [Entry("library/app", "1", app)]
    with docker_hub(limit=None, images=entries) as hub, running_mirror(tmp_path, hub, arguments=("--workers", 2)) as mirror:
        before = mirror.processes
        first, _ = pulls(mirror, 150, lambda: mirror.kill("supervisor", signal.SIGHUP))
        wait_until(lambda: all(mirror.processes.get(name) not in (None, before[name]) for name in ("worker 1", "worker 2")))
        more, answered = pulls(mirror, 150)
        assert more == 150
        assert mirror.end() == 0
        assert first + more <= metered(mirror.data)[0] <= 300
        assert metered(mirror.data)[1] == metered(mirror.data)[0] * answered // more


def test_a_mirror_that_is_killed_whole_keeps_what_is_older_than_a_moment(tmp_path: Path) -> None:
    app = image([bulk_layer(1000, "meter all")])
    with docker_hub(limit=None, images=[Entry("library/app", "1", app)]) as hub, running_mirror(tmp_path, hub) as mirror:
        expected = pulls(mirror, 40)
        wait_until(lambda: metered(mirror.data) == expected, 3, "what was answered is not written")
        mirror.get(PATH)
        for name in ("worker 1", "fetcher", "supervisor"):
            mirror.kill(name)
        mirror.process.wait(15)
        assert metered(mirror.data)[0] in (40, 41)
