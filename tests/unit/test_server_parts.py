"""The small parts of the server: sockets, lock, records, log, counters, metrics, changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import socket
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from unhub.image.digest import Digest
from unhub.image.errors import UnhubError
from unhub.mirror.memory import Memory
from unhub.server.counters import NAMES, Counters, by_outcome, cumulative
from unhub.server.crowd import FILES_MAX, Crowd, open_files
from unhub.server.listen import Listen, addresses, open_sockets
from unhub.server.lock import DataFolderBusy, DataLock
from unhub.server.messages import OneLine
from unhub.server.metrics import rendered
from unhub.server.note import Note, caller_of
from unhub.server.record import OTHERS, ROWS_MAX, Recorder
from unhub.server.request_log import PIPE_MAX, RequestLog
from unhub.server.running import admin_token
from unhub.server.watch import DEAF, PAGE, Watcher
from unhub.store.records import Block, Change, ChangeKind, PullRecord, RepositoryKey, StoredManifest

KEY = RepositoryKey("docker", "library/node")
DIGEST = Digest("sha256", "ab" * 32)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


# ------------------------------------------------------------------ sockets


def test_localhost_means_both_families_on_one_port() -> None:
    sockets = open_sockets([Listen.parse("localhost:0")])
    try:
        found = addresses(sockets)
        assert [host for host, _ in found] == ["127.0.0.1", "::1"]
        assert found[0][1] == found[1][1] > 0
    finally:
        for one in sockets:
            one.close()


def test_small_answers_wait_for_no_acknowledgement() -> None:
    """A file goes out in a write of its own, after its headers: with Nagle's algorithm a small one waits 40 ms for the client."""
    sockets = open_sockets([Listen.parse("localhost:0")])
    with contextlib.ExitStack() as stack:
        for one in sockets:
            stack.callback(one.close)
            client = stack.enter_context(socket.create_connection(one.getsockname()[:2], 5))
            client.sendall(b"GET")
            one.setblocking(True)
            accepted = stack.enter_context(one.accept()[0])
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_socket_stays_open_where_one_cannot_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnhubError, match="the port is taken by another program"):
            open_sockets([Listen.parse("localhost:0"), Listen("127.0.0.1", port)])


def test_a_name_that_is_none_is_said() -> None:
    with pytest.raises(UnhubError, match=r"cannot listen on nowhere\.invalid:1"):
        open_sockets([Listen("nowhere.invalid", 1)])


# ------------------------------------------------------------------ data folder


def test_a_data_folder_has_one_server(tmp_path: Path) -> None:
    first, second = DataLock(tmp_path / "data"), DataLock(tmp_path / "data")
    first.take("process 1, at http://localhost:5000")
    with pytest.raises(DataFolderBusy, match=r"a server holds it \(process 1, at http://localhost:5000\)"):
        second.take()
    first.release()
    second.take()
    second.release()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnhubError, match="cannot make the folder"):
        DataLock(tmp_path / "file" / "data").take()


def test_the_admin_token_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    token = admin_token(tmp_path)
    assert len(token) >= 40
    assert admin_token(tmp_path) == token
    assert (tmp_path / "admin.token").stat().st_mode & 0o777 == 0o600
    (tmp_path / "admin.token").write_text("short\n")
    assert admin_token(tmp_path) != token


# ------------------------------------------------------------------ callers and records


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("unix:", "unix:"),
    ],
)
def test_who_counts_as_one_caller(host: str, caller: str) -> None:
    assert caller_of(host) == caller


class Pulls:
    """Takes records, or fails; ``seconds`` is how long it takes."""

    def __init__(self) -> None:
        self.rows: list[PullRecord] = []
        self.fails = False
        self.seconds = 0.0

    async def record(self, pulls: Iterable[PullRecord]) -> None:
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise OperationalError("insert", {}, Exception("database is locked"))
        self.rows += list(pulls)

    async def of(self, digest: Digest, limit: int = 1000) -> list[PullRecord]:
        raise NotImplementedError

    async def forget(self, before_day: int) -> int:
        raise NotImplementedError


def test_pulls_are_gathered_and_none_is_lost_while_the_database_is_busy() -> None:
    async def work() -> None:
        pulls = Pulls()
        recorder = Recorder(pulls, lambda: 2 * 86_400.0 + 5)
        recorder.pulled(KEY, DIGEST, "20", "192.0.2.7", 100)
        recorder.pulled(KEY, DIGEST, "20", "192.0.2.7", 50)
        pulls.fails = True
        await recorder.flush()
        recorder.pulled(KEY, DIGEST, "20", "192.0.2.7", 1)
        pulls.fails = False
        await recorder.flush()
        await recorder.flush()
        assert pulls.rows == [PullRecord(KEY, DIGEST, "20", "192.0.2.7", 2, 3, 151, 2 * 86_400.0 + 5)]
        assert recorder.failures == 1

    run(work)


