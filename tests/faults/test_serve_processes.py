"""The processes of ``unhub serve``: whichever is killed, nothing is lost and nobody is orphaned."""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import os
import random
import resource
import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.command_line import process
from tests.hub import docker_hub, ecr_public
from tests.mirror import Mirror, is_running, running_mirror, wait_until
from unhub.demo.handles import Hub
from unhub.demo.images import File, Image, image, layer
from unhub.server.heartbeat import LOOK, MISSES

NODE = "/v2/library/node/manifests/20-alpine"
SIZE = 6_000_000


def large_image() -> tuple[Image, str]:
    """An image with a layer of 6 MB, and that layer's digest."""
    big = layer({"data": File(random.Random(5).randbytes(SIZE))})
    return image([big]), big.digest


@contextmanager
def slow_hub(bandwidth: float = 3_000_000) -> Generator[tuple[Hub, str]]:
    """A Docker Hub that sends the large layer in two seconds, and the layer's path at a mirror."""
    large, digest = large_image()
    with docker_hub(bandwidth=bandwidth) as hub:
        hub.add(large, "library/large:1")
        yield hub, f"/v2/library/large/blobs/{digest}"


def bodies(hub: Hub) -> list[str]:
    """The bodies that the content network was asked for: the range of each."""
    return [record.range for record in hub.asked(site="cdn", method="GET") if record.status in (200, 206)]


