"""What can go wrong goes wrong on command: with the requests that are meant, as often as was said, and no more."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator

import pytest

from tests.hub import ask, basic, bearer, docker_hub, ecr_public, manifest
from unhub.demo.catalogue import Entry
from unhub.demo.images import bulk_layer, image
from unhub.demo.running import Hub
from unhub.image.errors import UsageError

LAYER = bulk_layer(600_000)
IMAGES = [Entry("library/node", "1", image([LAYER]))]
NODE = "library/node:1"


@pytest.fixture(scope="module")
def shared() -> Iterator[Hub]:
    with docker_hub(images=IMAGES) as hub:
        yield hub


@pytest.fixture
def hub(shared: Hub) -> Iterator[Hub]:
    yield shared
    shared.clear_faults()
    shared.forget()


def blob(hub: Hub) -> str:
    said = ask(f"{hub.url}/v2/library/node/blobs/{LAYER.digest}", Authorization=bearer(hub))
    return said.headers["location"]


def test_a_fault_strikes_as_often_as_was_said(hub: Hub) -> None:
    hub.fault("status", path="*/manifests/*", count=2, after=1)
    assert [manifest(hub, NODE).status for _ in range(5)] == [200, 503, 503, 200, 200]
    assert [record.faults for record in hub.asked(kind="manifest")] == [(), ("status",), ("status",), (), ()]


def test_a_fault_is_for_a_path_a_method_and_a_site(hub: Hub) -> None:
    hub.fault("status", method="HEAD", path="/v2/library/node/*", count=None)
    hub.fault("status", site="token", status=500)
    assert [ask(hub.token_url).status for _ in range(2)] == [500, 200]
    assert (manifest(hub, NODE).status, manifest(hub, NODE, "HEAD").status, ask(f"{hub.url}/v2/", "HEAD").status) == (200, 503, 401)
    hub.clear_faults()
    assert manifest(hub, NODE, "HEAD").status == 200


def test_bodies_are_broken_off(hub: Hub) -> None:
    hub.fault("break", site="cdn", bytes=300_000)
    with pytest.raises(http.client.IncompleteRead) as broken:
        ask(blob(hub))
    assert broken.value.partial == LAYER.data[:300_000]
    assert ask(blob(hub), Range="bytes=300000-").body == LAYER.data[300_000:]
    hub.fault("break", path="*/manifests/*", bytes=10)
    with pytest.raises(http.client.IncompleteRead):
        manifest(hub, NODE)


def test_bodies_end_early_as_if_that_were_all(hub: Hub) -> None:
    hub.fault("truncate", path="*/manifests/*", bytes=10)
    said = manifest(hub, NODE)
    assert (said.status, len(said.body), said.headers["content-length"]) == (200, 10, "10")


def test_bytes_are_wrong_though_the_length_is_right(hub: Hub) -> None:
    hub.fault("wrong-bytes", site="cdn")
    said = ask(blob(hub))
    assert len(said.body) == len(LAYER.data)
    assert sum(one != other for one, other in zip(said.body, LAYER.data, strict=True)) == 1
    assert ask(blob(hub)).body == LAYER.data


def test_a_page_comes_in_the_place_of_json(hub: Hub) -> None:
    hub.fault("html", path="*/manifests/*")
    said = manifest(hub, NODE)
    assert (said.status, said.headers["content-type"]) == (200, "text/html; charset=UTF-8")
    assert said.body.startswith(b"<!DOCTYPE html>")
    hub.fault("html", site="token", status=403)
    assert ask(hub.token_url).status == 403


def test_json_is_garbage(hub: Hub) -> None:
    hub.fault("garbage", site="token")
    with pytest.raises(ValueError):
        json.loads(ask(hub.token_url).body)


def test_answers_drip_and_come_late(hub: Hub) -> None:
    token = bearer(hub)
    hub.fault("drip", path="*/manifests/*", rate=2000)
    hub.fault("delay", path="/v2/", seconds=0.2)
    start = time.monotonic()
    said = ask(f"{hub.url}/v2/library/node/manifests/1", Authorization=token)
    assert time.monotonic() - start > len(said.body) / 2000 * 0.8
    start = time.monotonic()
    ask(f"{hub.url}/v2/")
    assert time.monotonic() - start >= 0.2


def test_connections_are_reset_before_the_answer(hub: Hub) -> None:
    hub.fault("reset", path="/v2/")
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        ask(f"{hub.url}/v2/")
    assert ask(f"{hub.url}/v2/").status == 401


@pytest.mark.parametrize("site", ["registry", "token", "cdn", "api"])
def test_connections_are_refused_for_a_while(hub: Hub, site: str) -> None:
    urls = {"registry": hub.url, "token": hub.token_url, "cdn": hub.cdn_url, "api": str(hub.api_url)}
    with hub.refusing(site), pytest.raises(ConnectionRefusedError):
        ask(urls[site])
    assert ask(urls[site]).status > 0


def test_headers_are_changed_and_taken_away(hub: Hub) -> None:
    hub.fault("headers", method="HEAD", headers={"docker-content-digest": None, "Content-Type": "application/json"})
    said = manifest(hub, NODE, "HEAD")
    assert "docker-content-digest" not in said.headers
    assert said.headers["content-type"] == "application/json"


def test_more_comes_than_there_is(hub: Hub) -> None:
    hub.fault("oversize", path="*/manifests/*", bytes=5_000_000)
    assert len(manifest(hub, NODE).body) > 5_000_000


def test_redirects_lead_elsewhere(hub: Hub) -> None:
    hub.fault("redirect", site="token", to="http://169.254.169.254/latest")
    said = ask(hub.token_url)
    assert (said.status, said.headers["location"]) == (307, "http://169.254.169.254/latest")


def test_a_good_token_is_said_to_have_expired_and_a_realm_is_hostile(hub: Hub) -> None:
    hub.fault("expired-token", path="*/manifests/*")
    said = manifest(hub, NODE)
    assert (said.status, said.code) == (401, "UNAUTHORIZED")
    assert 'error="invalid_token"' in said.headers["www-authenticate"]
    hub.fault("realm", path="*/manifests/*", to="https://evil.example/token")
    said = manifest(hub, NODE)
    assert said.headers["www-authenticate"].startswith('Bearer realm="https://evil.example/token",service="registry.docker.io",scope=')


@pytest.mark.parametrize(
    ("limit", "body"),
    [
        ("pulls", b"unauthenticated pull rate limit"),
        ("abuse", b"HAP429"),
        ("logins", b"too many failed login"),
        ("api", b"Rate limit exceeded"),
        ("other", b"slow down"),
    ],
)
def test_every_429_comes_on_command(hub: Hub, limit: str, body: bytes) -> None:
    before = hub.counts.total
    hub.fault("limit", path="*/manifests/*", limit=limit)
    said = manifest(hub, NODE)
    assert said.status == 429
    assert body in said.body
    assert hub.counts.total == before


def test_the_token_service_and_the_api_have_429s_of_their_own(hub: Hub) -> None:
    hub.fault("limit", site="token", limit="logins")
    hub.fault("limit", site="api")
    assert ask(hub.token_url).json == {"details": "too many failed login attempts for username or IP address"}
    assert ask(str(hub.api_url)).json == {"detail": "Rate limit exceeded"}


def test_several_faults_strike_together(hub: Hub) -> None:
    hub.fault("delay", path="*/manifests/*", seconds=0.1)
    hub.fault("html", path="*/manifests/*")
    hub.fault("truncate", path="*/manifests/*", bytes=9)
    start = time.monotonic()
    assert manifest(hub, NODE).body == b"<!DOCTYPE"
    assert time.monotonic() - start >= 0.1
    assert hub.asked(kind="manifest")[-1].faults == ("delay", "html", "truncate")


def test_a_fault_that_there_is_not_is_refused(hub: Hub) -> None:
    with pytest.raises(UsageError, match="cannot arm the fault 'explode'"):
        hub.fault("explode")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="pth"):
        hub.fault("html", pth="*")


def test_ecr_public_fails_in_its_own_way() -> None:
    with ecr_public() as ecr:
        name = "docker/library/node:20-alpine"
        ecr.fault("expired-token", path="*/manifests/*")
        assert manifest(ecr, name).message == "Your Authorization Token is invalid."
        ecr.fault("expired-token", path="/token/")
        assert ask(ecr.token_url, Authorization=basic("AWS", ecr.password())).status == 403
        ecr.fault("realm", path="/v2/", to="http://10.0.0.1/token")
        assert 'realm="http://10.0.0.1/token",service="public.ecr.aws"' in ask(f"{ecr.url}/v2/").headers["www-authenticate"]
        ecr.fault("limit", path="*/manifests/*")
        ecr.fault("limit", path="*/manifests/*", limit="data", after=1)
        assert [manifest(ecr, name).message for _ in range(2)] == ["Rate exceeded", "Data limit exceeded"]


def test_a_stand_in_ends_though_an_answer_is_under_way(hub: Hub) -> None:
    import socket

    with docker_hub(images=IMAGES, connection_bandwidth=1000) as slow:
        location = blob(slow)
        host, port = slow.cdn_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"GET {location.removeprefix(slow.cdn_url)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(10)
            start = time.monotonic()
            slow.listen("cdn", on=False)
            assert time.monotonic() - start < 5
