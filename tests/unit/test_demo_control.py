"""What the handle does in tests can be done over HTTP, by whoever has the token."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub import Said, ask, aws_endpoint, docker_hub, manifest
from unhub.demo.running import Hub

NODE = "library/node:20-alpine"
TOKEN = "the-control-token"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with docker_hub(control_token=TOKEN) as running:
        yield running


def command(url: str, name: str, content: Any = None, method: str = "POST", token: str = TOKEN) -> Said:
    body = b"" if content is None else json.dumps(content).encode()
    return ask(f"{url}/_demo/{name}", method, body=body, Authorization=f"Bearer {token}")


def test_it_needs_the_token(hub: Hub) -> None:
    assert command(hub.url, "counts", method="GET", token="wrong").status == 401
    assert ask(f"{hub.url}/_demo/counts").status == 401
    assert command(hub.url, "counts", method="GET").status == 200
    assert TOKEN not in repr(hub.settings)


def test_without_a_token_there_is_nothing_to_command() -> None:
    with docker_hub() as hub:
        assert command(hub.url, "counts", method="GET").status == 404


def test_faults_are_armed_and_cleared(hub: Hub) -> None:
    assert command(hub.url, "faults", {"kind": "html", "path": "*/manifests/*", "count": None}).status == 200
    assert manifest(hub, NODE).body.startswith(b"<!DOCTYPE")
    assert command(hub.url, "faults", method="DELETE").status == 200
    assert manifest(hub, NODE).status == 200


def test_a_fault_on_everything_leaves_the_controls_alone(hub: Hub) -> None:
    command(hub.url, "faults", {"kind": "reset", "count": None})
    assert command(hub.url, "faults", method="DELETE").status == 200


def test_limits_settings_and_the_clock(hub: Hub) -> None:
    assert command(hub.url, "exhaust").json == {"schema": 1, "done": "pulls"}
    assert manifest(hub, NODE).status == 429
    assert command(hub.url, "refill").status == 200
    assert command(hub.url, "settings", {"limit": 1, "latency": 0.0, "missing_blobs": []}).json["done"] == [
        "latency",
        "limit",
        "missing_blobs",
    ]
    assert [manifest(hub, NODE).status for _ in range(2)] == [200, 429]
    assert command(hub.url, "advance", {"seconds": 21600}).json["done"] == 21600
    assert manifest(hub, NODE).status == 200
    assert command(hub.url, "exhaust", {"kind": "abuse"}).status == 200
    assert manifest_status(hub) == 429


def manifest_status(hub: Hub) -> int:
    return ask(f"{hub.url}/v2/library/node/manifests/20-alpine").status


def test_counts_and_requests_are_shown(hub: Hub) -> None:
    manifest(hub, NODE)
    shown = command(hub.url, "counts", method="GET").json["done"]
    assert shown == {"pulls": 1, "by_caller": {"anonymous 127.0.0.1": 1}, "by_reference": {NODE: 1}}
    [request] = [row for row in command(hub.url, "requests", method="GET").json["done"] if row["kind"] == "manifest"]
    assert (request["method"], request["status"], request["authorization"]) == ("GET", 200, "bearer")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("faults", {"kind": "explode"}, "Invalid enum value"),
        ("faults", {"kind": "html", "pth": "*"}, "unknown field"),
        ("settings", {"limits": 1}, "cannot change the setting 'limits' here"),
        ("settings", {"control_token": "x"}, "cannot change the setting 'control_token' here"),
        ("settings", {"accounts": []}, "cannot change the setting 'accounts' here"),
        ("settings", {"limit": "many"}, "Expected `int | null`"),
        ("exhaust", {"kind": "patience"}, "Invalid enum value"),
        ("advance", {}, "Expected `float`"),
        ("listen", {"site": "registry", "listening": False}, "say for how many `seconds`"),
    ],
)
def test_what_makes_no_sense_is_400_with_the_reason(hub: Hub, name: str, content: Any, says: str) -> None:
    said = command(hub.url, name, content)
    assert said.status == 400
    assert says in said.json["error"]


def test_bad_json_and_unknown_commands_are_refused(hub: Hub) -> None:
    assert ask(f"{hub.url}/_demo/settings", "POST", body=b"{", Authorization=f"Bearer {TOKEN}").status == 400
    said = command(hub.url, "nothing")
    assert said.status == 404
    assert "POST /_demo/faults" in said.json["known"]


def test_a_port_is_closed_for_a_while(hub: Hub) -> None:
    assert command(hub.url, "listen", {"site": "token", "listening": False, "seconds": 0.5}).status == 200
    refused, deadline = 0, time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            assert ask(hub.token_url).status == 200
        except ConnectionError:
            refused += 1
        else:
            if refused:
                break
        time.sleep(0.05)
    assert refused


def test_the_aws_endpoint_is_commanded_alike() -> None:
    with aws_endpoint(control_token=TOKEN) as aws:
        assert command(aws.url, "settings", {"denied": "sts:GetServiceBearerToken", "throttled": 0}).json["done"] == ["denied", "throttled"]
        assert command(aws.url, "settings", {"denied": "s3:GetObject"}).status == 400
        assert command(aws.url, "faults", {"kind": "status"}).status == 200
        assert ask(f"{aws.url}/", "POST", body=b"{}").status == 503
        assert command(aws.url, "requests", method="GET").json["done"][0]["status"] == 503
