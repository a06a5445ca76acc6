"""What strangers send (security-lessons.md): nothing is allocated, read, written or answered that should not be."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.protocol.conftest import Held
from tests.protocol.content import digest_of, fresh, image, push, push_blob, put_manifest
from tests.protocol.serving import Server, serving

OUTSIDE = [
    "/v2/../../etc/passwd",
    "/v2/conformance/../../../etc/passwd/manifests/latest",
    "/v2/conformance/%2e%2e/%2e%2e/manifests/latest",
    "/v2/conformance/held/blobs/sha256:../../../../etc/passwd",
    "/v2/conformance/held/blobs/sha256%3A" + "0" * 64,
    "/v2/conformance/held/blobs/uploads/../../../unhub.db",
    "/v2/conformance/held/manifests/..",
    "/v2/conformance/held/manifests/%2e%2e",
    "/v2/conformance/held/manifests/latest%00",
    "/v2/conformance/held%00/manifests/latest",
    "/v2/conformance/he%6cd/manifests/latest",
    "/v2/conformance/held/manifests/la%74est",
    "/v2/conformance\\held/manifests/latest",
    "/v2/conformance/held/manifests/latest;x=y",
    "/v2/" + "a/" * 5000 + "manifests/latest",
    "/v2/" + "a" * 100_000 + "/manifests/latest",
    "/v2/conformance/held/manifests/sha256:" + "0" * 5000,
    "//v2/conformance/held/manifests/latest",
    "/v2//conformance/held/manifests/latest",
]


@pytest.mark.parametrize("path", OUTSIDE, ids=range(len(OUTSIDE)))
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_paths_that_lead_outside_are_refused(own: Held, method: str, path: str) -> None:
    before = everything(own.server.folder / "uploads")

    answer = own.server.raw(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    status = int(answer.split(b" ", 2)[1])
    assert status in (400, 404, 414, 431)
    assert b"root:" not in answer
    assert everything(own.server.folder / "uploads") == before
    assert own.server.ask("GET", own.path("manifests", "latest")).body == own.image.manifest


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*")) if folder.exists() else set()


def test_links_that_somebody_laid_are_not_followed_by_names(own: Held) -> None:
    """No repository is a folder: a name never becomes a path."""
    folder = own.server.folder / "conformance"
    if not folder.exists():
        folder.symlink_to("/etc")

    assert own.server.ask("GET", "/v2/conformance/passwd/manifests/latest").status == 404


INJECTIONS = ["latest%0d%0aX-Evil:%201", "latest\tX-Evil:1", "a\rX-Evil:1"]


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize(
    "place", ["manifests/{}", "tags/list?n=1&last={}", "manifests/latest?ns={}", "blobs/uploads/?mount={}", "referrers/{}"]
)
def test_nothing_that_is_sent_makes_a_header(own: Held, place: str, text: str) -> None:
    for method in ("GET", "POST"):
        request = f"{method} /v2/{own.name}/{place.format(text)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        head = own.server.raw(request.encode()).partition(b"\r\n\r\n")[0]
        assert b"\nx-evil" not in head.lower()


def test_texts_of_others_make_no_header(registry: Server) -> None:
    """The reason of a refusal comes from upstreams too: ``Warning`` is one line of ASCII, 4,096 bytes at most (rule 26)."""
    from unhub.server.distribution.answers import WARNING_MAX, stale_warning

    name, value = stale_warning(25_000.0, 'evil"\r\nX-Evil: 1\x00 näh ' + "x" * 10_000)

    assert name == b"warning"
    assert value.startswith(b'299 - "served stale, age 7h: evil')
    assert value.endswith(b'"')
    assert len(value) <= WARNING_MAX
    assert value.count(b'"') == 2
    assert all(32 <= byte < 127 for byte in value)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_bodies_that_nobody_asked_for_are_not_read(own: Held, method: str) -> None:
    request = f"{method} {own.path('manifests', 'none')} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"

    answer = own.server.raw(request.encode() + b"x" * 1000, timeout=5)

    assert answer.startswith(b"HTTP/1.1 404 ")


ROUTES = ["manifests/latest", "blobs/uploads/", "blobs/uploads/?digest=" + digest_of(b"x"), "blobs/uploads/?mount=" + digest_of(b"x")]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["conformance/bounded", "library/held"])
def test_memory_stays_the_same_whatever_is_sent(tmp_path_factory: pytest.TempPathFactory, route: str, name: str) -> None:
    """zot #3977: a body without an end, in chunks, on every route that takes one."""
    with serving(tmp_path_factory.mktemp("bounded") / "data", BLOB_SIZE=str(16 * 1024 * 1024)) as server:
        server.ask("GET", "/v2/")
        method = "PUT" if route.startswith("manifests") else "POST"
        head = f"{method} /v2/{name}/{route} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        before = memory_of(server)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head)
            sent = 0
            try:
                for _ in range(64):
                    connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
                    sent += 0x100000
            except OSError:
                pass
        assert memory_of(server) - before < 48 * 1024 * 1024
        files = [path for path in (server.folder / "uploads").glob("*") if path.stat().st_size > 0]
        assert sum(path.stat().st_size for path in files) <= 17 * 1024 * 1024
        assert server.ask("GET", "/v2/").status == 200


