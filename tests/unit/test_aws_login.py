"""ECR Public's password comes from the right region, and every failure of AWS is explained."""

from __future__ import annotations

import base64
import builtins
import datetime
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions

from tests.aws_stand_in import ACCESS_KEY, SECRET_KEY, StandIn, a_password, a_token, aws_stand_in, nobody
from unhub.aws.failures import Asked, explained
from unhub.aws.login import checked_region, expiry_of, fetch_password
from unhub.data.aws import api_regions, fetching_helpers, public_registries, registry_password
from unhub.image.errors import AwsError, MissingExtra, UsageError

ASKED = Asked("get ECR Public's password", "us-east-1")


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with aws_stand_in() as stand_in:
        settle(monkeypatch, stand_in.environment(str(tmp_path)))
        yield stand_in


def settle(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def scope(headers: dict[str, str]) -> tuple[str, str]:
    """Region and service that a request is signed for."""
    parts = headers["Authorization"].split("Credential=")[1].split(",")[0].split("/")
    return parts[2], parts[3]


def test_the_password_comes_from_us_east_1_whatever_the_default_region_is(aws: StandIn) -> None:
    password = fetch_password()
    assert (password.username, password.password, password.region) == ("AWS", aws.passwords[0], "us-east-1")
    assert [scope(headers) for headers in aws.asked] == [("us-east-1", "ecr-public")]
    left = password.expires_at - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=11.9) < left < datetime.timedelta(hours=12.1)
    assert password.expires_at.tzinfo is datetime.UTC


def test_us_west_2_is_asked_on_request_and_no_other_region_ever(aws: StandIn) -> None:
    assert fetch_password(region="us-west-2").region == "us-west-2"
    assert scope(aws.asked[0]) == ("us-west-2", "ecr-public")
    with pytest.raises(UsageError, match="only in us-east-1 and us-west-2") as caught:
        fetch_password(region="ap-northeast-1")
    assert caught.value.hint
    assert "Cannot perform an interactive login from a non TTY device" in caught.value.hint
    assert len(aws.asked) == 1
    assert checked_region(None) == "us-east-1"


def test_a_profile_gives_credentials_and_its_region_does_not_count(aws: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"[profile build]\nregion = eu-west-1\naws_access_key_id = AKIABUILD\naws_secret_access_key = {SECRET_KEY}\n"
    )
    fetch_password(profile="build")
    assert "Credential=AKIABUILD/" in aws.asked[0]["Authorization"]
    assert scope(aws.asked[0])[0] == "us-east-1"


def test_the_facts_are_dated_data() -> None:
    assert api_regions() == ("us-east-1", "us-west-2")
    assert public_registries() == ("public.ecr.aws", "ecr-public.aws.com")
    assert fetching_helpers() == {"unhub", "ecr-login"}
    assert (registry_password().username, registry_password().hours) == ("AWS", 12)
    assert registry_password().date.year >= 2026


@pytest.mark.parametrize(
    ("code", "message", "cause", "hint"),
    [
        (
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: ecr-public:GetAuthorizationToken on resource: *",
            "the permission ecr-public:GetAuthorizationToken is missing",
            "`unhub iam-policy`",
        ),
        (
            "AccessDeniedException",
            "User: x is not authorized to perform: sts:GetServiceBearerToken on resource: * because no identity-based policy allows the "
            "sts:GetServiceBearerToken action",
            "the permission sts:GetServiceBearerToken is missing",
            "`unhub iam-policy`",
        ),
        (
            "AccessDeniedException",
            "User: x is not authorized to perform: ecr-public:GetAuthorizationToken on resource: * with an explicit deny in an "
            "identity-based policy",
            "ecr-public:GetAuthorizationToken is denied by a policy",
            "explicit deny",
        ),
        ("AccessDeniedException", "", "a permission is missing", "`unhub iam-policy`"),
        ("ExpiredTokenException", "The security token included in the request is expired", "have expired", "aws sso login"),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "does not know the access key",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
            "secret key",
            "AWS_SECRET",
        ),
        (
            "InvalidSignatureException",
            "Signature expired: 20191029T154623Z is now earlier than 20191029T163344Z (20191029T164844Z - 15 min.)",
            "this machine's clock is wrong",
            "Set the clock",
        ),
        ("RequestTimeTooSkewed", "", "this machine's clock is wrong", "Set the clock"),
        ("UnsupportedCommandException", "The action isn't supported in this Region.", "in us-east-1 does not do that", "us-east-1"),
        ("MissingAuthenticationTokenException", "Missing Authentication Token", "without a whole signature", "proxy"),
        ("OptInRequired", "The AWS Access Key Id needs a subscription for the service", "not active", "registration"),
        ("SomethingNewException", "words", "AWS refused", "`unhub doctor`"),
    ],
)
def test_what_aws_refuses_is_explained_with_its_code(aws: StandIn, code: str, message: str, cause: str, hint: str) -> None:
    aws.refuse(code, message)
    with pytest.raises(AwsError) as caught:
        fetch_password()
    assert caught.value.aws_code == code
    assert caught.value.message.startswith("cannot get ECR Public's password: ")
    assert cause in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint
    assert hint in caught.value.hint
    assert caught.value.exit_status == 5


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 400), ("ServerException", 500)])
def test_what_may_pass_is_tried_three_times(aws: StandIn, code: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    aws.refuse(code, "Rate exceeded", status)
    with pytest.raises(AwsError) as caught:
        fetch_password()
    assert (caught.value.aws_code, len(aws.asked)) == (code, 3)


@pytest.mark.parametrize(
    "token",
    [
        "AWSpassword",
        ":password",
        "AWS:",
        "AWS:two words",
        "AWS:line\nline",
        "AWS:\x1b[31mred",
    ],
)
def test_a_token_that_is_no_pair_is_told(aws: StandIn, token: str) -> None:
    aws.answer({"authorizationData": {"authorizationToken": base64.b64encode(token.encode()).decode(), "expiresAt": 1.0}})
    with pytest.raises(AwsError, match=r"no authorizationToken that is USER:PASSWORD"):
        fetch_password()


@pytest.mark.parametrize("body", [{}, {"authorizationData": {}}, {"authorizationData": {"authorizationToken": "%%%"}}, []])
def test_an_answer_without_a_token_is_told(aws: StandIn, body: object) -> None:
    aws.answer(body)
    with pytest.raises(AwsError):
        fetch_password()


def test_a_page_of_a_proxy_in_place_of_an_answer_is_told(aws: StandIn) -> None:
    aws.status, aws.body = 403, b"<html><body>Blocked by policy</body></html>"
    with pytest.raises(AwsError, match="the answer is not one of AWS's") as caught:
        fetch_password()
    assert caught.value.hint
    assert "proxy" in caught.value.hint
    aws.answer(b"<html></html>")
    with pytest.raises(AwsError):
        fetch_password()


def test_without_an_end_in_the_answer_the_passwords_own_counts(aws: StandIn) -> None:
    end = float(int(time.time()) + 3600)
    answer = a_token(end)
    del answer["authorizationData"]["expiresAt"]
    aws.answer(answer)
    assert fetch_password().expires_at.timestamp() == end
    aws.answer({"authorizationData": {"authorizationToken": base64.b64encode(b"AWS:opaque").decode()}})
    left = fetch_password().expires_at - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=11.9) < left <= datetime.timedelta(hours=12)


