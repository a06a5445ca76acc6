"""The operators' API of a running mirror: who may ask, and that what is said holds for all workers, doors and methods."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import Said, docker_hub, ecr_public
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.handles import Hub

SOON = 1.5
"""Seconds within which every worker has heard of a change (one is promised), on a busy machine."""

CHANGING = ("purge", "block", "unblock", "pin", "unpin", "warm", "reload")
ASKING = ("blocks", "pins", "pulls?digest=sha256:" + "0" * 64)

Site = tuple[Mirror, Hub]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("mirror")
    with docker_hub() as hub, ecr_public() as ecr, running_mirror(folder, hub, ecr, arguments=("--workers", "2")) as mirror:
        yield mirror, hub


def do(mirror: Mirror, action: str, **body: Any) -> Said:
    return mirror.get(f"/_unhub/{action}", "POST", body=json.dumps(body).encode(), Authorization=f"Bearer {mirror.token}")


def see(mirror: Mirror, what: str) -> Any:
    said = mirror.get(f"/_unhub/{what}", Authorization=f"Bearer {mirror.token}")
    assert said.status == 200, said.body
    return said.json


def pulled(mirror: Mirror, name: str = "library/node", tag: str = "20-alpine") -> tuple[str, str, str]:
    """Pull an image; the digests of its index, of one of its manifests, and of a layer."""
    top = mirror.get(f"/v2/{name}/manifests/{tag}")
    child = top.json["manifests"][0]["digest"]
    layer = mirror.get(f"/v2/{name}/manifests/{child}").json["layers"][0]["digest"]
    assert mirror.get(f"/v2/{name}/blobs/{layer}").status == 200
    return top.headers["docker-content-digest"], child, layer


def all_workers(ask: Callable[[], bool]) -> bool:
    """Whether it holds in sixteen connections in a row, which reach both workers."""
    return all(ask() for _ in range(16))


# who may ask


def test_the_status_is_open_on_this_machine_and_nothing_else_is(site: Site) -> None:
    mirror, _ = site
    assert mirror.get("/_unhub/status").status == 200
    for path in (*CHANGING, "nothing", ""):
        said = mirror.get(f"/_unhub/{path}", "POST", body=b"{}")
        assert (said.status, said.headers["www-authenticate"]) == (401, 'Bearer realm="unhub operations"'), path
    for path in ASKING:
        assert mirror.get(f"/_unhub/{path}").status == 401, path


@pytest.mark.parametrize(
    "said", ["Bearer wrong", "Bearer", "Bearer ", "Basic {token}", "{token}", "bearer{token}", "Bearer {token}x", "Bearer {half}"]
)
def test_what_is_no_token_opens_nothing(site: Site, said: str) -> None:
    mirror, _ = site
    value = said.format(token=mirror.token, half=mirror.token[:20])
    assert mirror.get("/_unhub/pins", Authorization=value).status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:5000"},
        {"X_Forwarded_For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
    ],
)
def test_a_page_of_a_stranger_and_a_proxys_clients_do_not_see_the_status(site: Site, headers: dict[str, str]) -> None:
    mirror, _ = site
    assert mirror.get("/_unhub/status", **headers).status == 401
    assert mirror.get("/_unhub/status", Authorization=f"Bearer {mirror.token}", **headers).status == 200


def test_no_page_in_a_browser_may_read_an_answer(site: Site) -> None:
    mirror, _ = site
    said = mirror.get("/_unhub/status", Origin="https://evil.example")
    assert not [name for name in said.headers if name.startswith("access-control")]
    assert mirror.get("/_unhub/purge", "OPTIONS", Origin="https://evil.example").status == 401


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("purge", b""),
        ("purge", b"[]"),
        ("purge", b'{"what": 5}'),
        ("purge", b'{"what": "node:20", "force": true}'),
        ("purge", b'{"what": "NODE:20"}'),
        ("purge", b'{"what": "sha256:abc"}'),
        ("purge", b'{"what": "quay.io/a/b:1"}'),
        ("block", b'{"digest": "sha256:../../etc/passwd", "reason": "x"}'),
        ("block", b'{"digest": "sha256:' + b"0" * 64 + b'", "reason": ""}'),
        ("block", b'{"digest": "sha256:' + b"0" * 64 + b'", "reason": "two\\nlines"}'),
        ("pin", b'{"pattern": ""}'),
        ("pin", b'{"pattern": "node@sha256:' + b"0" * 64 + b'"}'),
        ("warm", b'{"reference": "node:20", "platforms": []}'),
        ("warm", b'{"reference": "no such name!", "platforms": ["all"]}'),
        ("unblock", b"\xff\xfe"),
        ("unblock", b"[" * 60_000),
    ],
)
def test_what_makes_no_sense_is_refused_in_json(site: Site, action: str, body: bytes) -> None:
    mirror, _ = site
    said = mirror.get(f"/_unhub/{action}", "POST", body=body, Authorization=f"Bearer {mirror.token}")
    assert said.status == 400
    assert said.json["schema"] == 1
    assert said.json["error"]["message"]


def test_bodies_are_bounded_methods_are_checked_unknown_paths_are_404(site: Site) -> None:
    mirror, _ = site
    login = f"Bearer {mirror.token}"
    assert mirror.get("/_unhub/purge", "POST", body=b" " * 70_000, Authorization=login).status == 413
    assert mirror.get("/_unhub/purge", Authorization=login).status == 405
    assert mirror.get("/_unhub/warm", Authorization=login).status == 405
    assert mirror.get("/_unhub/status", "DELETE", Authorization=login).status == 405
    assert mirror.get("/_unhub/nothing", Authorization=login).status == 404
    assert mirror.get("/_unhub/status", "HEAD").body == b""


def test_the_token_is_in_no_log(site: Site) -> None:
    mirror, _ = site
    see(mirror, "pins")
    time.sleep(0.3)
    assert mirror.token not in json.dumps(mirror.log) + mirror.stderr


# blocks


@pytest.mark.parametrize("part", [0, 1, 2], ids=["index", "manifest", "layer"])
def test_a_blocked_digest_is_refused_in_every_door_by_every_method_on_every_worker(site: Site, part: int) -> None:
    mirror, _ = site
    digest = pulled(mirror)[part]
    kind = "blobs" if part == 2 else "manifests"
    doors = [
        f"/v2/library/node/{kind}/{digest}",
        f"/v2/node/{kind}/{digest}",
        f"/v2/docker/library/node/{kind}/{digest}",
        f"/v2/docker.io/library/node/{kind}/{digest}",
        f"/v2/library/node/{kind}/{digest}?ns=docker.io",
    ]
    asked: list[tuple[str, str, dict[str, str]]] = [(door, method, {}) for door in doors for method in ("GET", "HEAD")]
    if part == 2:
        asked += [(door, "GET", {"Range": "bytes=0-3"}) for door in doors]
    if part == 0:
        asked += [("/v2/library/node/manifests/20-alpine", "GET", {}), ("/v2/node/manifests/20-alpine?ns=docker.io", "HEAD", {})]
    assert do(mirror, "block", digest=digest, reason="malware, ticket 12").status == 200
    try:
        time.sleep(SOON)
        for path, method, headers in asked:
            for _ in range(4):
                said = mirror.get(path, method, **headers)
                assert said.status == 403, (path, method, headers)
                assert method == "HEAD" or (said.code == "DENIED" and "malware, ticket 12" in said.message)
        if part == 2:
            said = mirror.get(f"/v2/local/app/blobs/uploads/?mount={digest}&from=library/node", "POST")
            assert said.status in (202, 403), "mounting it is no way around: 202 asks for its bytes"
            assert mirror.get(f"/v2/local/app/blobs/{digest}").status == 403
        assert [row["digest"] for row in see(mirror, "blocks")["blocks"]] == [digest]
    finally:
        assert do(mirror, "unblock", digest=digest).json["was_blocked"]
    time.sleep(SOON)
    assert all_workers(lambda: mirror.get(doors[0]).status == 200)
    assert not do(mirror, "unblock", digest=digest).json["was_blocked"]


# purges


def test_a_purged_image_is_asked_for_anew_by_all_workers(site: Site) -> None:
    mirror, hub = site
    _, _, layer = pulled(mirror)
    assert all_workers(lambda: mirror.get("/v2/library/node/manifests/20-alpine").status == 200)
    purged = do(mirror, "purge", what="node:20-alpine").json["purged"]
    assert "docker/library/node:20-alpine" in purged["tags"]
    assert purged["images"] == 1
    assert purged["blobs"] >= 1
    assert not list((mirror.data / "blobs").rglob(layer.partition(":")[2])), "its bytes are under no name any more"
    before = len(hub.requests)
    time.sleep(SOON)
    assert all_workers(lambda: mirror.get("/v2/library/node/manifests/20-alpine").status == 200)
    assert [one for one in hub.requests[before:] if one.method == "HEAD"], "upstream was asked"


def test_a_layer_is_purged_by_its_digest_and_fetched_again_when_asked_for(site: Site) -> None:
    mirror, _ = site
    _, _, layer = pulled(mirror)
    purged = do(mirror, "purge", what=layer).json["purged"]
    assert (purged["images"], purged["blobs"]) == (0, 1)
    time.sleep(SOON)
    assert mirror.get(f"/v2/library/node/blobs/{layer}").status == 200


def test_what_was_pushed_is_not_purged(site: Site) -> None:
    mirror, _ = site
    data = b"pushed"

    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (
        mirror.get(f"/v2/local/app/blobs/uploads/?digest={digest}", "POST", body=data, Content_Type="application/octet-stream").status
        == 201
    )
    for what in ("local/app:1", digest):
        said = do(mirror, "purge", what=what)
        assert said.status == 409
        assert "pushed here" in said.json["error"]["message"]
    assert mirror.get(f"/v2/local/app/blobs/{digest}").body == data


def test_purging_what_is_not_there_removes_nothing(site: Site) -> None:
    mirror, _ = site
    assert do(mirror, "purge", what="nothing:1").json["purged"]["images"] == 0


# pins, pulls, warming, reload


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("node:20", "docker/library/node:20"),
        ("node", "docker/library/node"),
        ("docker/library/node:20", "docker/library/node:20"),
        ("acme/*", "docker/acme/*"),
        ("node:2*", "docker/library/node:2*"),
        ("docker/acme/*", "docker/acme/*"),
        ("*", "*"),
    ],
)
def test_pins_are_kept_as_they_are_compared(site: Site, written: str, kept: str) -> None:
    mirror, _ = site
    assert do(mirror, "pin", pattern=written).json["pattern"] == kept
    assert kept in see(mirror, "pins")["pins"]
    assert do(mirror, "unpin", pattern=written).json == {"schema": 1, "pattern": kept, "was_pinned": True}
    assert not do(mirror, "unpin", pattern=written).json["was_pinned"]


def test_it_is_known_who_pulled_what(site: Site) -> None:
    mirror, _ = site
    digest, _, _ = pulled(mirror, tag="21.7.0-alpine3.19")
    for _ in range(3):
        mirror.get("/v2/node/manifests/21.7.0-alpine3.19")
    wait_until(lambda: sum(row["count"] for row in see(mirror, f"pulls?digest={digest}")["pulls"]) >= 4, 5)
    (row,) = [row for row in see(mirror, f"pulls?digest={digest}")["pulls"] if row["reference"] == "21.7.0-alpine3.19"]
    assert (row["caller"], row["repository"]) == ("127.0.0.1", "docker/library/node")


def test_warming_fetches_whole_images_of_the_wanted_platforms_once(site: Site) -> None:
    mirror, _ = site
    lines = [json.loads(line) for line in do(mirror, "warm", reference="alpine:3.19", platforms=["linux/arm64"]).body.splitlines()]
    assert lines[-1]["outcome"] == "fetched"
    assert lines[-1]["blobs"] >= 2
    again = json.loads(do(mirror, "warm", reference="alpine:3.19", platforms=["linux/arm64"]).body.splitlines()[-1])
    assert (again["outcome"], again["blobs"], again["bytes"]) == ("had", 0, 0)
    missing = json.loads(do(mirror, "warm", reference="alpine:3.19", platforms=["plan9/mips"]).body.splitlines()[-1])
    assert missing["outcome"] == "missing"
    assert "there is no image for plan9/mips, only for linux/amd64" in missing["cause"]


def test_a_reload_is_answered(site: Site) -> None:
    mirror, _ = site
    assert do(mirror, "reload").json == {"schema": 1, "reloading": True}
    wait_until(lambda: mirror.get("/_unhub/status").json["fetcher"] is not None, 15)


def test_the_status_tells_of_cache_budget_and_upstreams(site: Site) -> None:
    mirror, _ = site
    pulled(mirror)
    wait_until(lambda: see(mirror, "status")["fetcher"] is not None, 15)
    status = see(mirror, "status")
    assert 0 < status["fetcher"]["cache"]["used"] < status["fetcher"]["cache"]["cap"]
    assert status["answers"]["store"] > 0
    assert {row["name"] for row in status["fetcher"]["sources"]} >= {"docker.io"}
    assert status["fetcher"]["evictions"]["failure"] is None


def test_the_status_is_told_without_a_fetcher_too(tmp_path: Path) -> None:
    with docker_hub() as hub, running_mirror(tmp_path, hub) as mirror:
        mirror.kill("fetcher")
        assert mirror.get("/_unhub/status").status == 200