def test_pulls_are_written_once_though_their_writer_is_cancelled() -> None:
    async def work() -> None:
        pulls = Pulls()
        pulls.seconds = 0.05
        recorder = Recorder(pulls, lambda: 0.0)
        recorder.pulled(KEY, DIGEST, "20", "192.0.2.7", 1)
        first = asyncio.ensure_future(recorder.flush())
        await asyncio.sleep(0.01)
        first.cancel()
        recorder.pulled(KEY, DIGEST, "21", "192.0.2.7", 1)
        await recorder.flush()
        assert [(row.reference, row.count) for row in pulls.rows] == [("20", 1), ("21", 1)]
        assert first.cancelled()

    run(work)


def test_a_crowd_of_callers_is_counted_without_names() -> None:
    async def work() -> None:
        pulls = Pulls()
        recorder = Recorder(pulls, lambda: 0.0)
        for number in range(ROWS_MAX + 10):
            recorder.pulled(KEY, DIGEST, "20", f"caller {number}", 1)
        await recorder.flush()
        assert len(pulls.rows) == ROWS_MAX + 1
        assert [row.count for row in pulls.rows if row.caller == OTHERS] == [10]

    run(work)


# ------------------------------------------------------------------ request log


def test_the_log_has_a_line_for_each_answer_and_no_control_characters() -> None:
    reading, writing = os.pipe()
    log = RequestLog(writing)
    note = Note("192.0.2.7")
    note.status, note.bytes, note.door, note.name, note.reference, note.cache = 200, 7, "root", "docker/library/node", "20\n\x1b[31m", "hit"
    log.answered("GET", "/v2/library/node/manifests/20", note, 0.0123)
    log.answered("GET", "/v2/" + "x" * 1000, Note("::1"), 0.0)
    log.close()
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        lines = file.read().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert b"\x1b" not in lines[0]
    assert first.pop("time").endswith("Z")
    assert first == {
        "method": "GET", "status": 200, "bytes": 7, "ms": 12.3, "caller": "192.0.2.7",
        "door": "root", "name": "docker/library/node", "reference": "20\n\x1b[31m", "cache": "hit",
    }  # fmt: skip
    assert len(second["path"]) == 300


def test_lines_go_into_a_pipe_whole() -> None:
    """Two workers write into one pipe; a piece of at most PIPE_BUF is written whole (pipe(7))."""
    reading, writing = os.pipe()
    logs = [RequestLog(writing) for _ in range(2)]
    for number in range(80):
        for log in logs:
            note = Note(str(number))
            note.name = "n" * 200
            log.answered("GET", "/", note, 0.0)
    with os.fdopen(reading, "rb") as file:
        for log in logs:
            log.close()
        os.close(writing)
        lines = file.read().splitlines()
    assert len(lines) == 160
    assert all(json.loads(line)["name"] == "n" * 200 for line in lines)
    assert PIPE_MAX == 4096


def test_a_log_that_nobody_reads_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log = RequestLog(writing)
    log.answered("GET", "/", Note(""), 0.0)
    log.close()
    os.close(writing)


# ------------------------------------------------------------------ counters and metrics


def answered(status: int, cache: str = "", size: int = 0) -> Note:
    note = Note("")
    note.status, note.cache, note.bytes = status, cache, size
    return note


def test_counters_of_all_processes_are_summed() -> None:
    counters = Counters(2)
    first, second = counters.slot(0), counters.slot(1)
    first.answered(answered(200, "hit", 100), 0.0004)
    second.answered(answered(200, "stale", 10), 0.0004)
    second.answered(answered(429), 60.0)
    totals = counters.totals()
    assert (totals["class.2"], totals["class.4"], totals["status.429"], totals["bytes"]) == (2, 1, 1, 110)
    assert by_outcome(totals) == {"store": 1, "fetched": 0, "stale": 1, "refused": 1}
    assert cumulative(totals)[0] == ("0.0005", 2)
    assert cumulative(totals)[-1] == ("+Inf", 3)
    counters.slot(1).answered(answered(200, "stale"), 0.0)
    assert counters.totals()["cache.stale"] == 2, "the next process goes on counting"


def test_metrics_without_a_fetcher() -> None:
    page = rendered(dict.fromkeys(NAMES, 0.0), None, 5).decode()
    assert "unhub_fetcher_up 0.0\n" in page
    assert "unhub_cache_bytes 5.0\n" in page
    assert "hub_pulls_saved_total" not in page


# ------------------------------------------------------------------ changes


