"""Blobs come from another host by links that expire, refuse an Authorization, and serve ranges."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hub import Said, ask, bearer, docker_hub, ecr_public
from unhub.demo.catalogue import Entry
from unhub.demo.cdn import content_answer
from unhub.demo.exchange import Asked, Site
from unhub.demo.images import bulk_layer, image
from unhub.demo.running import Hub

LAYER = bulk_layer(300_000)
IMAGES = [Entry("team/app", "1", image([LAYER]))]
DIGEST = LAYER.digest
DATA = bytes(range(256)) * 4


@pytest.fixture(scope="module", params=["docker-hub", "ecr-public"])
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    with (docker_hub if request.param == "docker-hub" else ecr_public)(images=IMAGES) as running:
        yield running


def link(hub: Hub, method: str = "GET") -> Said:
    return ask(f"{hub.url}/v2/team/app/blobs/{DIGEST}", method, Authorization=bearer(hub, "team/app"))


def test_a_blob_is_a_redirect_to_another_host(hub: Hub) -> None:
    said = link(hub)
    assert said.status == 307
    assert said.headers["location"].startswith(hub.cdn_url)
    assert urlsplit(hub.cdn_url).hostname != urlsplit(hub.url).hostname
    assert hashlib.sha256(ask(said.headers["location"]).body).hexdigest() == DIGEST.removeprefix("sha256:")
    head = ask(link(hub, "HEAD").headers["location"], "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(LAYER.data)))


def test_a_link_wants_no_authorization(hub: Hub) -> None:
    said = ask(link(hub).headers["location"], Authorization="Bearer whatever")
    assert said.status == 400
    assert b"Only one auth mechanism allowed" in said.body


def test_a_link_expires_and_another_one_goes_on() -> None:
    with docker_hub(images=IMAGES, link_seconds=60) as hub:
        location = link(hub).headers["location"]
        hub.advance(59)
        assert ask(location).status == 200
        hub.advance(1)
        assert ask(location).status == 403
        assert ask(link(hub).headers["location"]).status == 200


def test_a_link_that_was_not_made_here_is_refused(hub: Hub) -> None:
    location = link(hub).headers["location"]
    path, _, query = location.partition("?")
    first = "b" if path[-6] != "b" else "c"
    for forged in (
        path,
        path + "?expires=9&verify=x",
        location[:-2] + "00",
        path[:-6] + first + path[-5:] + "?" + query,
        hub.cdn_url + "/",
    ):
        assert ask(forged).status == 403, forged
    assert ask(location.replace("xpires=", "xpires=9")).status == 403


def test_signatures_are_not_in_the_log(hub: Hub) -> None:
    location = link(hub).headers["location"]
    ask(location)
    signature = location.rpartition("=")[2]
    assert signature not in repr(hub.requests)
    assert hub.requests[-1].kind == "content"


def test_a_pull_can_go_on_in_the_middle(hub: Hub) -> None:
    location = link(hub).headers["location"]
    said = ask(location, Range="bytes=100000-")
    assert said.status == 206
    assert said.headers["content-range"] == f"bytes 100000-{len(LAYER.data) - 1}/{len(LAYER.data)}"
    assert ask(location, Range="bytes=0-99999").body + said.body == LAYER.data


@pytest.mark.parametrize(
    ("wanted", "status", "body"),
    [
        ("bytes=0-0", 206, DATA[:1]),
        ("bytes=10-19", 206, DATA[10:20]),
        ("bytes=1000-9999", 206, DATA[1000:]),
        ("bytes=-24", 206, DATA[-24:]),
        ("bytes=-99999", 206, DATA),
        ("bytes=1024-", 416, b""),
        ("bytes=500-0", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=-", 200, DATA),
        ("bytes=0-1,5-6", 200, DATA),
        ("lines=1-2", 200, DATA),
        ("bytes=99999999999999999999999999-", 416, b""),
    ],
)
def test_ranges_are_those_of_the_standard(wanted: str, status: int, body: bytes) -> None:
    answer = content_answer(memoryview(DATA), Asked(Site.CDN, "GET", "/", headers={"Range": wanted}), etag='"x"')
    assert (answer.status, bytes(answer.body)) == (status, body)


@given(st.integers(0, 1100), st.integers(0, 1100))
def test_a_range_is_a_slice(start: int, end: int) -> None:
    answer = content_answer(memoryview(DATA), Asked(Site.CDN, "GET", "/", headers={"Range": f"bytes={start}-{end}"}), etag='"x"')
    expected = DATA[start : end + 1]
    assert (answer.status, bytes(answer.body)) == ((206, expected) if expected else (416, b""))


def test_a_range_of_something_else_gets_the_whole() -> None:
    headers = {"Range": "bytes=1-2", "If-Range": '"y"'}
    assert content_answer(memoryview(DATA), Asked(Site.CDN, "GET", "/", headers=headers), etag='"x"').status == 200


def test_ranges_may_be_ignored_and_blobs_served_at_once() -> None:
    with docker_hub(images=IMAGES, ranges=False, redirect_status=200) as hub:
        said = ask(f"{hub.url}/v2/team/app/blobs/{DIGEST}", Authorization=bearer(hub, "team/app"), Range="bytes=0-9")
        assert (said.status, len(said.body)) == (200, len(LAYER.data))


def test_a_blob_is_had_only_through_a_repository_that_links_it() -> None:
    with docker_hub(images=[*IMAGES, Entry("team/other", "1", image([bulk_layer(10)]))]) as hub:
        assert ask(f"{hub.url}/v2/team/other/blobs/{DIGEST}", Authorization=bearer(hub, "team/other")).status == 404


def test_bandwidth_is_what_was_set() -> None:
    with docker_hub(images=IMAGES, connection_bandwidth=600_000) as hub:
        location = link(hub).headers["location"]
        start = time.monotonic()
        assert len(ask(location).body) == len(LAYER.data)
        assert time.monotonic() - start > 0.4
        hub.set(connection_bandwidth=None, bandwidth=600_000)
        start = time.monotonic()
        assert len(ask(location).body) == len(LAYER.data)
        assert time.monotonic() - start > 0.4


def test_latency_comes_before_every_answer() -> None:
    with docker_hub(images=IMAGES, latency=0.1) as hub:
        start = time.monotonic()
        ask(f"{hub.url}/v2/")
        assert time.monotonic() - start >= 0.1
