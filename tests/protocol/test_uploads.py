"""Uploads of blobs (registry-protocol.md, 2.1). Each test names the rules that it stands for."""

from __future__ import annotations

import fcntl
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.protocol.content import OCTETS, digest_of, fresh, push_blob
from tests.protocol.serving import Response, Server, serving

REPOSITORY = "conformance/uploads"
START = f"/v2/{REPOSITORY}/blobs/uploads/"


def begin(server: Server, query: str = "") -> str:
    session = server.ask("POST", START + query)
    assert session.status == 202
    assert session["range"] == "0-0"
    return session["location"]


def chunk(server: Server, session: str, data: bytes, start: int, method: str = "PATCH") -> Response:
    return server.ask(method, session, data, {**OCTETS, "Content-Range": f"{start}-{start + len(data) - 1}"})


def in_one_post(server: Server, data: bytes, digest: str) -> Response:
    return server.ask("POST", f"{START}?digest={digest}", data, OCTETS)


def in_post_and_put(server: Server, data: bytes, digest: str) -> Response:
    return server.ask("PUT", f"{begin(server)}?digest={digest}", data, OCTETS)


def in_chunks(server: Server, data: bytes, digest: str) -> Response:
    session, half = begin(server), len(data) // 2
    for start, part in ((0, data[:half]), (half, data[half:])):
        if part:
            done = chunk(server, session, part, start)
            assert done.status == 202
            assert done["range"] == f"0-{start + len(part) - 1}"
            session = done["location"]
    return server.ask("PUT", f"{session}?digest={digest}")


def in_chunks_with_the_last_in_the_put(server: Server, data: bytes, digest: str) -> Response:
    session, half = begin(server), len(data) // 2
    if half:
        session = chunk(server, session, data[:half], 0)["location"]
        return chunk(server, f"{session}?digest={digest}", data[half:], half, "PUT")
    return server.ask("PUT", f"{session}?digest={digest}", data, OCTETS)


def in_a_stream(server: Server, data: bytes, digest: str) -> Response:
    """PATCH without a length (chunked transfer) and without a range."""
    done = server.ask("PATCH", begin(server), (data[at : at + 1000] for at in range(0, len(data), 1000)), OCTETS)
    assert done.status == 202
    return server.ask("PUT", f"{done['location']}?digest={digest}")


