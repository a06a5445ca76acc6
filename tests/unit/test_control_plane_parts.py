"""Names of hosts, tokens of pages, and what is answered: the small parts of ECR Public's API."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unhub.data.control_plane import api_hosts
from unhub.mirror.sealing import InstanceKey
from unhub.server.control_plane.discovery import function_name
from unhub.server.control_plane.hosts import Endpoint, Hosts, signed_for
from unhub.server.control_plane.model import ecr_public
from unhub.server.control_plane.pagination import SECONDS, PageTokens
from unhub.server.control_plane.rendering import rendered

HOSTS = Hosts(api_hosts())
NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("api.ecr-public.us-east-1.amazonaws.com", Endpoint("ecr-public", "us-east-1")),
        ("ECR-PUBLIC.us-west-2.amazonaws.com:443", Endpoint("ecr-public", "us-west-2")),
        ("ecr-public.us-east-1.api.aws.", Endpoint("ecr-public", "us-east-1")),
        ("sts.amazonaws.com", Endpoint("sts", "us-east-1")),
        ("sts.us-gov-west-1.amazonaws.com", Endpoint("sts", "us-gov-west-1")),
        ("api.ecr-public.ap-northeast-1.amazonaws.com", Endpoint("ecr-public", "ap-northeast-1", served=False)),
        ("api.ecr-public.nowhere.amazonaws.com", None),
        ("xapi.ecr-public.us-east-1.amazonaws.com", None),
        ("api.ecr-public.us-east-1.amazonaws.com.example", None),
        ("api.ecr-public.us-east-1xamazonaws.com", None),
        ("public.ecr.aws", None),
        ("localhost:5000", None),
        ("[::1]:5000", None),
        ("", None),
        ("x" * 400, None),
    ],
)
def test_whose_a_host_is(host: str, endpoint: Endpoint | None) -> None:
    assert HOSTS.of({"headers": [(b"accept", b"*/*"), (b"host", host.encode())]}) == endpoint
    assert HOSTS.of({"headers": [(b":authority", host.encode())]}) == endpoint


def test_a_request_without_a_host_is_for_the_registry() -> None:
    assert HOSTS.of({"headers": []}) is None


@pytest.mark.parametrize(
    ("authorization", "query", "said"),
    [
        (b"AWS4-HMAC-SHA256 Credential=AKIA/20261126/eu-west-1/sts/aws4_request, SignedHeaders=host", b"", ("sts", "eu-west-1")),
        (None, b"X-Amz-Credential=AKIA%2F20261126%2Fus-east-1%2Fecr-public%2Faws4_request&X-Amz-Date=1", ("ecr-public", "us-east-1")),
        (b"Bearer abc", b"", None),
        (None, b"", None),
        (b"AWS4-HMAC-SHA256 Credential=AKIA/20261126/not a region/sts/aws4_request", b"", None),
    ],
)
def test_what_a_request_says_it_is_signed_for(authorization: bytes | None, query: bytes, said: tuple[str, str] | None) -> None:
    headers = [] if authorization is None else [(b"authorization", authorization)]
    assert signed_for({"headers": headers, "query_string": query}) == said


def pages(secret: bytes = b"k" * 32, now: float = NOW) -> PageTokens:
    return PageTokens(InstanceKey(secret), now=lambda: now)


QUESTION: dict[str, Any] = {"repositoryName": "team/app", "maxResults": 5}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_token_leads_to_the_next_page_of_the_same_question(after: str) -> None:
    token = pages().make(after, "DescribeImages", "123456789012", QUESTION)
    again = {**QUESTION, "nextToken": token, "maxResults": 1000}
    assert pages().read(token, "DescribeImages", "123456789012", again) == after
    assert after.encode() not in base64.urlsafe_b64decode(token) or len(after) < 3, "nobody reads what is in it"


@pytest.mark.parametrize(
    ("operation", "account", "question"),
    [
        ("DescribeImageTags", "123456789012", QUESTION),
        ("DescribeImages", "210987654321", QUESTION),
        ("DescribeImages", "123456789012", {"repositoryName": "team/other"}),
        ("DescribeImages", "123456789012", {**QUESTION, "registryId": "123456789012"}),
    ],
)
def test_a_token_is_good_for_nothing_else(operation: str, account: str, question: dict[str, Any]) -> None:
    token = pages().make("x", "DescribeImages", "123456789012", QUESTION)
    assert pages().read(token, operation, account, question) is None


def test_a_token_of_another_server_or_of_yesterday_counts_no_more() -> None:
    token = pages().make("x", "DescribeImages", "123456789012", QUESTION)
    assert pages(b"o" * 32).read(token, "DescribeImages", "123456789012", QUESTION) is None
    assert pages(now=NOW + SECONDS - 1).read(token, "DescribeImages", "123456789012", QUESTION) == "x"
    assert pages(now=NOW + SECONDS).read(token, "DescribeImages", "123456789012", QUESTION) is None


@given(st.integers(0), st.integers(1, 255))
def test_a_token_that_was_changed_anywhere_counts_no_more(place: int, change: int) -> None:
    sealed = bytearray(base64.urlsafe_b64decode(pages().make("library/node", "DescribeImages", "123456789012", QUESTION)))
    sealed[place % len(sealed)] ^= change
    token = base64.urlsafe_b64encode(bytes(sealed)).decode()
    assert pages().read(token, "DescribeImages", "123456789012", QUESTION) is None


@given(st.text(max_size=1000))
def test_no_text_of_a_stranger_is_a_token(text: str) -> None:
    assert pages().read(text, "DescribeImages", "123456789012", QUESTION) is None


def test_what_is_answered_must_be_in_the_model() -> None:
    output = ecr_public().operations["DescribeRegistries"].output
    assert output is not None
    assert rendered(output, {"registries": [], "nextToken": None}) == b'{"registries":[]}'
    with pytest.raises(LookupError, match="secretMember"):
        rendered(output, {"registries": [], "secretMember": 1})
    with pytest.raises(LookupError, match="registries"):
        rendered(output, {})


def test_times_have_milliseconds() -> None:
    output = ecr_public().operations["GetAuthorizationToken"].output
    assert output is not None
    made = rendered(output, {"authorizationData": {"expiresAt": 1_721_957_762.3014}})
    assert made == b'{"authorizationData":{"expiresAt":1721957762.301}}'


def test_functions_are_named_as_boto3_names_its_methods() -> None:
    assert function_name("BatchCheckLayerAvailability") == "batch_check_layer_availability"
    assert function_name("PutImage") == "put_image"
