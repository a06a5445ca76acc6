"""A running mirror between strangers and hostile upstreams: what it must not fetch, tell, follow or keep."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hub import docker_hub, ecr_public, small_image
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.handles import Hub
from unhub.demo.images import Document, Image, digest_of
from unhub.demo.settings import Account

PASSWORD = "correct-horse-battery-staple"
ACCOUNT = Account(name="builder", password=PASSWORD, private=("team/*",))
PUBLIC, PRIVATE = small_image("public"), small_image("private")


@contextmanager
def site(folder: Path, text: str = "", **settings: object) -> Generator[tuple[Hub, Hub, Mirror]]:
    """A mirror with a login that may read a private repository, between the stand-ins; ``text`` is for its settings."""
    (folder / "password").write_text(PASSWORD)
    with docker_hub(images=(), accounts=(ACCOUNT,), **settings) as hub, ecr_public(images=()) as ecr:
        hub.add(PUBLIC, "library/app:1")
        hub.add(PRIVATE, "team/secret:1", private=True)
        config = folder / "unhub.toml"
        config.write_text(
            f'[upstream.docker]\nurl = "{hub.url}"\nusername = "builder"\npassword-file = "password"\nhold = 3\n{text}'
            f'[[upstream.docker.fallback]]\nurl = "{ecr.url}/docker"\nrepositories = ["*"]\n'
        )
        with running_mirror(folder, None, arguments=("--config", config)) as mirror:
            yield hub, ecr, mirror


@contextmanager
def plain(folder: Path) -> Generator[tuple[Hub, Mirror]]:
    """A mirror that holds clients for a moment only, before one upstream."""
    with docker_hub(images=()) as hub:
        hub.add(PUBLIC, "library/app:1")
        config = folder / "unhub.toml"
        config.write_text(f'[upstream.docker]\nurl = "{hub.url}"\nhold = 2\nfallback = []\n')
        with running_mirror(folder, None, arguments=("--config", config)) as mirror:
            yield hub, mirror


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Hub, Hub, Mirror]]:
    with site(tmp_path_factory.mktemp("mirror")) as made:
        yield made


def test_private_content_leaks_by_no_door(place: tuple[Hub, Hub, Mirror]) -> None:
    """The mirror's login may read it; nobody who asks the mirror may, and no fallback hears its name."""
    _, ecr, mirror = place
    layer = PRIVATE.layers[0]
    names = (("team/secret", ""), ("docker/team/secret", ""), ("docker.io/team/secret", ""), ("team/secret", "?ns=docker.io"))
    kinds = ("manifests/1", f"manifests/{PRIVATE.digest}", f"blobs/{layer}", "tags/list", f"referrers/{PRIVATE.digest}")
    paths = [f"{name}/{kind}{query}" for name, query in names for kind in kinds]
    for path in paths:
        for method in ("GET", "HEAD"):
            said = mirror.get(f"/v2/{path}", method, Range="bytes=0-9")
            assert said.status == 404 or (said.status == 200 and "referrers" in path and (method == "HEAD" or said.json["manifests"] == []))
    for source in ("&from=team/secret", "&from=docker/team/secret", ""):
        assert mirror.get(f"/v2/local/x/blobs/uploads/?mount={layer}{source}", "POST").status == 202
    for name in ("library/app", "local/x"):
        assert mirror.get(f"/v2/{name}/blobs/{layer}").status == 404
        assert mirror.get(f"/v2/{name}/manifests/{PRIVATE.digest}").status == 404
    assert not [one for one in ecr.requests if "secret" in one.path]
    assert not list((mirror.data / "blobs").rglob(layer.partition(":")[2]))


def test_what_is_public_is_served_with_the_login(place: tuple[Hub, Hub, Mirror]) -> None:
    _, _, mirror = place
    said = mirror.get("/v2/library/app/manifests/1")
    assert digest_of(said.body) == PUBLIC.digest
    assert digest_of(mirror.get(f"/v2/library/app/blobs/{PUBLIC.layers[0]}").body) == PUBLIC.layers[0]