class Store:
    """A metadata store of which only the changes matter."""

    def __init__(self) -> None:
        self.rows: list[Change] = []
        self.blocked: list[Block] = []
        self.fails = False

    @property
    def changes(self) -> Store:
        return self

    @property
    def policy(self) -> Store:
        return self

    async def generation(self) -> int:
        return self.rows[-1].generation if self.rows else 0

    async def since(self, generation: int, limit: int) -> list[Change]:
        if self.fails:
            raise OperationalError("select", {}, Exception("disk I/O error"))
        return [row for row in self.rows if row.generation > generation][:limit]

    async def blocks(self) -> list[Block]:
        return self.blocked


MANIFEST = StoredManifest(DIGEST, "application/vnd.oci.image.manifest.v1+json", b"{}", 0.0)


def watching(now: list[float]) -> tuple[Store, Memory, Watcher]:
    store, memory = Store(), Memory()
    memory.put(KEY, "20", MANIFEST, None, float("inf"))
    memory.put(KEY, "21", MANIFEST, None, float("inf"))
    return store, memory, Watcher(store, memory, lambda: now[0])  # type: ignore[arg-type]


def test_what_others_changed_is_forgotten() -> None:
    async def work() -> None:
        store, memory, watcher = watching([0.0])
        await watcher.start()
        store.rows.append(Change(1, ChangeKind.TAG, *KEY, "20"))
        await watcher.look()
        assert memory.get(KEY, "20") is None
        assert memory.get(KEY, "21") is not None
        store.rows.append(Change(2, ChangeKind.BLOCK, "", "", str(DIGEST)))
        store.blocked.append(Block(DIGEST, "bad", 0.0))
        await watcher.look()
        assert memory.blocked(DIGEST) == "bad"
        assert memory.get(KEY, "21") is None

    run(work)


def test_more_changes_than_a_page() -> None:
    async def work() -> None:
        store, memory, watcher = watching([0.0])
        await watcher.start()
        store.rows += [Change(number + 1, ChangeKind.TAG, *KEY, str(number)) for number in range(PAGE + 21)]
        store.rows.append(Change(PAGE + 22, ChangeKind.TAG, *KEY, "20"))
        await watcher.look()
        assert memory.get(KEY, "20") is None

    run(work)


def test_changes_that_were_dropped_before_they_were_read() -> None:
    async def work() -> None:
        store, memory, watcher = watching([0.0])
        await watcher.start()
        store.rows.append(Change(500, ChangeKind.TAG, *KEY, "something else"))
        await watcher.look()
        assert memory.get(KEY, "20") is None, "its change may have been among those"

    run(work)


def test_who_hears_nothing_trusts_no_memory_until_it_does() -> None:
    async def work() -> None:
        now = [0.0]
        store, memory, watcher = watching(now)
        await watcher.start()
        task = asyncio.ensure_future(watcher.run())
        store.fails = True
        now[0] = DEAF + 1
        await asyncio.sleep(0.4)
        assert not memory.trusted
        assert not watcher.hears
        store.fails = False
        await asyncio.sleep(0.4)
        assert memory.trusted
        assert watcher.hears
        assert memory.get(KEY, "20") is None, "it may have changed meanwhile"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work)


# ------------------------------------------------------------------ crowds


def test_files_are_handed_over_up_to_a_number_and_the_others_wait_for_their_turn(tmp_path: Path) -> None:
    async def work() -> None:
        sending = [0]
        crowd = Crowd(lambda: sending[0])
        assert all([await crowd.enter() for _ in range(FILES_MAX)])
        sending[0] = FILES_MAX
        waiting = [asyncio.ensure_future(crowd.enter()) for _ in range(3)]
        await asyncio.sleep(0.15)
        assert not any(one.done() for one in waiting)
        sending[0] = FILES_MAX - 2
        await asyncio.wait({waiting[0], waiting[1]}, timeout=5)
        assert [one.done() for one in waiting] == [True, True, False], "in the order in which they came"
        waiting[2].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(work)


def test_who_waits_too_long_is_sent_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr("unhub.server.crowd.PATIENCE", 0.1)
        assert not await Crowd(lambda: FILES_MAX).enter()

    run(work)


def test_files_that_are_open_are_counted(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "a").write_text("")
    with (tmp_path / "blobs" / "a").open(), (tmp_path / "blobs" / "a").open():
        assert open_files(tmp_path / "blobs", 1) == 2
        assert open_files(tmp_path / "blobs", 100_000) == 0


def test_errors_are_told_in_one_line() -> None:
    try:
        int("two\nlines")
    except ValueError as error:
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "Task %s\nfailed", ("x",), (ValueError, error, error.__traceback__))
    line = OneLine().format(record)
    assert re.fullmatch(r"unhub: error in asyncio: Task x failed: ValueError: invalid literal .* \(at test_server_parts\.py:\d+\)", line)
