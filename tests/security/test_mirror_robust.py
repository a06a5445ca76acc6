"""Hostile requests by the hundred, and clients that stall or vanish: no 500, no memory, no descriptor is lost."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hub import docker_hub, small_image
from tests.mirror import Mirror, running_mirror, wait_until
from tests.security.test_mirror_security import memory_of
from unhub.demo.images import bulk_layer, image

SOAKING = "UNHUB_SOAK_EXAMPLES" in os.environ
REQUESTS = 10_000 if SOAKING else 500
IMAGE = small_image("held")
LARGE = image([bulk_layer(24_000_000, "stalled")])


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mirror]:
    with docker_hub(images=()) as hub, running_mirror(tmp_path_factory.mktemp("mirror"), hub, arguments=("--workers", "2")) as running:
        hub.add(IMAGE, "library/app:1")
        hub.add(LARGE, "library/large:1")
        assert running.get("/v2/library/app/manifests/1").status == 200
        assert running.get("/v2/library/large/manifests/1").status == 200
        yield running


TOKENS = st.sampled_from(
    [
        "v2", "_catalog", "library", "app", "local", "docker", "docker.io", "manifests", "blobs", "uploads",
        "tags", "list", "referrers", "1", "latest",
        IMAGE.digest, IMAGE.layers[0], "sha256:" + "0" * 64, "sha512:" + "f" * 128, "sha256:", "..", ".", "", "%2e%2e", "%00", "%ff",
        "\\", "'", '"',
        "' OR 1=1 --", "a" * 300, "_unhub", "status", "purge", "metrics", "*", "~", "0" * 32, "{}", "<script>", "é", "\t", "CON",
    ]
)  # fmt: skip
PATHS = st.lists(TOKENS, min_size=0, max_size=8).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.one_of(
    st.just(""),
    st.lists(
        st.tuples(st.sampled_from(["n", "last", "ns", "mount", "from", "digest", "artifactType", "tag", "digest-algorithm", "x"]), TOKENS),
        max_size=4,
    ).map(lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs)),
    st.text(max_size=40).map(lambda text: "?" + text),
)
HEADERS = st.lists(
    st.sampled_from(
        [
            "Range: bytes=0-0", "Range: bytes=-1", "Range: bytes=99999999999999999999-", "Range: x",
            "If-None-Match: *", 'If-None-Match: "a", W/"b',
            "Accept: " + "x/y," * 500, "Content-Range: 5-1", "Content-Range: 0-0", "Authorization: Bearer x",
            "Authorization: Basic !!!", "If-Range: x",
            "Content-Type: application/vnd.oci.image.manifest.v1+json", "Content-Type: \x01",
            "Expect: 100-continue", "Host: evil.example", "Cookie: a=b",
            "X-Forwarded-For: 127.0.0.1", "Transfer-Encoding: identity", "Upgrade: websocket", "TE: trailers",
        ]
    ),
    max_size=4,
)  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", ""])
BODIES = st.one_of(
    st.just(b""), st.binary(max_size=60), st.sampled_from([b"{}", b"[" * 2000, b'{"schemaVersion": 2, "layers": [{}]}', b"null"])
)


def status_of(mirror: Mirror, data: bytes) -> int:
    """The status of whatever comes back; 0 where the connection is only closed."""
    host, _, port = mirror.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(4096)
            return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
    return 0


def test_hostile_requests(mirror: Mirror) -> None:
    """Whatever is sent, no answer is a 500, nothing is told of the inside, and memory stays what it was."""
    before: list[int] = []

    @settings(
        max_examples=REQUESTS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        database=None,
    )
    @given(METHODS, PATHS, QUERIES, HEADERS, BODIES)
    def ask(method: str, path: str, query: str, headers: list[str], body: bytes) -> None:
        lines = [f"{method} {path}{query} HTTP/1.1", "Host: mirror", "Connection: close", f"Content-Length: {len(body)}", *headers]
        status = status_of(mirror, "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body)
        assert status == 0 or (status < 600 and status not in (500, 502)), lines
        if len(before) < 100:
            before.append(memory_of(mirror))

    ask()
    assert memory_of(mirror) - before[-1] < 32 * 1024 * 1024
    assert "Traceback" not in mirror.stderr
    assert mirror.get("/v2/library/app/manifests/1").status == 200


def test_long_queries_of_a_good_path_are_not_remembered(mirror: Mirror) -> None:
    """Each is another path to whoever remembers paths: with eight thousand of 30 KB a worker would hold 250 MB."""
    before = memory_of(mirror)
    for number in range(1500):
        assert mirror.get(f"/v2/library/app/manifests/1?x{number}=" + "y" * 30_000).status in (200, 414, 431)
    assert memory_of(mirror) - before < 24 * 1024 * 1024


def test_readers_that_stall_hold_up_nobody_and_leave_nothing_open(mirror: Mirror) -> None:
    """First of a blob in flight, then of one that is stored: they read a little, and wait, and vanish in the middle."""
    path = f"/v2/library/large/blobs/{LARGE.layers[0]}"
    quiet = descriptors(mirror)
    before = memory_of(mirror)
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            stalled = [stack.enter_context(reader(mirror, path)) for _ in range(60)]
            began = time.monotonic()
            for _ in range(10):
                assert mirror.get("/v2/library/app/manifests/1").status == 200
            assert time.monotonic() - began < 5
            assert all(connection.recv(100).startswith(b"HTTP/1.1 200") for connection in stalled)
            assert memory_of(mirror) - before < 200 * 1024 * 1024
        assert mirror.get(path, "HEAD").status == 200
    wait_until(lambda: descriptors(mirror) <= quiet + 12, 30, "descriptors stayed open")
    assert len(mirror.get(path).body) == len(LARGE.blobs[LARGE.layers[0]])


@contextlib.contextmanager
def reader(mirror: Mirror, path: str) -> Generator[socket.socket]:
    """A client with a small window that asks, and reads nothing more than it is told to."""
    host, _, port = mirror.address.partition(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect((host, int(port)))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: mirror\r\n\r\n".encode())
        yield connection


def descriptors(mirror: Mirror) -> int:
    """Open files of its workers and its fetcher, but those of the database: SQLite keeps some as long as others hold locks."""
    found = 0
    for name, pid in mirror.processes.items():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir() if name != "supervisor" else ():
            with contextlib.suppress(OSError):
                found += "unhub.db" not in os.readlink(descriptor)
    return found
