"""Pulls are counted as Docker documents it, and each of the four 429s has its words."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hub import ask, basic, bearer, docker_hub, manifest
from unhub.demo.limits import Rate, Window, counted_address
from unhub.demo.running import Hub
from unhub.demo.settings import Account, HubSettings
from unhub.image.errors import UsageError

NODE = "library/node:20-alpine"
ACCOUNTS = (
    Account(name="ci", password="one", limit=2),
    Account(name="free", password="two"),
    Account(name="paid", password="three", limit=None),
)
CI, FREE, PAID = (basic(account.name, account.password) for account in ACCOUNTS)
PROBE = "ratelimitpreview/test:latest"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with docker_hub(limit=3, accounts=ACCOUNTS) as running:
        yield running


def test_the_limits_are_those_of_the_dated_data() -> None:
    settings = HubSettings()
    assert (settings.limit, settings.account_limit, settings.window) == (100, 200, 21600)
    assert (settings.rate, settings.account_rate, settings.data_limit) == (1, 10, 500_000_000_000)


def test_a_get_of_a_manifest_is_a_pull_and_nothing_else_is(hub: Hub) -> None:
    got = manifest(hub, NODE)
    assert got.headers["ratelimit-remaining"] == "2;w=21600"
    digest = got.json["manifests"][0]["digest"]
    child = manifest(hub, f"library/node@{digest}")
    assert child.headers["ratelimit-remaining"] == "1;w=21600"
    for _ in range(5):
        assert manifest(hub, NODE, "HEAD").headers["ratelimit-remaining"] == "1;w=21600"
        assert ask(f"{hub.url}/v2/library/node/blobs/{child.json['layers'][0]['digest']}", Authorization=bearer(hub)).status == 307
        assert ask(f"{hub.url}/v2/library/node/tags/list", Authorization=bearer(hub)).status == 200
    assert manifest(hub, "library/node:nothing").status == 404
    assert hub.counts.by_caller == {"anonymous 127.0.0.1": 2}
    assert hub.counts.by_reference == {NODE: 1, f"library/node@{digest}": 1}
    assert hub.counts.total == 2


def test_the_probe_costs_nothing(hub: Hub) -> None:
    for _ in range(5):
        probe = manifest(hub, PROBE, "HEAD")
        assert (probe.headers["ratelimit-limit"], probe.headers["ratelimit-remaining"]) == ("3;w=21600", "3;w=21600")
        assert probe.headers["docker-ratelimit-source"] == "127.0.0.1"
    assert hub.counts.total == 0


def test_head_goes_on_when_nothing_is_left(hub: Hub) -> None:
    for _ in range(3):
        assert manifest(hub, NODE).status == 200
    assert manifest(hub, NODE).status == 429
    assert hub.counts.total == 3
    head = manifest(hub, NODE, "HEAD")
    assert (head.status, head.headers["ratelimit-remaining"]) == (200, "0;w=21600")


def test_the_window_slides(hub: Hub) -> None:
    for pause in (3600, 3600, 3600):
        assert manifest(hub, NODE).status == 200
        hub.advance(pause)
    assert manifest(hub, NODE).status == 429
    hub.advance(21600 - 3 * 3600)
    assert manifest(hub, NODE, "HEAD").headers["ratelimit-remaining"] == "1;w=21600"
    assert manifest(hub, NODE).status == 200
    assert manifest(hub, NODE).status == 429


def test_addresses_and_accounts_are_counted_apart(hub: Hub) -> None:
    for _ in range(3):
        manifest(hub, NODE)
    assert manifest(hub, NODE).status == 429
    assert manifest(hub, NODE, source="127.0.0.9").status == 200
    assert manifest(hub, NODE, login=CI).headers["ratelimit-remaining"] == "1;w=21600"
    assert manifest(hub, NODE, login=FREE).headers["ratelimit-limit"] == "200;w=21600"
    assert len(manifest(hub, NODE, login=FREE).headers["docker-ratelimit-source"].split("-")) == 5
    assert dict(hub.counts.by_caller) == {"anonymous 127.0.0.1": 3, "anonymous 127.0.0.9": 1, "account ci": 1, "account free": 2}


def test_those_who_are_not_limited_get_no_headers(hub: Hub) -> None:
    hub.exhaust()
    got = manifest(hub, NODE, login=PAID)
    assert got.status == 200
    assert not [name for name in got.headers if "ratelimit" in name]


def test_the_pull_limit_has_the_words_of_its_time(hub: Hub) -> None:
    hub.exhaust()
    said = manifest(hub, NODE)
    assert (said.status, said.code) == (429, "TOOMANYREQUESTS")
    assert said.message == "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
    assert "retry-after" not in said.headers
    said = manifest(hub, NODE, login=CI)
    assert said.message.startswith("You have reached your pull rate limit as 'ci': dckr_jti_")
    assert said.message.endswith("=. You may increase the limit by upgrading. https://www.docker.com/increase-rate-limit")
    hub.set(period="2020")
    text = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit"
    assert {manifest(hub, NODE).message, manifest(hub, NODE, login=CI).message} == {text}


def test_the_abuse_limit_refuses_everything_in_plain_text(hub: Hub) -> None:
    token = bearer(hub)
    hub.set(abuse_limit=2)
    for _ in range(2):
        assert ask(f"{hub.url}/v2/", Authorization=token).status == 200
    said = ask(f"{hub.url}/v2/library/node/manifests/20-alpine", Authorization=token)
    assert (said.status, said.body, said.headers["content-type"], said.headers["retry-after"]) == (
        429,
        b"Too Many Requests (HAP429)",
        "text/plain",
        "60",
    )
    head = ask(f"{hub.url}/v2/library/node/manifests/20-alpine", "HEAD", Authorization=token)
    assert (head.status, head.headers["retry-after"], head.body) == (429, "60", b"")
    assert ask(hub.token_url, Authorization=PAID).status == 429
    assert ask(f"{hub.url}/v2/", source="127.0.0.8", Authorization=token).status == 200
    hub.advance(61)
    assert ask(f"{hub.url}/v2/", Authorization=token).status == 200


def test_failed_logins_lock_the_name_and_the_address_and_nobody_without_a_login(hub: Hub) -> None:
    hub.set(failed_logins=2)
    for _ in range(2):
        assert ask(hub.token_url, Authorization=basic("ci", "wrong"), source="127.0.0.7").status == 401
    said = ask(hub.token_url, Authorization=CI)
    assert (said.status, said.json) == (429, {"details": "too many failed login attempts for username or IP address"})
    assert ask(hub.token_url, Authorization=FREE, source="127.0.0.7").status == 429
    assert ask(hub.token_url, Authorization=FREE).status == 200
    assert manifest(hub, NODE).status == 200
    hub.advance(601)
    assert ask(hub.token_url, Authorization=CI).status == 200


def test_the_api_has_a_limit_of_its_own(hub: Hub) -> None:
    hub.set(api_limit=1)
    url = f"{hub.api_url}/v2/repositories/library/node/tags"
    assert ask(url).status == 200
    said = ask(url)
    assert (said.status, said.json) == (429, {"detail": "Rate limit exceeded"})
    assert manifest(hub, NODE).status == 200


@pytest.mark.parametrize("kind", ["pulls", "abuse", "logins", "api"])
def test_every_limit_can_be_reached_on_command_and_lifted(hub: Hub, kind: str) -> None:
    def status() -> int:
        match kind:
            case "logins":
                return ask(hub.token_url, Authorization=CI).status
            case "api":
                return ask(f"{hub.api_url}/v2/repositories/library/node/tags").status
            case "abuse":
                return ask(f"{hub.url}/v2/").status
            case _:
                return manifest(hub, NODE).status

    hub.exhaust(kind)
    assert status() == 429
    hub.refill()
    assert status() in (200, 401)
    hub.exhaust(kind)
    hub.advance(21601)
    assert status() in (200, 401)


def test_images_alone_may_count(hub: Hub) -> None:
    hub.set(counting="images")
    got = manifest(hub, NODE)
    assert got.headers["ratelimit-remaining"] == "3;w=21600"
    assert manifest(hub, f"library/node@{got.json['manifests'][0]['digest']}").headers["ratelimit-remaining"] == "2;w=21600"


def test_a_storm_is_counted_exactly(hub: Hub) -> None:
    hub.set(limit=150)
    token = bearer(hub)
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: ask(f"{hub.url}/v2/library/node/manifests/20-alpine", Authorization=token).status, range(200)))
    assert (statuses.count(200), statuses.count(429)) == (150, 50)
    assert hub.counts.total == 150


def test_settings_that_are_none_are_refused(hub: Hub) -> None:
    with pytest.raises(UsageError, match="'limits': there is none"):
        hub.set(limits=3)
    with pytest.raises(UsageError, match="'port' while the stand-in runs"):
        hub.set(port=3)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:41d0:801:2000:1:2:3:4", "2001:41d0:801:2000::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_ipv6_is_counted_by_the_first_half_of_the_address(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def test_a_window_forgets_each_amount_at_its_time() -> None:
    window = Window(10)
    window.add("a", 2, 0)
    window.add("a", 3, 5)
    assert [window.used("a", now) for now in (5, 9.9, 10, 15)] == [5, 5, 3, 0]
    assert window.used("b", 0) == 0


def test_a_rate_gives_a_burst_and_then_its_pace() -> None:
    rate = Rate()
    assert [rate.take("a", 2, 3, 0) for _ in range(4)] == [True, True, True, False]
    assert [rate.take("a", 2, 3, now) for now in (0.5, 0.6, 1.0)] == [True, False, True]
    taken = sum(rate.take("b", 1, 1, moment / 100) for moment in range(10_000))
    assert 99 <= taken <= 102
