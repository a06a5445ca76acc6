"""Blobs on their way: what many clients see of one transfer, by raw sockets (mirror-lessons; registry-protocol.md, 3.1)."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.protocol.content import digest_of, fresh
from tests.protocol.serving import Response, Server
from tests.tools import tool

SIZE = 3_000_000


@dataclass(frozen=True)
class Flight:
    """A blob whose bytes come when a test says so."""

    server: Server
    data: bytes
    file: Path

    @property
    def path(self) -> str:
        return f"/v2/library/flying/blobs/{digest_of(self.data)}"

    def publish(self, count: int) -> None:
        partial = self.file.with_suffix(".new")
        partial.write_text(str(count))
        partial.replace(self.file.with_suffix(".published"))

    def fail(self) -> None:
        self.file.with_suffix(".fails").touch()

    @contextmanager
    def open(self, headers: str = "") -> Generator[Stream]:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            connection.sendall(f"GET {self.path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
            yield Stream(connection)


class Stream:
    """An answer as it comes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.head = b""
        self.body = b""

    def until(self, count: int) -> None:
        """Read until the body has ``count`` bytes."""
        while not self.head or len(self.body) < count:
            piece = self._connection.recv(65536)
            if not piece:
                raise EOFError
            self._take(piece)

    def rest(self) -> bytes:
        """Read until the other end closes."""
        while piece := self._connection.recv(65536):
            self._take(piece)
        return self.body

    def _take(self, piece: bytes) -> None:
        self.body += piece
        if not self.head and b"\r\n\r\n" in self.body:
            self.head, _, self.body = self.body.partition(b"\r\n\r\n")


@pytest.fixture
def flight(registry: Server) -> Flight:
    data = fresh(SIZE)
    file = registry.folder / "upstream/library/flying/blobs" / digest_of(data)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    flight = Flight(registry, data, file)
    flight.publish(0)
    return flight


def test_bytes_go_out_as_they_come(flight: Flight) -> None:
    flight.publish(1000)
    with flight.open() as stream:
        for count in (1000, 700_000, SIZE - 1, SIZE):
            flight.publish(count)
            stream.until(count)
            assert stream.body == flight.data[:count]
        assert b"200 OK" in stream.head
        assert f"content-length: {SIZE}".encode() in stream.head


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-99", 0, 100), ("1000000-1999999", 1_000_000, 2_000_000), ("-500", SIZE - 500, SIZE)]
)
def test_a_range_of_a_blob_on_its_way_waits_for_its_bytes_only(flight: Flight, asked: str, start: int, end: int) -> None:
    """Rule 11 and containerd's parallel ranges: the others are not waited for."""
    flight.publish(end)
    with flight.open(f"Range: bytes={asked}\r\nConnection: close\r\n") as stream:
        assert stream.rest() == flight.data[start:end]
        assert b"206 Partial Content" in stream.head
        assert f"content-range: bytes {start}-{end - 1}/{SIZE}".encode() in stream.head


def test_parallel_ranges_of_one_flight_come_together(flight: Flight) -> None:
    parts: dict[int, bytes] = {}

    def fetch(start: int) -> None:
        got = flight.server.ask("GET", flight.path, headers={"Range": f"bytes={start}-{start + 499_999}"})
        assert got.status == 206
        parts[start] = got.body

    threads = [threading.Thread(target=fetch, args=(start,)) for start in range(0, SIZE, 500_000)]
    for thread in threads:
        thread.start()
    for count in range(0, SIZE + 1, 250_000):
        flight.publish(count)
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert b"".join(parts[start] for start in sorted(parts)) == flight.data


def test_head_waits_for_nothing(flight: Flight) -> None:
    """Rule 13."""
    got = flight.server.ask("HEAD", flight.path, timeout=3)

    assert (got.status, got["content-length"]) == (200, str(SIZE))


@pytest.mark.parametrize("asked", ["", "Range: bytes=0-2000000\r\n"])
@pytest.mark.parametrize("published", [1, 1_000_000, SIZE - 1])
def test_a_flight_that_fails_cuts_the_connection(flight: Flight, published: int, asked: str) -> None:
    """Never a clean end: fewer bytes than promised, and no more answers on this connection."""
    if asked and published > 2_000_000:
        published = 2_000_000
    flight.publish(published)
    with flight.open(asked) as stream:
        stream.until(published)
        flight.fail()
        body = stream.rest()

    promised = int(next(line.split(b":")[1] for line in stream.head.split(b"\r\n") if line.startswith(b"content-length")))
    assert body == flight.data[:published]
    assert len(body) < promised


def test_a_flight_that_fails_at_once_is_a_refusal(flight: Flight) -> None:
    """Before the first byte there is time for an answer with a reason, and for ``Retry-After``."""
    flight.fail()

    got = flight.server.ask("GET", flight.path)

    assert (got.status, got.code, got["retry-after"]) == (503, "UNAVAILABLE", "7")


def test_a_slow_reader_holds_up_nobody(flight: Flight) -> None:
    flight.publish(SIZE)
    with flight.open() as slow:
        slow.until(1)
        start = time.monotonic()
        for _ in range(3):
            assert flight.server.ask("GET", flight.path).body == flight.data
        assert time.monotonic() - start < 10
        slow.until(SIZE)
        assert slow.body == flight.data


def test_a_client_that_leaves_is_noticed(flight: Flight) -> None:
    """Its flight is no longer followed, and others go on."""
    flight.publish(1000)
    with flight.open() as left:
        left.until(1000)
    time.sleep(0.2)
    answers: list[Response] = []
    other = threading.Thread(target=lambda: answers.append(flight.server.ask("GET", flight.path)))
    other.start()
    flight.publish(SIZE)
    other.join()

    assert answers[0].body == flight.data
    assert b"Traceback" not in (flight.server.folder / "server.log").read_bytes()


def test_over_http_2_the_stream_is_reset(flight: Flight, tmp_path: Path) -> None:
    flight.publish(1_000_000)
    command = [
        tool("curl"),
        "-sS",
        "--http2-prior-knowledge",
        "--max-time",
        "20",
        "-o",
        str(tmp_path / "got"),
        flight.server.url + flight.path,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as curl:
        end = time.monotonic() + 10
        while (not (tmp_path / "got").exists() or (tmp_path / "got").stat().st_size < 900_000) and time.monotonic() < end:
            time.sleep(0.02)
        flight.fail()
        said = curl.communicate(timeout=20)[1]

    assert curl.returncode not in (0, 28), said
    assert (tmp_path / "got").stat().st_size <= 1_000_000