def memory_of(server: Server) -> int:
    """Bytes of all processes that listen for the server."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"--port\0{server.port}\0".encode() in (folder / "cmdline").read_bytes():
                total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def test_a_blob_over_the_cap_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("capped") / "data", BLOB_SIZE="1000") as server:
        start = "/v2/local/capped/blobs/uploads/"
        exact, more = b"x" * 1000, b"x" * 1001
        assert server.ask("POST", f"{start}?digest={digest_of(exact)}", exact).status == 201
        refused = server.ask("POST", f"{start}?digest={digest_of(more)}", more)
        assert (refused.status, refused.code) == (413, "SIZE_INVALID")
        session = server.ask("POST", start)["location"]
        assert server.ask("PATCH", session, exact).status == 202
        assert server.ask("PATCH", session, b"x").status == 413
        assert server.ask("GET", session)["range"] == "0-999"


@pytest.mark.parametrize("query", ["n=1&" * 300, "last=" + "x" * 60_000, "last=%ff%fe", "last=%zz", "artifactType=%00"])
def test_queries_are_bounded(own: Held, query: str) -> None:
    for path in ("tags/list", f"referrers/{own.image.digest}"):
        got = own.server.ask("GET", f"/v2/{own.name}/{path}?{query}")
        assert got.status in (200, 400, 414, 431)


LENGTHS = ["-1", "abc", "1e9", "9" * 30, "1, 2"]


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths_that_are_none_are_refused(own: Held, length: str) -> None:
    session = own.server.ask("POST", f"/v2/{own.name}/blobs/uploads/")["location"]

    answer = own.server.raw(f"PATCH {session} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\nx".encode(), timeout=5)

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_two_lengths_are_refused(own: Held) -> None:
    """Request smuggling: length and chunks, or two lengths."""
    path = own.path("manifests", "smuggled")
    for headers in ("Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked"):
        answer = own.server.raw(
            f"PUT {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\nGET /v2/ HTTP/1.1\r\n\r\n".encode(), timeout=3
        )
        assert answer.count(b"HTTP/1.1 200") == 0


def test_slow_clients_hold_up_nobody(own: Held) -> None:
    """Slow-loris: many connections that say little; others are served meanwhile, and a body that stalls is bounded in time."""
    held: list[socket.socket] = []
    try:
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", own.server.port), timeout=5)
            connection.sendall(
                b"GET /v2/ HT" if number % 2 else b"PUT /v2/conformance/slow/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"
            )
            held.append(connection)
        start = time.monotonic()
        for _ in range(20):
            assert own.server.ask("GET", own.path("manifests", "latest")).status == 200
        assert time.monotonic() - start < 10
    finally:
        for connection in held:
            connection.close()


def test_a_body_that_stalls_is_not_waited_for_for_ever() -> None:
    import asyncio

    from unhub.image.errors import ServeError
    from unhub.server.distribution.body import pieces

    async def receive() -> dict[str, object]:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def read() -> list[bytes]:
        return [piece async for piece in pieces(receive, patience=0.01)]

    with pytest.raises(ServeError, match="cannot wait any longer") as caught:
        asyncio.run(read())
    assert caught.value.status == 408


def basic(password: str, user: str = "ci") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


WRITES = [
    ("POST", "blobs/uploads/"),
    ("POST", f"blobs/uploads/?digest={digest_of(b'')}"),
    ("PUT", "manifests/latest"),
    ("DELETE", "manifests/latest"),
    ("DELETE", f"blobs/{digest_of(b'')}"),
    ("GET", "blobs/uploads/" + "0" * 32),
    ("PATCH", "blobs/uploads/" + "0" * 32),
    ("DELETE", "blobs/uploads/" + "0" * 32),
]


def test_with_a_push_password_only_who_knows_it_pushes_and_everybody_pulls(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("password") / "data", PASSWORD="käse", LOOPBACK="0") as server:
        for method, path in WRITES:
            for headers in (
                {},
                basic("wrong"),
                basic(""),
                {"Authorization": "Bearer käse".encode().decode("latin-1")},
                {"Authorization": "Basic !"},
            ):
                refused = server.ask(method, f"/v2/local/app/{path}", b"" if method in ("PUT", "POST") else None, headers)
                assert (refused.status, refused.code) == (401, "UNAUTHORIZED")
                assert refused["www-authenticate"].startswith("Bearer realm=")
                assert "käse" not in refused.body.decode()
        data = fresh()
        done = server.ask("POST", f"/v2/local/app/blobs/uploads/?digest={digest_of(data)}", data, basic("käse"))
        assert done.status == 201
        assert server.ask("GET", done["location"]).body == data
        session = server.ask("POST", "/v2/local/app/blobs/uploads/", headers=basic("käse", "one"))["location"]
        other = server.ask("GET", session, headers=basic("käse", "two"))
        assert (other.status, other.code) == (404, "BLOB_UPLOAD_UNKNOWN"), "a session belongs to who began it"


def test_where_there_is_a_push_password_v2_offers_a_token_and_reads_want_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Docker, podman and skopeo learn how to log in from ``/v2/`` alone (tests/clients); strangers must pull all the same."""
    with serving(tmp_path_factory.mktemp("tokens") / "data", PASSWORD="secret", LOOPBACK="0") as server:
        asked = server.ask("GET", "/v2/")
        assert (asked.status, asked.code) == (401, "UNAUTHORIZED")
        assert asked["www-authenticate"] == f'Bearer realm="http://127.0.0.1:{server.port}/token",service="unhub"'
        assert server.ask("GET", "/v2/", headers={"Authorization": "Bearer anonymous"}).status == 200
        assert server.ask("GET", "/v2/", headers=basic("secret", "ci")).status == 200
        assert server.ask("GET", "/v2/", headers=basic("wrong", "ci")).status == 401
        data = b"seen by all"
        digest = digest_of(data)
        done = server.ask("POST", f"/v2/local/app/blobs/uploads/?digest={digest}", data, headers=basic("secret", "ci"))
        assert done.status == 201
        for headers in ({}, {"Authorization": "Bearer anonymous"}, {"Authorization": "Bearer of.nobody"}):
            assert server.ask("GET", f"/v2/local/app/blobs/{digest}", headers=headers).status == 200
            refused = server.ask("POST", "/v2/local/app/blobs/uploads/", headers=headers)
            assert refused.status == 401
            assert 'scope="repository:local/app:pull,push"' in refused["www-authenticate"]


