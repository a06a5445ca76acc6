"""In mode ecr-public: accounts are held to rates of their own, wherever they ask from, and policies see who asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.gallery import ACCOUNT, EVERYTHING, OTHER, Gallery, running_gallery
from tests.hub import ask, docker_hub, small_image
from tests.mirror import wait_until
from unhub.demo.catalogue import Entry
from unhub.demo.handles import Hub

SLOW = "0.0001"
"""So few a second that nothing comes back while a test runs."""


def test_an_operation_is_throttled_by_account_whichever_worker_is_asked(tmp_path: Path) -> None:
    settings = f"[terms.operations]\nDescribeRegistries = {SLOW}\nDescribeRepositories = 4\n"
    users = {"owner": EVERYTHING, "colleague": EVERYTHING, "other/rival": EVERYTHING}
    with running_gallery(tmp_path, users=users, settings=settings, arguments=("--workers", 2)) as gallery:

        def describe(who: str) -> int:
            return gallery.ask(who, "DescribeRegistries", {}).status

        with ThreadPoolExecutor(8) as pool:
            assert Counter(pool.map(describe, ["owner", "colleague"] * 8)) == {200: 1, 400: 15}, "one account, both of its users"
        assert describe("other/rival") == 200
        ecr = gallery.client("owner")
        with pytest.raises(ClientError) as caught:
            ecr.describe_registries()
        assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        patient = gallery.client("owner", attempts=6)
        assert all(patient.describe_repositories()["repositories"] == [] for _ in range(8)), "what AWS's programs wait for by themselves"
        for _ in range(30):
            ecr.get_authorization_token()
        assert gallery.mirror.metrics['unhub_refused_by_terms_total{limit="operation"}'] >= 16


def test_who_is_refused_before_the_signature_was_looked_at_takes_nothing_from_an_account(tmp_path: Path) -> None:
    settings = f"[terms.operations]\nDescribeRegistries = {SLOW}\n"
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, settings=settings) as gallery:
        signed = gallery.signed("owner", "DescribeRegistries")
        for _ in range(5):
            assert ask(f"{gallery.url}/", "POST", body=b'{"maxResults": 5}', **signed).status in (400, 403)
        assert gallery.ask("owner", "DescribeRegistries", {}).status == 200


def test_policies_see_the_address_that_a_trusted_proxy_tells(tmp_path: Path) -> None:
    office = {
        "Effect": "Allow",
        "Action": "ecr-public:*",
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8:1::/48"]}},
    }
    arguments = ("--trusted-proxy", "127.0.0.1")
    with running_gallery(tmp_path, users={"clerk": [office]}, arguments=arguments) as gallery:

        def status(address: str | None, source: str = "127.0.0.1") -> int:
            signed = gallery.signed("clerk", "DescribeRegistries")
            told = {} if address is None else {"X-Forwarded-For": address}
            return ask(f"{gallery.url}/", "POST", source=source, body=b"{}", **signed, **told).status

        assert status("203.0.113.7") == 200
        assert status("2001:db8:1:2::3") == 200, "the whole address, not what is counted of it"
        assert status("198.51.100.7") == 400
        assert status("203.0.113.7, 198.51.100.7") == 400
        assert status(None) == 400
        assert status("203.0.113.7", source="127.0.0.9") == 400, "no proxy of ours"


# ------------------------------------------------------------------ the registry's doors

TAG = "/v2/docker/library/node/manifests/20"


def basic(gallery: Gallery, who: str) -> str:
    """A password of somebody's account, as docker sends it to the token service."""
    return f"Basic {gallery.client(who).get_authorization_token()['authorizationData']['authorizationToken']}"


def bearer(gallery: Gallery, login: str | None = None) -> str:
    said = gallery.mirror.get("/token/", **({"Authorization": login} if login else {}))
    assert said.status == 200, said.body
    return f"Bearer {said.json['token']}"