def test_other_namespaces_are_asked_nowhere(place: tuple[Hub, Hub, Mirror]) -> None:
    """Whoever can name any host makes the mirror ask it: an open proxy into the operator's network."""
    hub, ecr, mirror = place
    with trap() as (address, asked):
        hub.forget()
        ecr.forget()
        for namespace in (
            address,
            "127.0.0.1",
            "169.254.169.254",
            "evil.example",
            "http://evil.example",
            "docker.io@evil.example",
            "DOCKER.IO",
            "",
        ):
            for what in ("manifests/1", "tags/list", f"blobs/{PUBLIC.layers[0]}"):
                assert mirror.get(f"/v2/library/other/{what}?ns={namespace}").status == 404
        assert mirror.get(f"/v2/{address}/library/app/manifests/1").status in (400, 404)
        assert asked == []
    assert hub.requests == ()
    assert ecr.requests == ()


def test_urls_of_foreign_layers_are_never_asked(place: tuple[Hub, Hub, Mirror]) -> None:
    hub, _, mirror = place
    with trap() as (address, asked):
        layer = {
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": digest_of(b"elsewhere"),
            "size": 9,
            "urls": [f"http://{address}/layer", f"https://{address}/layer"],
        }
        config = b"{}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest_of(config), "size": 2},
            "layers": [layer],
        }
        data = json.dumps(manifest).encode()
        root = Document(manifest["mediaType"], data, digest_of(data))  # type: ignore[arg-type]
        hub.add(Image(root, (root,), {digest_of(config): config}), "library/windows:1")
        assert mirror.get("/v2/library/windows/manifests/1").status == 200
        assert mirror.get(f"/v2/library/windows/blobs/{layer['digest']}").status == 404
        assert asked == []


def test_a_hostile_realm_gets_no_login_through_the_mirror(tmp_path: Path) -> None:
    """The registry's own host on loopback would be trusted; another address is not, whatever it is called."""
    for realm in ("https://evil.example/token", "http://169.254.169.254/token", "https://builder:x@evil.example/token"):
        with site(tmp_path, realm=realm) as (hub, _, mirror):
            said = mirror.get("/v2/library/app/manifests/1")
            assert said.status == 503
            assert "Retry-After".lower() in said.headers
            assert hub.asked(kind="token") == ()
            assert {one.authorization for one in hub.requests} == {""}
            assert PASSWORD not in said.body.decode()


def test_a_redirect_into_the_metadata_service_is_not_followed(tmp_path: Path) -> None:
    with plain(tmp_path) as (hub, mirror):
        assert mirror.get("/v2/library/app/manifests/1").status == 200
        for target in (
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "https://[fe80::1]/",
            "file:///etc/passwd",
            "//evil.example",
        ):
            hub.fault("redirect", path="/v2/*/blobs/*", count=None, to=target)
            said = mirror.get(f"/v2/library/app/blobs/{PUBLIC.layers[0]}")
            assert said.status == 503
            assert b"root:" not in said.body
            hub.clear_faults()


def test_content_that_is_not_its_digest_is_neither_served_nor_kept(tmp_path: Path) -> None:
    """By digest, by a tag whose header says otherwise, and for layers."""
    with plain(tmp_path) as (hub, mirror):
        hub.fault("headers", path="/v2/*/manifests/1", count=None, headers={"Docker-Content-Digest": digest_of(b"other")})
        hub.fault("wrong-bytes", path="/v2/*/manifests/sha256:*", count=None)
        assert mirror.get(f"/v2/library/app/manifests/{PUBLIC.digest}").status == 503
        assert mirror.get("/v2/library/app/manifests/1").status in (404, 503)
        hub.clear_faults()
        said = mirror.get(f"/v2/library/app/manifests/{PUBLIC.digest}")
        assert (said.status, digest_of(said.body)) == (200, PUBLIC.digest)


