"""The processes of ``unhub serve``: whichever is killed, nothing is lost and nobody is orphaned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub import docker_hub, ecr_public
from tests.mirror import is_running, running_mirror, wait_until

NODE = "/v2/library/node/manifests/20-alpine"


def test_it_serves_on_both_families_and_ends_cleanly(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        assert mirror.get(NODE).status == 200
        processes = mirror.processes
        assert set(processes) == {"supervisor", "fetcher", "worker 1"}
        assert mirror.end() == 0
        assert not any(is_running(pid) for pid in processes.values())
    assert mirror.stderr.endswith("unhub: ended\n")


@pytest.mark.parametrize("victim", ["fetcher", "worker 1"])
def test_a_process_that_is_killed_is_replaced(tmp_path: Path, victim: str) -> None:
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        assert mirror.get(NODE).status == 200
        killed = mirror.kill(victim)
        wait_until(lambda: mirror.processes.get(victim, killed) != killed)
        assert mirror.get(NODE).status == 200
        assert mirror.get("/v2/library/alpine/manifests/latest").status == 200
        assert f"the {victim} ended unexpectedly (by SIGKILL)" in mirror.stderr


def test_nobody_is_orphaned_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        processes = mirror.processes
        mirror.kill("supervisor")
        wait_until(lambda: not any(is_running(pid) for pid in processes.values()), why="somebody was orphaned")