def test_without_a_password_nobody_pushes_from_other_machines(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("closed") / "data", LOOPBACK="0") as server:
        for method, path in WRITES:
            refused = server.ask(method, f"/v2/local/app/{path}", b"" if method in ("PUT", "POST") else None)
            assert (refused.status, refused.code) == (403, "DENIED")
            assert "--push-password-file" in refused.body.decode()


def test_no_answer_is_meant_for_scripts_of_other_origins(own: Held) -> None:
    for method, path in (("GET", own.path("manifests", "latest")), ("GET", "/v2/"), ("HEAD", own.path("manifests", "none"))):
        got = own.server.ask(method, path, headers={"Origin": "https://evil.example"})
        assert not [name for name in got.headers if name.startswith("access-control")]


def test_many_at_once_are_all_answered_right(own: Held) -> None:
    """Pushes and pulls of everything at the same time: each gets its own."""
    wrong: list[str] = []

    def work(number: int) -> None:
        pushed = image()
        push(own.server, f"conformance/busy-{number % 3}", pushed, f"tag-{number}")
        got = own.server.ask("GET", f"/v2/conformance/busy-{number % 3}/manifests/tag-{number}")
        if got.body != pushed.manifest:
            wrong.append(f"manifest {number}")
        blob = own.server.ask("GET", f"/v2/conformance/busy-{number % 3}/blobs/{digest_of(pushed.layer)}")
        if blob.body != pushed.layer:
            wrong.append(f"blob {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_upload_that_is_left_alone_is_forgotten(tmp_path: Path) -> None:
    """``Push.clean``: rows, files, and files whose process died; what is younger stays."""
    import asyncio

    from unhub.image.errors import ServeError
    from unhub.mirror.memory import Memory
    from unhub.mirror.push import Push
    from unhub.store.blobs_filesystem import FilesystemBlobs
    from unhub.store.records import RepositoryKey
    from unhub.store.sql.metadata import SqlMetadata
    from unhub.store.sql.upgrade import upgrade

    key, now = RepositoryKey("local", "app"), [1000.0]
    upgrade(f"sqlite:///{tmp_path}/unhub.db")

    async def story() -> None:
        metadata = SqlMetadata(f"sqlite:///{tmp_path}/unhub.db")
        push = Push(metadata, FilesystemBlobs(tmp_path / "blobs"), tmp_path / "uploads", Memory(), now=lambda: now[0])
        old = await push.uploads.begin(key, "anonymous")
        orphan = tmp_path / "uploads" / ("f" * 32)
        orphan.touch()
        for path in (orphan, tmp_path / "uploads" / old.id):
            os.utime(path, (1000, 1000))
        now[0] = 90_000.0
        young = await push.uploads.begin(key, "anonymous")
        assert await push.clean(before=80_000.0) == 2
        assert sorted(path.name for path in (tmp_path / "uploads").iterdir()) == [young.id]
        with pytest.raises(ServeError):
            await push.uploads.status(key, "anonymous", old.id)
        assert (await push.uploads.status(key, "anonymous", young.id)).offset == 0
        await metadata.close()

    asyncio.run(story())


def test_a_name_that_only_looks_like_another_is_another(registry: Server) -> None:
    """Own names and Docker Hub's never meet."""
    digest = push_blob(registry, "local/a/b", fresh())

    for name in ("a/b", "docker/local/a/b", "docker.io/local/a/b", "local/a"):
        assert registry.ask("GET", f"/v2/{name}/blobs/{digest}").status == 404
    assert put_manifest(registry, "local", "latest", image().manifest).status == 405