def statuses(gallery: Gallery, token: str | None, count: int, source: str = "127.0.0.1", method: str = "GET") -> Counter[int]:
    """How often which status came to so many pulls at the same time."""
    headers = {"Authorization": token} if token else {}

    def one(_: int) -> int:
        return ask(gallery.mirror.url + TAG, method, source=source, **headers).status

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(one, range(count)))


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with docker_hub(limit=None, images=[Entry("library/node", "20", small_image("terms"))]) as hub:
        yield hub


def test_pulls_are_counted_by_account_and_those_without_a_login_by_address(tmp_path: Path, hub: Hub) -> None:
    settings = f"[terms]\nprofile = 'aws-2026-11'\n[terms.anonymous]\npulls-a-second = {SLOW}\n[terms.account]\npulls-a-second = {SLOW}\n"
    users = {"owner": EVERYTHING, "colleague": EVERYTHING, "other/rival": EVERYTHING}
    with running_gallery(tmp_path, hub, users=users, settings=settings, arguments=("--workers", 2)) as gallery:
        owner, colleague = bearer(gallery, basic(gallery, "owner")), bearer(gallery, basic(gallery, "colleague"))
        assert statuses(gallery, None, 12) == {401: 12}, "who has no token takes nothing from anybody"
        assert not statuses(gallery, "Bearer bm9uc2Vuc2U=", 12).keys() & {200, 429}
        assert statuses(gallery, bearer(gallery), 20) == {200: 10, 429: 10}
        assert statuses(gallery, bearer(gallery), 5) == {429: 5}, "another token, the same address"
        assert statuses(gallery, bearer(gallery), 12, "127.0.0.2") == {200: 10, 429: 2}
        assert statuses(gallery, owner, 6) == {200: 6}, "an account has its own, at the same address"
        assert statuses(gallery, colleague, 8, "127.0.0.3") == {200: 4, 429: 4}, "of one account, from elsewhere"
        assert statuses(gallery, owner, 4, method="HEAD") == {429: 4}
        assert statuses(gallery, bearer(gallery, basic(gallery, "other/rival")), 12) == {200: 10, 429: 2}
        refused = ask(gallery.mirror.url + TAG, Authorization=owner)
        assert (refused.status, refused.code, refused.message) == (429, "TOOMANYREQUESTS", "Rate exceeded")
        wait_until(lambda: pulls_by_account(gallery) == {"": 20, ACCOUNT: 10, OTHER: 10})


def test_above_the_data_of_a_month_a_login_is_billed_and_nobody_else(tmp_path: Path, hub: Hub) -> None:
    settings = "[terms]\nprofile = 'aws-2026-11'\n[terms.anonymous]\nbytes-a-month = 1\n[terms.account]\nbytes-a-month = 1\n"
    with running_gallery(tmp_path, hub, users={"owner": EVERYTHING}, settings=settings) as gallery:
        owner, nobody = bearer(gallery, basic(gallery, "owner")), bearer(gallery)
        assert statuses(gallery, nobody, 1) == {200: 1}
        assert statuses(gallery, owner, 1) == {200: 1}
        assert statuses(gallery, nobody, 3) == {429: 3}
        said = ask(gallery.mirror.url + TAG, Authorization=nobody)
        assert (said.code, said.message) == ("TOOMANYREQUESTS", "Data limit exceeded")
        assert statuses(gallery, owner, 3) == {200: 3}
        answer = gallery.mirror.get("/_unhub/usage?by=account", Authorization=f"Bearer {gallery.mirror.token}").json
        above = {row["who"]: row["above"] for row in answer["limits"]}
        assert above == {"127.0.0.1": "refused", ACCOUNT: "priced"}
        (cost,) = answer["costs"]
        assert (cost["account"], cost["billed_bytes"]) == (ACCOUNT, cost["counted_bytes"] - 1)


def pulls_by_account(gallery: Gallery) -> dict[str, int]:
    said = gallery.mirror.get("/_unhub/usage?by=account", Authorization=f"Bearer {gallery.mirror.token}")
    return {row["account"]: row["pulls"] for row in said.json["rows"]}