def test_nothing_is_unpacked_on_its_way(tmp_path: Path) -> None:
    """Layers are gzip themselves: they come as they are, whatever the client takes; what an upstream packed once more is refused."""
    with plain(tmp_path) as (hub, mirror):
        assert mirror.get("/v2/library/app/manifests/1").status == 200
        hub.fault("headers", site="cdn", count=None, headers={"Content-Encoding": "gzip"})
        assert mirror.get(f"/v2/library/app/blobs/{PUBLIC.layers[0]}").status == 503
        hub.clear_faults()
        wait_until(lambda: mirror.get(f"/v2/library/app/blobs/{PUBLIC.layers[0]}", "HEAD").status == 200, 20)
        said = mirror.get(f"/v2/library/app/blobs/{PUBLIC.layers[0]}", Accept_Encoding="gzip, br")
        assert digest_of(said.body) == PUBLIC.layers[0]
        assert "content-encoding" not in said.headers


def test_answers_of_an_upstream_are_bounded(tmp_path: Path) -> None:
    """Tokens, manifests, lists, errors: of each only as much is read as makes sense."""
    with plain(tmp_path) as (hub, mirror):
        assert mirror.get("/v2/library/app/manifests/1").status == 200
        before = memory_of(mirror)
        for site_, path, asked in (
            ("token", "*", "/v2/library/other/manifests/1"),
            ("registry", "/v2/*/manifests/*", f"/v2/library/app/manifests/{digest_of(b'x')}"),
            ("registry", "/v2/*/tags/list", "/v2/library/app/tags/list"),
            ("registry", "/v2/*/referrers/*", f"/v2/library/app/referrers/{PUBLIC.digest}"),
        ):
            hub.fault("oversize", site=site_, path=path, count=None, bytes=80_000_000)
            assert mirror.get(asked).status in (200, 404, 503)
            hub.clear_faults()
        hub.fault("status", site="registry", count=None, status=500, text="x" * 50_000_000)
        assert mirror.get("/v2/library/third/manifests/1").status == 503
        assert memory_of(mirror) - before < 64 * 1024 * 1024


def test_a_huge_page_costs_nothing(place: tuple[Hub, Hub, Mirror]) -> None:
    _, _, mirror = place
    before = memory_of(mirror)
    for n in ("-1", "0", "2147483648", "9223372036854775808", "abc", "9" * 400, "1e9", "%00"):
        for path in ("_catalog", "library/app/tags/list", f"library/app/referrers/{PUBLIC.digest}"):
            assert mirror.get(f"/v2/{path}?n={n}").status in (200, 400)
    assert memory_of(mirror) - before < 16 * 1024 * 1024


def test_no_answer_sends_anybody_elsewhere(place: tuple[Hub, Hub, Mirror]) -> None:
    """No redirect leaves this server, whatever host or path a client names."""
    _, _, mirror = place
    for path in (
        "//evil.example/",
        "/\\evil.example",
        "/v2//evil.example/manifests/1",
        "/?next=https://evil.example",
        "/v2",
        "/_unhub",
        "/_unhub//evil.example",
    ):
        said = mirror.get(path, Host="evil.example")
        assert said.status not in range(300, 400)
    said = mirror.get("/v2/local/x/blobs/uploads/", "POST", Host="evil.example")
    assert said.headers["location"].startswith("/v2/local/x/blobs/uploads/")


def memory_of(mirror: Mirror) -> int:
    """Resident bytes of its workers and its fetcher."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for name, pid in mirror.processes.items() if name != "supervisor"]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def trap() -> Generator[tuple[str, list[bytes]]]:
    """A port that nobody should ask; what was asked is in the list."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        ending = threading.Event()

        def listen() -> None:
            while not ending.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    asked.append(connection.recv(1000))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            ending.set()
            thread.join()
