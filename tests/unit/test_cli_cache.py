"""``unhub cache`` and ``unhub status`` on a running mirror: what they print, and with what status they end."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import Ended, process, unhub
from tests.hub import docker_hub, ecr_public
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.cli.amounts import amount, period, share
from unhub.cli.status_text import lines
from unhub.cli.wishes import wishes_of
from unhub.image.errors import UnhubError

COMPOSE = "services:\n  web:\n    image: alpine:3.19\n  built:\n    build: .\n  variable:\n    image: ${IMAGE}\n"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mirror]:
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(tmp_path_factory.mktemp("mirror"), hub, ecr) as running:
        yield running


def ask(mirror: Mirror, *arguments: str, cwd: Path, stdin: bytes = b"") -> Ended:
    return process(*arguments, "--server", mirror.url, "--data", mirror.data, cwd=cwd, stdin=stdin)


def test_warming_takes_what_compose_files_scans_locks_and_lists_name(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    scan = unhub("scan", "--format", "json", "compose.yaml", cwd=tmp_path)
    (tmp_path / "scan.json").write_bytes(scan.out)
    (tmp_path / "images.txt").write_text("# what we build on\nnode:20-alpine\n\nalpine:3.19  # twice\n")
    assert wishes_of(str(tmp_path / "compose.yaml")) == ["docker.io/library/alpine:3.19"]
    assert wishes_of(str(tmp_path / "scan.json")) == ["docker.io/library/alpine:3.19"]
    assert wishes_of(str(tmp_path / "images.txt")) == ["node:20-alpine", "alpine:3.19"]
    ended = ask(mirror, "cache", "warm", "--from", "compose.yaml", "--from", "scan.json", "--platform", "linux/amd64", cwd=tmp_path)
    assert ended.status == 0, ended.err
    (line,) = ended.text.splitlines()
    assert line.startswith("fetched  docker.io/library/alpine:3.19  ")
    ended = ask(mirror, "cache", "warm", "--from", "-", "--format", "json", cwd=tmp_path, stdin=b"alpine:3.19\nnode:20-alpine\n")
    assert {row["reference"]: row["outcome"] for row in ended.json["images"]} == {"alpine:3.19": "had", "node:20-alpine": "fetched"}


def test_a_lock_file_is_read_and_what_names_nothing_is_refused(tmp_path: Path) -> None:
    lock = {"schema": 1, "references": {"docker.io/library/node:20": {"seen": "2026-11-01T00:00:00Z", "digest": "sha256:" + "0" * 64}}}
    (tmp_path / "unhub.lock").write_text(json.dumps(lock))
    assert wishes_of(str(tmp_path / "unhub.lock")) == ["docker.io/library/node:20"]
    for name, text in (("empty.txt", "# nothing\n"), ("wrong.txt", "no such thing!\n"), ("empty.json", '{"findings": []}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(UnhubError, match="cannot"):
            wishes_of(str(tmp_path / name))


def test_what_cannot_be_warmed_is_said_one_by_one(mirror: Mirror, tmp_path: Path) -> None:
    ended = ask(mirror, "cache", "warm", "quay.io/a/b:1", "node:no-such-tag", cwd=tmp_path)
    assert ended.status == 1
    assert "missing  quay.io/a/b:1: cannot find quay.io/a/b:1: quay.io is not pulled through here" in ended.text
    assert ended.text.splitlines()[1].startswith("missing  node:no-such-tag: ")
    assert unhub("cache", "warm", cwd=tmp_path).status == 2


def test_a_warm_cache_waits_for_pulls_that_builds_do_not_need(tmp_path: Path) -> None:
    with docker_hub(limit=2) as hub, running_mirror(tmp_path, hub) as mirror:
        first = ask(mirror, "cache", "warm", "node:20-alpine", cwd=tmp_path)
        ended = ask(mirror, "cache", "warm", "alpine:3.19", cwd=tmp_path)
        outcomes = first.text + ended.text
        assert ended.status == 1
        assert "skipped" in outcomes
        assert "the pull limit of" in outcomes
        assert hub.counts.total <= 1, "half of the limit is left to builds"


def test_blocks_purges_pins_and_pulls_are_told(mirror: Mirror, tmp_path: Path) -> None:
    digest = mirror.get("/v2/library/node/manifests/20-alpine").headers["docker-content-digest"]
    time.sleep(1.5)
    pulls = ask(mirror, "cache", "pulls", digest, cwd=tmp_path)
    assert pulls.text.startswith("127.0.0.1  docker/library/node:20-alpine  ")
    assert ask(mirror, "cache", "pulls", digest, "--format", "json", cwd=tmp_path).json["digest"] == digest
    child = next(row["digest"] for row in mirror.get("/v2/library/node/manifests/20-alpine").json["manifests"])
    layer = mirror.get(f"/v2/library/node/manifests/{child}").json["layers"][0]["digest"]
    wait_until(lambda: f"docker/library/node@{child}  1×" in ask(mirror, "cache", "pulls", layer, cwd=tmp_path).text, 5)
    assert ask(mirror, "cache", "block", digest, "--reason", "ticket 12", cwd=tmp_path).status == 0
    listed = ask(mirror, "cache", "block", cwd=tmp_path)
    assert listed.text.startswith(digest)
    assert listed.text.endswith("ticket 12\n")
    assert "is served again" in ask(mirror, "cache", "unblock", digest, cwd=tmp_path).err
    assert ask(mirror, "cache", "block", digest, cwd=tmp_path).status == 2
    assert "pinned: docker/library/node:20-alpine" in ask(mirror, "cache", "pin", "node:20-alpine", cwd=tmp_path).err
    assert ask(mirror, "cache", "pin", cwd=tmp_path).text == "docker/library/node:20-alpine\n"
    assert "no longer pinned" in ask(mirror, "cache", "unpin", "node:20-alpine", cwd=tmp_path).err
    purged = ask(mirror, "cache", "purge", "node:20-alpine", cwd=tmp_path)
    assert purged.text == "docker/library/node:20-alpine\n"
    assert purged.err.startswith("removed 1 image and ")
    assert "nothing of" in ask(mirror, "cache", "purge", "nothing:1", cwd=tmp_path).err


def test_the_data_folder_of_a_running_server_is_read_and_not_changed(mirror: Mirror, tmp_path: Path) -> None:
    for command in (["fsck"], ["fsck", "--heal"], ["import", "layout.tar"]):
        ended = process("cache", *command, "--data", mirror.data, cwd=tmp_path)
        assert ended.status == 4
        assert "a server holds it" in ended.err
    assert process("cache", "export", "out.tar", "--data", mirror.data, cwd=tmp_path).status == 0


def test_a_folder_without_a_mirror_is_no_traceback(tmp_path: Path) -> None:
    for arguments in (["fsck"], ["export", "out.tar"]):
        ended = unhub("cache", *arguments, "--data", tmp_path / "none", cwd=tmp_path)
        assert ended.status == 2
        assert "cannot find a mirror's data" in ended.err
    ended = unhub("cache", "import", "none.tar", "--data", tmp_path / "new", cwd=tmp_path)
    assert ended.status == 3
    assert "cannot read none.tar" in ended.err


def test_fsck_heals_from_upstream_with_the_servers_own_settings(tmp_path: Path) -> None:
    with docker_hub() as hub:
        with running_mirror(tmp_path, hub) as mirror:
            ask(mirror, "cache", "warm", "node:20-alpine", "--platform", "linux/amd64", cwd=tmp_path)
            data = mirror.data
        (victim, *_) = (path for path in sorted((data / "blobs").rglob("*")) if path.is_file() and ".deleted" not in path.name)
        victim.write_bytes(b"x" + victim.read_bytes()[1:])
        found = process("cache", "fsck", "--data", data, "--upstream", hub.url, cwd=tmp_path)
        assert found.status == 1
        assert found.text == f"damaged blob  sha256:{victim.name}: its bytes are not what its name says\n"
        healed = process("cache", "fsck", "--heal", "--data", data, "--upstream", hub.url, cwd=tmp_path)
        assert healed.status == 0
        assert healed.text.endswith("-> fetched again through docker/library/node\n")
        assert "nothing is wrong" in process("cache", "fsck", "--data", data, cwd=tmp_path).err
        assert process("cache", "fsck", "--data", data, "--format", "json", cwd=tmp_path).json["found"] == []


def test_the_status_says_how_it_is(mirror: Mirror, tmp_path: Path) -> None:
    mirror.get("/v2/library/node/manifests/20-alpine")
    ended = ask(mirror, "status", cwd=tmp_path)
    assert ended.status == 0
    for name in ("cache ", "answers ", "budget ", "upstream ", "fetching "):
        assert any(line.startswith(name) for line in ended.text.splitlines()), ended.text
    assert ask(mirror, "status", "--format", "json", cwd=tmp_path).json["schema"] == 1
    assert ask(mirror, "status", "--watch", "--format", "json", cwd=tmp_path).status == 2


def test_no_mirror_is_said_with_what_to_do(tmp_path: Path) -> None:
    ended = unhub("status", "--server", "http://127.0.0.1:9", cwd=tmp_path)
    assert ended.status == 5
    assert ended.err == (
        "unhub: cannot reach the mirror at http://127.0.0.1:9: Connection refused\n"
        "  Start it with `unhub serve`, or say where it is: --server URL\n"
    )
    assert unhub("status", "--server", "ftp://x", cwd=tmp_path).status == 2
    assert unhub("status", "--server", "http://user:pw@127.0.0.1", cwd=tmp_path).status == 2


def test_the_token_goes_to_no_stranger_in_the_clear(tmp_path: Path) -> None:
    ended = unhub("cache", "pin", "--server", "http://mirror.example:5000", cwd=tmp_path, env={"UNHUB_TOKEN": "s3cret"})
    assert ended.status == 4
    assert "s3cret" not in ended.err
    ended = unhub("cache", "pin", "--server", "http://127.0.0.1:9", cwd=tmp_path, env={"UNHUB_TOKEN": "two words\n1"})
    assert ended.status == 2
    assert "words" not in ended.err


def test_without_the_token_it_is_said_where_it_lies(mirror: Mirror, tmp_path: Path) -> None:
    ended = process("cache", "pin", "--server", mirror.url, "--data", tmp_path, cwd=tmp_path)
    assert ended.status == 5
    assert "it wants its admin token" in ended.err


@contextmanager
def answering(status: int, body: bytes) -> Generator[str]:
    """A server that is no mirror."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (404, b"not found"), (500, b'{"error": "x"}'), (302, b"")])
