"""In mode ecr-public: accounts are held to rates of their own, wherever they ask from, and policies see who asks."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.gallery import EVERYTHING, running_gallery
from tests.hub import ask

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
