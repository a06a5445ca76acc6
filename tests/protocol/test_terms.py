"""Callers of a running mirror with two workers are held to its terms, and metered whatever the terms are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hub import Said, ask, docker_hub
from tests.mirror import Mirror, running_mirror, wait_until
from unhub.demo.catalogue import Entry
from unhub.demo.handles import Hub
from unhub.demo.images import Image, bulk_layer, image

TAG = "/v2/library/app/manifests/1"
LAYER = 300_000
SLOW = "pulls-a-second = 0.0001\n"
"""So slow that no pull comes back while a test runs."""


@pytest.fixture(scope="module")
def app() -> Image:
    return image([bulk_layer(LAYER, "terms")])


@pytest.fixture(scope="module")
def hub(app: Image) -> Generator[Hub]:
    with docker_hub(limit=None, images=[Entry("library/app", "1", app)]) as hub:
        yield hub


@contextmanager
def mirror(folder: Path, hub: Hub, settings: str = "", *arguments: str) -> Generator[Mirror]:
    """A mirror with two workers and some settings, which knows the image."""
    (folder / "unhub.toml").write_text(settings)
    with running_mirror(folder, hub, arguments=("--workers", 2, "--config", folder / "unhub.toml", *arguments)) as running:
        yield running


def pull(mirror: Mirror, source: str = "127.0.0.1", method: str = "GET", path: str = TAG, **headers: str) -> Said:
    return ask(mirror.url + path, method, source=source, **headers)


def at_once(mirror: Mirror, count: int, source: str = "127.0.0.1", **headers: str) -> Counter[int]:
    """So many pulls by clients of their own at the same time: how often which status came."""
    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(lambda _: pull(mirror, source, **headers).status, range(count)))


def usage(mirror: Mirror, **query: str) -> Any:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    said = mirror.get(f"/_unhub/usage?{text}", Authorization=f"Bearer {mirror.token}")
    assert said.status == 200, said.body
    return said.json


def pullers(mirror: Mirror, digest: str) -> set[str]:
    """Who is known to have pulled a digest."""
    said = mirror.get(f"/_unhub/pulls?digest={digest}", Authorization=f"Bearer {mirror.token}")
    return {row["caller"] for row in said.json["pulls"]}


def test_a_rate_is_exact_whichever_worker_answers(tmp_path: Path, hub: Hub) -> None:
    with mirror(tmp_path, hub, f'[terms]\nprofile = "aws-2026-11"\n[terms.anonymous]\n{SLOW}') as running:
        assert at_once(running, 48) == {200: 10, 429: 38}
        assert pull(running, "127.0.0.2").status == 200, "another address has its own"
        assert pull(running, "127.0.0.2", "HEAD").status == 200
        assert at_once(running, 24, "127.0.0.2") == {200: 8, 429: 16}, "the HEAD counted"
        refused = pull(running)
        assert (refused.code, refused.message) == ("TOOMANYREQUESTS", "Rate exceeded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/json"
        assert running.metrics['unhub_refused_by_terms_total{limit="rate"}'] == 38 + 16 + 1


def test_layers_are_no_pulls(tmp_path: Path, hub: Hub, app: Image) -> None:
    with mirror(tmp_path, hub, f"[terms.anonymous]\n{SLOW}") as running:
        assert pull(running).status == 200
        for _ in range(12):
            assert pull(running, path=f"/v2/library/app/blobs/{app.layers[0]}").status == 200


def test_what_a_worker_granted_is_not_forgotten_with_it(tmp_path: Path, hub: Hub) -> None:
    with mirror(tmp_path, hub, f"[terms.anonymous]\n{SLOW}") as running:
        assert at_once(running, 20) == {200: 10, 429: 10}
        for name in ("worker 1", "worker 2"):
            dead = running.kill(name)
            wait_until(lambda name=name, dead=dead: running.processes.get(name) not in (None, dead))
        wait_until(lambda: pull(running, "127.0.0.9").status == 200)
        assert at_once(running, 10) == {429: 10}


def test_above_the_months_data_an_address_is_refused_also_after_a_restart(tmp_path: Path, hub: Hub, app: Image) -> None:
    blob = f"/v2/library/app/blobs/{app.layers[0]}"
    settings = f"[terms.anonymous]\nbytes-a-month = {3 * LAYER}\n"
    with mirror(tmp_path, hub, settings) as running:
        assert pull(running).status == 200
        got = 0
        while got < 100 and (said := pull(running, path=blob)).status == 200:
            got += 1
        assert 3 <= got <= 20, "each worker hears of the other's bytes within seconds"
        assert (said.status, said.code, said.message) == (429, "TOOMANYREQUESTS", "Data limit exceeded")
        assert "retry-after" not in said.headers
        wait_until(lambda: at_once(running, 48) == {429: 48}, why="both workers did not hear of it")
        wait_until(lambda: pull(running, method="HEAD").status == 429)
        wait_until(lambda: pull(running, path=blob, Range="bytes=0-9").status == 429)
        assert pull(running, "127.0.0.2").status == 200, "another address is not refused"
    with mirror(tmp_path, hub, settings) as again:
        wait_until(lambda: at_once(again, 48) == {429: 48}, why="the meters were not read")


def test_callers_inside_aws_are_free_of_the_data_limit(tmp_path: Path, hub: Hub, app: Image) -> None:
    (tmp_path / "inside.txt").write_text("127.0.7.0/24  # our VPC\n")
    settings = f'[terms]\nin-region = ["inside.txt"]\n[terms.anonymous]\nbytes-a-month = {LAYER}\n'
    blob = f"/v2/library/app/blobs/{app.layers[0]}"
    with mirror(tmp_path, hub, settings) as running:
        assert pull(running, "127.0.7.7").status == 200
        assert [pull(running, "127.0.7.7", path=blob).status for _ in range(12)] == [200] * 12
        wait_until(lambda: usage(running)["total"]["exempt_bytes"] >= 12 * LAYER)
        (row,) = usage(running, by="address")["rows"]
        assert row["exempt_bytes"] == row["bytes_answered"]
        assert usage(running)["limits"] == [], "nothing of it counts"


def test_only_a_trusted_proxy_says_who_asks(tmp_path: Path, hub: Hub, app: Image) -> None:
    with mirror(tmp_path, hub, f"[terms.anonymous]\n{SLOW}", "--trusted-proxy", "127.0.0.8") as running:
        assert at_once(running, 20, "127.0.0.8", X_Forwarded_For="203.0.113.1") == {200: 10, 429: 10}
        spoofed = at_once(running, 20, "127.0.0.8", X_Forwarded_For="203.0.113.77, 203.0.113.1")
        assert spoofed == {429: 20}, "what a client writes to the left changes nothing"
        assert pull(running, "127.0.0.8", X_Forwarded_For="203.0.113.2").status == 200
        statuses = [pull(running, "127.0.0.9", X_Forwarded_For=f"203.0.113.{number}").status for number in range(100, 120)]
        assert Counter(statuses) == {200: 10, 429: 10}, "a stranger is counted by the address it comes from"
        assert at_once(running, 20, "127.0.0.8", X_Forwarded_For="2001:db8:1:2::aaaa") == {200: 10, 429: 10}
        assert pull(running, "127.0.0.8", X_Forwarded_For="2001:db8:1:2:ffff::1").status == 429, "an IPv6 /64 is one caller"
        assert pull(running, "127.0.0.8", X_Forwarded_For="2001:db8:1:3::1").status == 200
        wait_until(lambda: len(running.log) >= 83)
        callers = {line["caller"] for line in running.log}
        assert {"203.0.113.1", "203.0.113.2", "127.0.0.9", "2001:db8:1:2::/64"} <= callers
        assert not callers & {"127.0.0.8", "203.0.113.77", "203.0.113.100"}
        told = {"203.0.113.1", "203.0.113.2", "127.0.0.9", "2001:db8:1:2::/64", "2001:db8:1:3::/64"}
        wait_until(lambda: {row["address"] for row in usage(running, by="address")["rows"]} == told)
        wait_until(lambda: pullers(running, app.digest) == told, why="the record of pulls names others")


def test_without_terms_everything_is_metered_and_nobody_refused(tmp_path: Path, hub: Hub, app: Image) -> None:
    with mirror(tmp_path, hub) as running:
        said = [pull(running, f"127.0.0.{number}") for number in range(1, 5) for _ in range(25)]
        assert {one.status for one in said} == {200}
        blobs = [pull(running, path=f"/v2/library/app/blobs/{app.layers[0]}", Range="bytes=0-99") for _ in range(8)]
        pull(running, method="HEAD")
        pull(running, path="/v2/library/nothing/manifests/1")
        expected = sum(len(one.body) for one in [*said, *blobs])
        wait_until(lambda: usage(running)["total"] == {"pulls": 100, "bytes_answered": expected, "exempt_pulls": 0, "exempt_bytes": 0})
        rows = usage(running, by="address,repository")["rows"]
        assert {(row["address"], row["repository"], row["pulls"]) for row in rows} == {
            (f"127.0.0.{number}", "docker/library/app", 25) for number in range(1, 5)
        }
        assert next(row["address"] for row in rows) == "127.0.0.1", "who used the most comes first"
        answer = usage(running)
        assert (answer["terms"]["profile"], answer["price"], answer["limits"], answer["costs"]) == ("none", None, [], [])
        metrics = running.metrics
        assert metrics['unhub_metered_pulls_total{caller="anonymous"}'] == 100
        assert metrics['unhub_metered_bytes_total{caller="anonymous"}'] == expected


def test_terms_change_with_a_reload(tmp_path: Path, hub: Hub) -> None:
    with mirror(tmp_path, hub) as running:
        assert at_once(running, 20) == {200: 20}
        (tmp_path / "unhub.toml").write_text(f"[terms]\nburst = 3\n[terms.anonymous]\n{SLOW}")
        before = running.processes
        assert running.get("/_unhub/reload", "POST", Authorization=f"Bearer {running.token}").status == 200
        wait_until(lambda: all(running.processes.get(name) not in (None, before[name]) for name in ("worker 1", "worker 2")))
        wait_until(lambda: pull(running, "127.0.0.5").status == 429, why="the old workers went on")
        assert at_once(running, 20) == {200: 3, 429: 17}


@pytest.mark.parametrize(
    "query",
    [
        "by=who",
        "since=yesterday",
        "since=2026-02-30",
        "since=1960-01-01",
        "limit=0",
        "limit=1e9",
        "since=2026-02-01&until=2026-01-01",
        "since=1970-01-01",
    ],
)
def test_a_question_about_usage_that_makes_no_sense(idle: Mirror, query: str) -> None:
    said = idle.get(f"/_unhub/usage?{query}", Authorization=f"Bearer {idle.token}")
    assert said.status == 400
    assert said.json["error"]["message"].startswith("cannot")


def test_usage_is_told_to_the_operator_alone(idle: Mirror) -> None:
    assert idle.get("/_unhub/usage").status == 401, "not to everybody on this machine: it names addresses"
    assert idle.get("/_unhub/usage", Authorization="Bearer nonsense").status == 401
    assert idle.get("/_unhub/usage", "POST", Authorization=f"Bearer {idle.token}").status == 405


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Generator[Mirror]:
    with running_mirror(tmp_path_factory.mktemp("idle"), hub) as running:
        yield running


def test_terms_that_do_not_exist_end_it_before_it_serves(tmp_path: Path) -> None:
    from tests.command_line import process

    done = process("serve", "--data", tmp_path / "data", "--terms", "aws-2025", cwd=tmp_path)
    assert done.status == 2
    assert "cannot use the terms 'aws-2025'" in done.err
    assert "aws-2024-03-11, aws-2026-11" in done.err
    (tmp_path / "unhub.toml").write_text("[terms.anonymous]\npulls-a-second = 0\n")
    done = process("serve", "--data", tmp_path / "data", "--config", "unhub.toml", cwd=tmp_path)
    assert (done.status, json.dumps(done.err)[:60]) == (
        2,
        json.dumps("unhub: unhub.toml:2:1: cannot read the settings: Expected `float")[:60],
    )