class Reader:
    """A client that reads a blob in a thread of its own."""

    def __init__(self, mirror: Mirror, path: str, headers: dict[str, str] | None = None) -> None:
        self.data = bytearray()
        self.status = 0
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._read, args=(mirror.url, path, headers or {}))
        self._thread.start()

    def _read(self, url: str, path: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            self.status = response.status
            while piece := response.read1(65536):
                self.data += piece
            if response.length:
                raise http.client.IncompleteRead(bytes(self.data[:0]), response.length)
        except (OSError, http.client.HTTPException) as error:
            self.error = error
        finally:
            connection.close()

    def end(self) -> bytes:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return bytes(self.data)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_it_serves_on_both_families_and_ends_cleanly(tmp_path: Path) -> None:
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        assert mirror.get(NODE).status == 200
        assert [urlsplit(url).hostname for url in mirror.urls] == ["127.0.0.1", "::1"]
        assert len({urlsplit(url).port for url in mirror.urls}) == 1
        processes = mirror.processes
        assert set(processes) == {"supervisor", "fetcher", "worker 1"}
        assert mirror.end() == 0
        assert not any(is_running(pid) for pid in processes.values())
    assert mirror.stderr.endswith("unhub: ended\n")
    assert not (tmp_path / "mirror.ready").exists()


def test_an_interrupt_has_its_own_status(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        assert mirror.end(signal.SIGINT) == 130


@pytest.mark.parametrize("victim", ["fetcher", "worker 1"])
def test_a_process_that_is_killed_is_replaced(tmp_path: Path, victim: str) -> None:
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path, hub, ecr) as mirror:
        assert mirror.get(NODE).status == 200
        killed = mirror.kill(victim)
        wait_until(lambda: mirror.processes.get(victim, killed) != killed)
        assert mirror.get(NODE).status == 200
        assert mirror.get("/v2/library/alpine/manifests/latest").status == 200
        assert f"the {victim} ended unexpectedly (by SIGKILL)" in mirror.stderr


def test_a_question_waits_for_the_next_fetcher(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        mirror.kill("fetcher")
        assert mirror.get(NODE).status == 200


def test_what_is_kept_is_served_while_there_is_no_fetcher(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        assert mirror.get(NODE).status == 200
        mirror.kill("fetcher", signal.SIGSTOP)
        assert mirror.get(NODE).status == 200
        assert mirror.get("/metrics").status == 200
        assert mirror.metrics["unhub_fetcher_up"] == 0
        mirror.kill("fetcher", signal.SIGCONT)


def test_processes_that_hang_are_replaced(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        hung = {name: mirror.kill(name, signal.SIGSTOP) for name in ("fetcher", "worker 1")}
        for name, pid in hung.items():
            wait_until(lambda name=name, pid=pid: mirror.processes.get(name, pid) != pid)
            assert f"the {name} hangs and is killed" in mirror.stderr
            assert not is_running(pid)
        assert mirror.get(NODE).status == 200


def test_a_machine_that_stood_still_has_hung_nobody(tmp_path: Path) -> None:
    """All of it is stopped for longer than one process may hang, as by Ctrl-Z; then the supervisor goes on first."""
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        before = mirror.processes
        for pid in before.values():
            os.kill(pid, signal.SIGSTOP)
        time.sleep((MISSES + 2) * LOOK)
        for name in ("supervisor", "worker 1", "fetcher"):
            os.kill(before[name], signal.SIGCONT)
        assert mirror.get(NODE).status == 200
        time.sleep(2 * LOOK)
        assert mirror.processes == before
        assert "hangs" not in mirror.stderr


def test_nobody_is_orphaned_when_the_supervisor_is_killed_and_all_is_there_again(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        before = mirror.get(NODE)
        processes = mirror.processes
        mirror.kill("supervisor")
        wait_until(lambda: not any(is_running(pid) for pid in processes.values()), why="somebody was orphaned")
        mirror.process.wait()
        hub.listen("registry", on=False)
        with running_mirror(tmp_path, hub) as again:
            after = again.get(NODE)
            assert (after.status, after.body) == (200, before.body)


def test_readers_of_a_blob_on_its_way_outlive_the_fetcher(tmp_path: Path) -> None:
    with slow_hub() as (hub, path), running_mirror(tmp_path, hub) as mirror:
        assert mirror.get("/v2/library/large/manifests/1").status == 200
        readers = [Reader(mirror, path) for _ in range(4)]
        wait_until(lambda: all(len(reader.data) > SIZE // 4 for reader in readers))
        mirror.kill("fetcher")
        for reader in readers:
            assert digest_of(reader.end()) == path.rpartition("/")[2], reader.error
            assert reader.error is None
        ranges = bodies(hub)  # a transfer that was cut may be told of after the one that goes on
        assert len(ranges) <= 2
        assert any(one.startswith("bytes=") for one in ranges), "the second one goes on where the first one stopped"
        assert mirror.get(path).status == 200


def test_a_flight_goes_on_when_the_worker_of_its_readers_is_killed(tmp_path: Path) -> None:
    with slow_hub() as (hub, path), running_mirror(tmp_path, hub) as mirror:
        assert mirror.get("/v2/library/large/manifests/1").status == 200
        reader = Reader(mirror, path)
        wait_until(lambda: len(reader.data) > SIZE // 4)
        killed = mirror.kill("worker 1")
        reader.end()
        assert reader.error is not None, "a broken connection never looks like an end"
        wait_until(lambda: mirror.processes.get("worker 1", killed) != killed)
        again = Reader(mirror, path)
        assert digest_of(again.end()) == path.rpartition("/")[2]
        assert len(bodies(hub)) == 1


def test_a_part_of_a_blob_on_its_way(tmp_path: Path) -> None:
    with slow_hub() as (hub, path), running_mirror(tmp_path, hub) as mirror:
        assert mirror.get("/v2/library/large/manifests/1").status == 200
        whole = Reader(mirror, path)
        part = Reader(mirror, path, {"Range": "bytes=1000000-1999999"})
        assert part.end() == whole.end()[1_000_000:2_000_000]
        assert part.status == 206
        assert len(bodies(hub)) == 1


def test_no_answer_fails_while_workers_are_replaced(tmp_path: Path) -> None:
    with slow_hub() as (hub, path), running_mirror(tmp_path, hub, arguments=("--workers", "2")) as mirror:
        assert mirror.get("/v2/library/large/manifests/1").status == 200
        assert mirror.get(NODE).status == 200
        before = mirror.processes
        reader = Reader(mirror, path)
        wait_until(lambda: len(reader.data) > SIZE // 6)
        ending = threading.Event()

        unheard: list[str] = []

        def ask_on() -> int:
            """Ask as every client of HTTP does: once more where a connection was closed before a word of the answer.

            A worker that ends closes connections that it has taken and read nothing of yet; no answer that was begun fails.
            """
            asked = 0
            while not ending.is_set():
                try:
                    said = mirror.get(NODE)
                except (http.client.RemoteDisconnected, ConnectionResetError) as error:
                    unheard.append(str(error))
                    said = mirror.get(NODE)
                assert said.status == 200
                asked += 1
            return asked

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            counts = [pool.submit(ask_on) for _ in range(4)]
            mirror.kill("supervisor", signal.SIGHUP)
            wait_until(lambda: all(mirror.processes.get(f"worker {n}", before[f"worker {n}"]) != before[f"worker {n}"] for n in (1, 2)))
            time.sleep(0.5)
            ending.set()
            assert min(count.result(10) for count in counts) > 0
        assert len(unheard) <= 4, "at most what each client had just begun to say"
        assert digest_of(reader.end()) == path.rpartition("/")[2]
        assert mirror.processes["fetcher"] == before["fetcher"], "the settings are the same"
        wait_until(lambda: not is_running(before["worker 1"]) and not is_running(before["worker 2"]))


def test_a_full_disk_still_passes_blobs_on(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk: writing fails beyond it."""
    with slow_hub(bandwidth=30_000_000) as (hub, path), running_mirror(tmp_path, hub) as mirror:
        assert mirror.get("/v2/library/large/manifests/1").status == 200
        resource.prlimit(mirror.processes["fetcher"], resource.RLIMIT_FSIZE, (SIZE // 2, resource.RLIM_INFINITY))
        first = Reader(mirror, path)
        assert digest_of(first.end()) == path.rpartition("/")[2]
        second = Reader(mirror, path, {"Range": "bytes=5000000-"})
        assert second.end() == first.data[5_000_000:]
        assert list((mirror.data / "spool").glob("*/*")) == []
        assert "unhub: the volume is full: blobs of docker/library/large and others are passed on and not kept" in mirror.stderr
        assert mirror.metrics["unhub_blobs_passed_on_total"] >= 2
        resource.prlimit(mirror.processes["fetcher"], resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert digest_of(mirror.get(path).body) == path.rpartition("/")[2]


def test_answers_under_way_are_finished_at_the_end(tmp_path: Path) -> None:
    with slow_hub() as (hub, path), running_mirror(tmp_path, hub) as mirror:
        assert mirror.get("/v2/library/large/manifests/1").status == 200
        reader = Reader(mirror, path)
        wait_until(lambda: len(reader.data) > SIZE // 6)
        assert mirror.end() == 0
        assert digest_of(reader.end()) == path.rpartition("/")[2]


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        ended = process("serve", "--listen", "localhost:0", "--data", mirror.data, cwd=tmp_path)
        assert ended.status == 4
        assert f"cannot use the data folder {mirror.data}: a server holds it (process {mirror.process.pid}, at {mirror.url})" in ended.err
        assert "--data DIR" in ended.err


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = process("serve", "--listen", f"127.0.0.1:{port}", "--data", tmp_path / "data", cwd=tmp_path)
    assert ended.status == 5
    assert f"cannot listen on 127.0.0.1:{port}: the port is taken by another program" in ended.err