def test_what_is_no_mirror_is_said_to_be_none(tmp_path: Path, status: int, body: bytes) -> None:
    with answering(status, body) as url:
        ended = unhub("status", "--server", url, cwd=tmp_path)
    assert ended.status == 5
    assert "cannot understand" in ended.err


def test_the_screen_shows_what_is_wrong() -> None:
    fetcher = {
        "cache": {"used": 950, "cap": 1000},
        "evictions": {"images": 3, "bytes": 5_000_000, "failure": "OSError: disk"},
        "budgets": [
            {"upstream": "docker.io", "credential": "builder", "limit": 200, "remaining": 0, "refill_in": 5400.0},
            {"upstream": "quay.io", "credential": "", "limit": None, "remaining": None, "refill_in": None},
        ],
        "sources": [
            {"name": "docker.io", "shut_for": 42.0, "next_slot_in": 0.0, "login": True},
            {"name": "public.ecr.aws/docker", "shut_for": 0.0, "next_slot_in": 3.2, "login": False},
        ],
        "counts": {"per_source": {"public.ecr.aws/docker": 7}, "saved_pulls": 7, "blob_bytes": 3_200_000_000, "blob_mismatches": 1},
        "flights": {"tags": 2, "digests": 0, "blobs": 1},
    }
    status = {"version": "1", "answers": {"store": 60, "fetched": 30, "stale": 10, "refused": 1}, "policy": {"pins": 1}, "fetcher": fetcher}
    shown = "\n".join(lines(status, "http://mirror", colours=False))
    for text in (
        "950 B of 1.0 kB",
        "3 images evicted (5.0 MB), 1 pin",
        "eviction fails: OSError: disk",
        "70 % from the cache of 100",
        "30 fetched, 10 stale, 1 refused",
        "docker.io as builder: 0 of 200 pulls left, full again in 2 h",
        "quay.io: no limit is told",
        "docker.io: left alone for 42 s more, logged in",
        "public.ecr.aws/docker: healthy, next slot in 3 s, 7 manifests",
        "7 pulls saved by fallbacks",
        "2 tags, 1 blob; 3.2 GB of blobs so far",
        "1 blob came with wrong bytes",
    ):
        assert text in shown, shown
    assert "\x1b[" in "\n".join(lines(status, "http://mirror", colours=True))
    away = lines({"fetcher": None, "fetcher_error": "being restarted \x1b[2J"}, "http://mirror", colours=False)
    assert away[-1] == "fetcher   being restarted \\x1b[2J"


def test_amounts_are_said_as_people_say_them() -> None:
    assert [amount(size) for size in (0, 999, 1000, 99_949, 99_950, 3_200_000_000, 10**18)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "99.9 kB",
        "100 kB",
        "3.2 GB",
        "1000.0 PB",
    ]
    assert [period(seconds) for seconds in (0.4, 59, 60, 7200, 200_000)] == ["0 s", "59 s", "1 min", "2 h", "2 d"]
    assert (share(1, 3), share(1, 0)) == ("33 %", "-")