def test_the_end_that_a_password_names(aws: StandIn) -> None:
    del aws
    assert expiry_of(a_password(1721957762)) == datetime.datetime(2024, 7, 26, 1, 36, 2, tzinfo=datetime.UTC)
    for other in ("", "%", "opaque", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"expiration": 1e99}').decode()):
        assert expiry_of(other) is None


def test_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, nobody(str(tmp_path)))
    with pytest.raises(AwsError, match="there are no AWS credentials") as caught:
        fetch_password()
    assert caught.value.aws_code is None
    with pytest.raises(AwsError, match="there is no profile 'gone'"):
        fetch_password(profile="gone")


def test_an_endpoint_that_is_not_there_is_told(aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", "http://127.0.0.1:9/")
    with pytest.raises(AwsError, match=r"http://127.0.0.1:9/ cannot be reached"):
        fetch_password()
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", "no url at all")
    with pytest.raises(AwsError, match="no url at all"):
        fetch_password()
    assert aws.asked == []


@pytest.mark.parametrize(
    ("error", "cause", "hint"),
    [
        (exceptions.UnauthorizedSSOTokenError(), "SSO session has expired", "aws sso login"),
        (exceptions.SSOTokenLoadError(error_msg="no token"), "SSO session has expired", "aws sso login"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="Token has expired"), "SSO session has expired", "aws sso login"),
        (exceptions.LoginRefreshRequired(), "session has expired", "aws login"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"), "aws_secret_access_key", "go together"),
        (exceptions.CredentialRetrievalError(provider="custom-process", error_msg="exit 1"), "custom-process", "credential_process"),
        (exceptions.MetadataRetrievalError(error_msg="timeout"), "timeout", "metadata"),
        (exceptions.ConfigParseError(path="/x/config"), "/x/config", "~/.aws/config"),
        (exceptions.RefreshWithMFAUnsupportedError(), "MFA", "session"),
        (EOFError(), "MFA", "session"),
        (exceptions.SSLError(endpoint_url="https://e", error="self-signed certificate"), "self-signed", "AWS_CA_BUNDLE"),
        (exceptions.ProxyConnectionError(proxy_url="http://proxy:1"), "http://proxy:1 cannot be reached", "HTTPS_PROXY"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://e"), "https://e did not answer in time", "firewall"),
        (exceptions.ReadTimeoutError(endpoint_url="https://e"), "https://e did not answer in time", "firewall"),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://api.ecr-public.us-east-1.amazonaws.com/"),
            "https://api.ecr-public.us-east-1.amazonaws.com/ cannot be reached",
            "the region us-east-1 is right",
        ),
        (RuntimeError("odd"), "odd", "`unhub doctor`"),
    ],
)
def test_what_never_reached_aws_is_explained(error: Exception, cause: str, hint: str) -> None:
    found = explained(error, ASKED)
    assert (found.aws_code, cause in found.message, hint in str(found.hint)) == (None, True, True), str(found)


def test_a_hint_names_the_profile() -> None:
    assert explained(exceptions.UnauthorizedSSOTokenError(), Asked("x", "us-east-1", "build")).hint == "Run: aws sso login --profile build"


def test_a_role_that_may_not_be_assumed_is_told_as_such() -> None:
    error = exceptions.ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: sts:AssumeRole"}}, "AssumeRole"
    )
    assert "the permission sts:AssumeRole is missing; AWS said to AssumeRole: AccessDenied" in explained(error, ASKED).message


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_boto3(name: str, *rest: Any) -> Any:
        if name.startswith("boto"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_boto3)
    with pytest.raises(MissingExtra, match="'aws' is not installed") as caught:
        fetch_password()
    assert caught.value.hint == "Install it: pip install 'unhub[aws]'"


def test_no_secret_is_logged_whatever_the_level(aws: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("boto3", "botocore", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    password = fetch_password()
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert aws.passwords[0] not in logged
    assert SECRET_KEY not in logged
    assert ACCESS_KEY not in logged
    assert logging.getLogger("botocore").level == logging.DEBUG, "the level is put back"
    assert password.password not in repr(password)
