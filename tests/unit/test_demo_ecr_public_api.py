"""The AWS endpoint, asked by hand, by boto3 and by the real aws CLI."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import ask, aws_endpoint, aws_environment, basic, ecr_public
from unhub.demo.running import Api

OPERATION = "SpencerFrontendService.GetAuthorizationToken"
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261125/us-east-1/ecr-public/aws4_request, SignedHeaders=host, Signature=0"


@pytest.fixture
def aws() -> Iterator[Api]:
    with aws_endpoint() as running:
        yield running


def aws_cli(aws: Api, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("aws")
    env = {**os.environ, **aws_environment(aws), "AWS_MAX_ATTEMPTS": "2", **environment}
    return subprocess.run([program, "ecr-public", *arguments], capture_output=True, text=True, check=False, env=env, timeout=60)


def boto3_client(aws: Api) -> Any:
    import boto3
    from botocore.config import Config

    named = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    return boto3.client("ecr-public", endpoint_url=aws.url, config=Config(retries={"total_max_attempts": 1}), **named)


def test_the_aws_cli_prints_a_password_that_opens_ecr_public(aws: Api) -> None:
    done = aws_cli(aws, "get-login-password", "--region", "us-east-1")
    assert (done.returncode, done.stderr) == (0, "")
    with ecr_public() as ecr:
        assert ask(ecr.token_url, Authorization=basic("AWS", done.stdout.strip())).status == 200


def test_boto3_gets_a_token_for_twelve_hours(aws: Api) -> None:
    client = boto3_client(aws)
    data = client.get_authorization_token()["authorizationData"]
    client.close()
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:eyJwYXls")
    assert data["expiresAt"].timestamp() == pytest.approx(aws.requests[0].time + 12 * 3600, abs=5)
    assert aws.requests[0].caller == "account AKIAIOSFODNN7EXAMPLE"
    assert aws.requests[0].authorization == "aws4-hmac-sha256"


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        (
            {"denied": "sts:GetServiceBearerToken"},
            "AccessDeniedException",
            "because no identity-based policy allows the sts:GetServiceBearerToken action",
        ),
        (
            {"denied": "ecr-public:GetAuthorizationToken"},
            "AccessDeniedException",
            "not authorized to perform: ecr-public:GetAuthorizationToken on resource: *",
        ),
        ({"denied": "ecr-public:GetAuthorizationToken", "explicit": True}, "AccessDeniedException", "on resource: * with an explicit deny"),
        ({"expired_credentials": True}, "ExpiredTokenException", "The security token included in the request is expired"),
        ({"known_keys": frozenset({"AKIAOTHER"})}, "UnrecognizedClientException", "The security token included in the request is invalid."),
        ({"throttled": -1}, "ThrottlingException", "Rate exceeded"),
        ({"clock_offset": 3600}, "InvalidSignatureException", "is now earlier than"),
        ({"clock_offset": -3600}, "InvalidSignatureException", "is still later than"),
    ],
)
def test_refusals_reach_the_aws_cli_in_their_words(aws: Api, settings: dict[str, Any], code: str, text: str) -> None:
    aws.set(**settings)
    done = aws_cli(aws, "get-login-password", AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 255
    assert f"An error occurred ({code}) when calling the GetAuthorizationToken operation" in done.stderr
    assert text in done.stderr


def test_throttling_ends_after_some_requests(aws: Api) -> None:
    aws.set(throttled=1)
    client = boto3_client(aws)
    with pytest.raises(client.exceptions.ClientError, match="Rate exceeded"):
        client.get_authorization_token()
    assert client.get_authorization_token()["authorizationData"]
    client.close()


def test_the_date_header_shows_a_clock_that_is_wrong(aws: Api) -> None:
    aws.set(clock_offset=-20 * 365 * 86400)
    assert " 200" in ask(f"{aws.url}/", "POST", body=b"{}").headers["date"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": CREDENTIAL, "X_Amz_Target": "SpencerFrontendService.DescribeRepositories"}, "UnsupportedCommandException"),
        ({"Authorization": CREDENTIAL, "X_Amz_Target": "SpencerFrontendService.Nothing"}, "UnknownOperationException"),
        ({"Authorization": CREDENTIAL}, "UnknownOperationException"),
        ({"X_Amz_Target": OPERATION}, "MissingAuthenticationTokenException"),
    ],
)
def test_everything_else_is_refused_in_json_1_1(aws: Api, headers: dict[str, str], code: str) -> None:
    aws.set(skew=10**10)
    said = ask(f"{aws.url}/", "POST", body=b"{}", X_Amz_Date="20261125T000000Z", **headers)
    assert (said.status, said.json["__type"]) == (400, code)
    assert said.headers["content-type"] == "application/x-amz-json-1.1"
    assert said.headers["x-amzn-requestid"]


def test_a_bad_date_and_another_method_are_refused(aws: Api) -> None:
    said = ask(f"{aws.url}/", "POST", body=b"{}", X_Amz_Date="yesterday", Authorization=CREDENTIAL, X_Amz_Target=OPERATION)
    assert said.json["__type"] == "InvalidSignatureException"
    assert ask(f"{aws.url}/").status == 400


def test_faults_strike_here_too(aws: Api) -> None:
    aws.fault("status", status=503, text="unavailable")
    assert ask(f"{aws.url}/", "POST", body=b"{}").status == 503
    assert ask(f"{aws.url}/", "POST", body=b"{}").status == 400