WAYS = [in_one_post, in_post_and_put, in_chunks, in_chunks_with_the_last_in_the_put, in_a_stream]
Way = Callable[[Server, bytes, str], Response]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 5000, 3_000_001])
def test_a_blob_of_any_size_and_algorithm_comes_in_every_way(registry: Server, way: Way, algorithm: str, size: int) -> None:
    """Rules 1, 2, 3, 4, 8, 12 and 14: ``Location`` can be got, with the same bytes and the digest that the client used."""
    data = fresh(size)[:size]
    digest = digest_of(data, algorithm)

    done = way(registry, data, digest)

    assert done.status == 201
    assert done["docker-content-digest"] == digest
    got = registry.ask("GET", done["location"])
    assert (got.status, got.body) == (200, data)
    assert got["docker-content-digest"] == digest


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_digest_is_refused_and_nothing_is_kept(registry: Server, way: Way) -> None:
    """Rule 7."""
    data, other = fresh(3000), digest_of(fresh())

    refused = way(registry, data, other)

    assert (refused.status, refused.code) == (400, "DIGEST_INVALID")
    for digest in (other, digest_of(data)):
        assert registry.ask("GET", f"/v2/{REPOSITORY}/blobs/{digest}").status == 404


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "md5:d41d8cd98f00b204e9800998ecf8427e", "latest", "", f"sha256:{'A' * 64}"])
@pytest.mark.parametrize("way", [in_one_post, in_post_and_put])
def test_what_is_no_digest_is_refused(registry: Server, way: Way, digest: str) -> None:
    """Rule 7."""
    refused = way(registry, fresh(), digest)

    assert (refused.status, refused.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_chunk_out_of_order_is_refused_and_the_session_goes_on(registry: Server, method: str) -> None:
    """Rule 5."""
    data = fresh(4000)
    digest = digest_of(data)
    session = chunk(registry, begin(registry), data[:1000], 0)["location"]
    target = session if method == "PATCH" else f"{session}?digest={digest}"

    for start in (2000, 0, 999, 10**15):
        refused = chunk(registry, target, data[2000:3000], start, method)
        assert (refused.status, refused.code) == (416, "BLOB_UPLOAD_INVALID")
        assert refused["range"] == "0-999"
        assert refused["location"]

    status = registry.ask("GET", session)
    assert (status.status, status.body) == (204, b"")
    assert status["range"] == "0-999"
    assert chunk(registry, status["location"], data[1000:], 1000).status == 202
    assert registry.ask("PUT", f"{session}?digest={digest}").status == 201


def test_the_status_of_a_new_session_is_told_too(registry: Server) -> None:
    """Rule 5: nothing has come yet, and the range is ``0-0`` as other registries say it."""
    status = registry.ask("GET", begin(registry))

    assert (status.status, status["range"]) == (204, "0-0")


@pytest.mark.parametrize("said", ["5", "9-5", "a-b", "-1-5", "0-", "bytes 0-9/10/10", "0-99999999999999999999", "0-9\t,10-19"])
def test_a_content_range_that_cannot_be_read_is_refused(registry: Server, said: str) -> None:
    """Rule 4."""
    refused = registry.ask("PATCH", begin(registry), b"x" * 10, {**OCTETS, "Content-Range": said})

    assert (refused.status, refused.code) == (400, "BLOB_UPLOAD_INVALID")


@pytest.mark.parametrize("sent", [5, 15])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_chunk_that_is_not_as_long_as_it_says_is_taken_back(registry: Server, sent: int, streamed: bool) -> None:
    """Rule 4."""
    session = begin(registry)
    body = iter([b"x" * sent]) if streamed else b"x" * sent

    refused = registry.ask("PATCH", session, body, {**OCTETS, "Content-Range": "0-9"})

    assert (refused.status, refused.code) == (400, "SIZE_INVALID")
    assert registry.ask("GET", session)["range"] == "0-0"
    assert chunk(registry, session, b"y" * 10, 0).status == 202


def test_chunks_of_any_size_are_taken(registry: Server) -> None:
    """Rule 6: there is no least length, so none is said."""
    session = registry.ask("POST", START)

    assert session.get("oci-chunk-min-length") is None
    assert [chunk(registry, session["location"], b"x", at).status for at in range(3)] == [202, 202, 202]


def test_a_session_can_be_cancelled(registry: Server) -> None:
    """Rule 10."""
    session = begin(registry)

    assert registry.ask("DELETE", session).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        gone = registry.ask(method, session)
        assert (gone.status, gone.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_session_is_over_when_its_blob_is_there(registry: Server) -> None:
    data = fresh()
    session = begin(registry)
    assert registry.ask("PUT", f"{session}?digest={digest_of(data)}", data).status == 201

    again = registry.ask("PUT", f"{session}?digest={digest_of(data)}", data)

    assert (again.status, again.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_the_algorithm_can_be_said_at_the_start(registry: Server) -> None:
    """Rule 14."""
    data = fresh(2_500_000)
    session = begin(registry, "?digest-algorithm=sha512")
    session = chunk(registry, session, data[:2_000_000], 0)["location"]

    done = registry.ask("PUT", f"{session}?digest={digest_of(data, 'sha512')}", data[2_000_000:], OCTETS)

    assert done.status == 201
    assert registry.ask("GET", done["location"]).body == data
    unknown = registry.ask("POST", f"{START}?digest-algorithm=md5")
    assert (unknown.status, unknown.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("source", ["conformance/source", None, "docker/library/held"])
def test_a_blob_that_another_repository_has_is_mounted(registry: Server, source: str | None, pulled_through: object) -> None:
    """Rule 9: with ``from``, and without; also the layers of a base image that was pulled through."""
    if source == "docker/library/held":
        data = pulled_through.image.layer  # type: ignore[attr-defined]
        registry.ask("GET", "/v2/library/held/manifests/latest")
        blob_of_the_flight(registry, data)
    else:
        data = fresh()
        push_blob(registry, "conformance/source", data)
    place = "" if source is None else f"&from={source}"

    done = registry.ask("POST", f"/v2/conformance/mounted/blobs/uploads/?mount={digest_of(data)}{place}")

    assert done.status == 201
    assert done["docker-content-digest"] == digest_of(data)
    assert registry.ask("GET", done["location"]).body == data


def blob_of_the_flight(server: Server, data: bytes) -> None:
    """The scripted upstream stores nothing: what the fetcher would have committed is put where it belongs."""
    path = server.folder / "blobs" / "sha256" / digest_of(data)[7:9] / digest_of(data)[7:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_what_cannot_be_mounted_can_be_uploaded_in_the_same_session(registry: Server) -> None:
    """Rule 9: 202 and a working session, never 404."""
    data = fresh()

    for source in ("&from=conformance/source", "&from=conformance/nowhere", ""):
        session = registry.ask("POST", f"{START}?mount={digest_of(data)}{source}")
        assert session.status == 202
        data_session = session["location"]
    assert registry.ask("PUT", f"{data_session}?digest={digest_of(data)}", data).status == 201


@pytest.mark.parametrize("source", ["..", "a//b", "A", "x" * 300, "%2e%2e"])
def test_a_source_that_is_no_name_is_refused(registry: Server, source: str) -> None:
    refused = registry.ask("POST", f"{START}?mount={digest_of(b'')}&from={source}")

    assert (refused.status, refused.code) == (400, "NAME_INVALID")


def test_a_session_belongs_to_its_repository(registry: Server) -> None:
    session = begin(registry).rpartition("/")[2]

    for method in ("GET", "PATCH", "PUT", "DELETE"):
        refused = registry.ask(method, f"/v2/conformance/other/blobs/uploads/{session}?digest={digest_of(b'')}")
        assert (refused.status, refused.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.ask("GET", START + session).status == 204


@pytest.mark.parametrize("session", ["0" * 32, "..", "a", "latest", "x" * 300, "A" * 32, "." * 32])
def test_a_session_cannot_be_guessed_and_its_id_is_no_path(registry: Server, session: str) -> None:
    refused = registry.ask("PATCH", START + session, b"x")

    assert (refused.status, refused.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert re.fullmatch(r"[0-9a-f]{32}", begin(registry).rpartition("/")[2])


def test_several_workers_serve_the_chunks_of_one_upload(registry: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = fresh(600_000)
    with serving(tmp_path_factory.mktemp("workers") / "data", workers=2) as server:
        session = begin(server)
        for start in range(0, len(data), 20_000):
            assert chunk(server, session, data[start : start + 20_000], start).status == 202
        done = server.ask("PUT", f"{session}?digest={digest_of(data)}")
        assert done.status == 201
        assert server.ask("GET", done["location"]).body == data


def test_two_requests_of_one_session_do_not_mix_their_bytes(registry: Server) -> None:
    """The second waits for the first, and is refused then, since its place is taken."""
    session, go_on = begin(registry), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"a" * 1000
        go_on.wait()
        time.sleep(0.3)
        yield b"a" * 1000

    answers: list[Response] = []
    first = threading.Thread(target=lambda: answers.append(registry.ask("PATCH", session, slowly(), OCTETS)))
    first.start()
    wait_for_lock(registry.folder / "uploads" / session.rpartition("/")[2])
    go_on.set()
    second = chunk(registry, session, b"b" * 1000, 0)
    first.join()

    assert answers[0].status == 202
    assert (second.status, second["range"]) == (416, "0-1999")
    assert registry.ask("PUT", f"{session}?digest={digest_of(b'a' * 2000)}").status == 201


def wait_for_lock(file: Path) -> None:
    """Until a request is at the file."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with file.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        time.sleep(0.01)


def test_what_came_before_a_client_left_stays(registry: Server) -> None:
    session = begin(registry)
    head = f"PATCH {session} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n".encode()

    registry.raw(head + b"x" * 3000, timeout=0.3)

    end = time.monotonic() + 10
    while (status := registry.ask("GET", session))["range"] == "0-0" and time.monotonic() < end:
        time.sleep(0.05)
    assert status["range"] == "0-2999"
    assert chunk(registry, session, b"x" * 2000, 3000).status == 202
    assert registry.ask("PUT", f"{session}?digest={digest_of(b'x' * 5000)}").status == 201
