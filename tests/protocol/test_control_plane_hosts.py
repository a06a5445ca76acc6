"""Under which names ECR Public's API and STS are answered, for which regions, and what is said elsewhere."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from tests.gallery import ACCOUNT, EVERYTHING, REGION, Gallery, Key, running_gallery
from tests.hub import Said, ask
from tests.mirror import running_mirror, wait_until
from tests.signing import Handmade, api_request, sign
from tests.tools import tool

FORM = ("Content-Type", "application/x-www-form-urlencoded")
GET_IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    users = {"owner": EVERYTHING, "stranger": (), "denied": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    with running_gallery(tmp_path_factory.mktemp("hosts"), users=users) as gallery:
        yield gallery


def under(gallery: Gallery, host: str, operation: str = "DescribeRegistries", region: str = REGION) -> Said:
    """Ask the usual listener under a host's name, signed for a region."""
    return sign(api_request(gallery.mirror.url, operation, host=host), gallery.key("owner"), region=region).send()


def who_am_i(gallery: Gallery, url: str, host: str, region: str = REGION, who: str = "owner") -> Said:
    request = api_request(url, "", GET_IDENTITY, host=host).without("X-Amz-Target").without("Content-Type").plus(FORM)
    return sign(request, gallery.key(who), service="sts", region=region).send()


@pytest.mark.parametrize(
    "host",
    [
        "api.ecr-public.us-east-1.amazonaws.com",
        "ecr-public.us-east-1.amazonaws.com",
        "ecr-public.us-east-1.api.aws",
        "API.ECR-Public.us-east-1.amazonaws.com",
        "api.ecr-public.us-east-1.amazonaws.com:8443",
        "api.ecr-public.us-east-1.amazonaws.com.",
    ],
)
def test_the_names_of_the_api_are_answered_by_the_usual_listener(gallery: Gallery, host: str) -> None:
    said = under(gallery, host)
    assert said.status == 200, said.body
    assert said.json["registries"][0]["registryId"] == ACCOUNT


@pytest.mark.parametrize(
    "host", ["api.ecr-public.us-west-2.amazonaws.com", "ecr-public.us-west-2.amazonaws.com", "ecr-public.us-west-2.api.aws"]
)
def test_us_west_2_gives_passwords_and_nothing_else(gallery: Gallery, host: str) -> None:
    assert under(gallery, host, "GetAuthorizationToken", "us-west-2").status == 200
    said = under(gallery, host, region="us-west-2")
    assert (said.status, said.json) == (
        400,
        {"__type": "UnsupportedCommandException", "message": "The action isn't supported in this Region."},
    )


def test_a_signature_for_another_region_than_the_hosts(gallery: Gallery) -> None:
    said = under(gallery, "api.ecr-public.us-east-1.amazonaws.com", "GetAuthorizationToken", "us-west-2")
    assert said.json["__type"] == "InvalidSignatureException"
    assert "Credential should be scoped to a valid region, not 'us-west-2'." in said.json["message"]


@pytest.mark.parametrize("host", ["api.ecr-public.ap-northeast-1.amazonaws.com", "ecr-public.eu-west-1.api.aws"])
def test_other_regions_have_no_such_host(gallery: Gallery, host: str) -> None:
    said = under(gallery, host, "GetAuthorizationToken", "ap-northeast-1")
    assert said.status == 421
    assert said.json["__type"] == "MisdirectedRequest"
    assert f"There is no {host}: AWS has no such host" in said.json["message"]
    assert ask(gallery.mirror.url + "/v2/", Host=host).status == 421, "not the registry under that name either"


@pytest.mark.parametrize(
    ("host", "region"),
    [("sts.amazonaws.com", "us-east-1"), ("sts.us-east-1.amazonaws.com", "us-east-1"), ("sts.eu-central-1.amazonaws.com", "eu-central-1")],
)
def test_sts_is_answered_for_every_region(gallery: Gallery, host: str, region: str) -> None:
    said = who_am_i(gallery, gallery.mirror.url, host, region)
    assert said.status == 200
    assert said.headers["content-type"] == "text/xml"
    assert b"<Account>123456789012</Account>" in said.body


def test_names_that_are_not_the_apis_are_the_registrys(gallery: Gallery) -> None:
    for host in ("api.ecr-public.us-east-1.amazonaws.com.evil.example", "evilapi.ecr-public.us-east-1.amazonaws.com", "s3.amazonaws.com"):
        said = ask(gallery.mirror.url + "/healthz", Host=host)
        assert (said.status, said.headers.get("x-amzn-requestid")) == (200, None)


def test_the_registry_does_not_answer_under_the_apis_names(gallery: Gallery) -> None:
    for path in ("/v2/", "/token/", "/_unhub/status", "/healthz"):
        said = ask(gallery.mirror.url + path, Host="api.ecr-public.us-east-1.amazonaws.com")
        assert (said.status, said.json["__type"]) == (400, "UnknownOperationException")


def test_the_port_of_its_own_takes_the_region_from_the_signature(gallery: Gallery) -> None:
    assert gallery.ask("owner", "DescribeRegistries", {}).status == 200
    assert gallery.ask("owner", "GetAuthorizationToken", {}, region="us-west-2").status == 200
    assert gallery.ask("owner", "DescribeRegistries", {}, region="us-west-2").json["__type"] == "UnsupportedCommandException"
    assert who_am_i(gallery, gallery.url, "127.0.0.1", "ap-northeast-1").status == 200


def test_the_names_count_at_the_port_of_its_own_too(gallery: Gallery) -> None:
    west = "api.ecr-public.us-west-2.amazonaws.com"
    said = sign(api_request(gallery.url, "DescribeRegistries", host=west), gallery.key("owner"), region="us-west-2").send()
    assert said.json["__type"] == "UnsupportedCommandException"
    assert ask(f"{gallery.url}/v2/").status == 400, "the registry is elsewhere"


def test_whoever_comes_without_an_sdk_is_told_how_to_ask(gallery: Gallery) -> None:
    for method in ("GET", "POST", "PUT"):
        said = ask(f"{gallery.url}/", method)
        assert said.status == 400
        assert said.json["__type"] == "UnknownOperationException"
        assert "ask it as `aws ecr-public … --endpoint-url URL` does" in said.json["message"]
    head = ask(f"{gallery.url}/", "HEAD")
    assert (head.status, head.body) == (400, b"")


def test_an_operation_that_nobody_knows(gallery: Gallery) -> None:
    for target in (
        "SpencerFrontendService.MakeCoffee",
        "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        "DescribeRegistries",
        ".",
    ):
        said = ask(f"{gallery.url}/", "POST", body=b"{}", X_Amz_Target=target)
        assert (said.status, said.json["__type"]) == (400, "UnknownOperationException")


def test_the_caller_of_sts_as_boto3_and_the_cli_see_it(gallery: Gallery) -> None:
    found = gallery.client("owner", "sts").get_caller_identity()
    assert (found["Account"], found["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/owner")
    assert found["UserId"].startswith("AIDA")
    assert found["ResponseMetadata"]["RequestId"]
    done = subprocess.run(
        [tool("aws"), "sts", "get-caller-identity"], capture_output=True, text=True, env=gallery.environment("owner"), check=True
    )
    assert json.loads(done.stdout) == {name: found[name] for name in ("UserId", "Account", "Arn")}


@pytest.mark.parametrize("who", ["stranger", "denied"])
def test_everybody_who_signs_may_know_who_they_are(gallery: Gallery, who: str) -> None:
    assert gallery.client(who, "sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{who}"


def test_a_session_of_a_role_is_named_as_at_aws(gallery: Gallery) -> None:
    def admin(what: str, **given: object) -> Any:
        headers = {"Authorization": f"Bearer {gallery.mirror.token}"}
        said = ask(f"{gallery.mirror.url}/_unhub/admin/{what}", "POST", body=json.dumps(given).encode(), **headers)
        assert said.status == 200, said.body
        return said.json

    admin("identity/create", kind="role", name="build")
    made = admin("key/create", kind="role", name="build", session="AWSCodeBuild-1")["access_key"]
    found = gallery.client(Key(made["id"], made["secret"], made["session_token"]), "sts").get_caller_identity()
    assert found["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/build/AWSCodeBuild-1"
    assert found["UserId"].startswith("AROA")
    assert found["UserId"].endswith(":AWSCodeBuild-1")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda sts: sts.get_session_token(), "InvalidAction"),
        (lambda sts: sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/build", RoleSessionName="xy"), "InvalidAction"),
    ],
)
def test_what_sts_does_not_do_here_is_an_error_that_boto3_reads(gallery: Gallery, call: Any, code: str) -> None:
    client = gallery.client("owner", "sts")
    with pytest.raises(client.exceptions.ClientError) as caught:
        call(client)
    assert caught.value.response["Error"]["Code"] == code
    assert "Could not find operation" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_sts_refuses_in_its_own_words(gallery: Gallery) -> None:
    unsigned = Handmade(gallery.mirror.url, "POST", "/", (("Host", "sts.amazonaws.com"), FORM), GET_IDENTITY).send()
    assert unsigned.status == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in unsigned.body
    swapped = who_am_i(gallery, gallery.mirror.url, "sts.amazonaws.com", "eu-central-1")
    assert b"<Code>SignatureDoesNotMatch</Code>" in swapped.body
    assert b"<Type>Sender</Type>" in swapped.body
    too_large = Handmade(gallery.mirror.url, "POST", "/", (("Host", "sts.amazonaws.com"), FORM), b"a=" + b"b" * 20_000).send()
    assert too_large.status == 413


def test_over_tls_both_listeners_have_the_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key, trust = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(trust))
    arguments = ["--tls-certificate", certificate, "--tls-key", key]
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, arguments=arguments) as gallery:
        assert gallery.url.startswith("https://127.0.0.1:")
        client: Any = boto3.client(  # pyright: ignore[reportUnknownMemberType]
            "ecr-public",
            region_name=REGION,
            endpoint_url=gallery.url,
            aws_access_key_id=gallery.key("owner").id,
            aws_secret_access_key=gallery.key("owner").secret,
            verify=str(trust),
            config=Config(retries={"total_max_attempts": 1}),
        )
        assert client.describe_registries()["registries"]
        client.close()
        context = ssl.create_default_context(cafile=str(trust))
        with urllib.request.urlopen(f"{gallery.mirror.url}/healthz", context=context) as answer:
            assert answer.status == 200


def test_in_mode_open_nobody_answers_for_aws(tmp_path: Path) -> None:
    with running_mirror(tmp_path, None, arguments=["--offline"]) as mirror:
        assert mirror.facts["api_urls"] == []
        said = ask(f"{mirror.url}/v2/", Host="api.ecr-public.us-east-1.amazonaws.com")
        assert said.status == 200
        assert ask(f"{mirror.url}/logo/a/b/{'0' * 64}.png").status == 404


def test_what_a_region_can_is_a_dated_fact_and_a_data_file_may_change_it(tmp_path: Path) -> None:
    row = (
        '[[api_support]]\nid = "us-west-2"\noperations = ["*"]\nsays = "all"\ndate = 2026-11-26\nsource = "tests"\nconfidence = "source"\n'
    )
    host = '[[api_host]]\nid = "api.ecr-public.{region}.amazonaws.com"\nservice = "ecr-public"\nregions = ["us-east-1", "eu-west-1"]\n'
    cited = 'says = "x"\ndate = 2026-11-26\nsource = "tests"\nconfidence = "source"\n'
    (tmp_path / "data.toml").write_text(row + host + cited)
    settings = '[data]\nfile = "data.toml"\n'
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, settings=settings) as gallery:
        assert gallery.ask("owner", "DescribeRegistries", {}, region="us-west-2").status == 200
        assert under(gallery, "api.ecr-public.us-west-2.amazonaws.com", region="us-west-2").status == 421
        there = under(gallery, "api.ecr-public.eu-west-1.amazonaws.com", region="eu-west-1")
        assert there.json["__type"] == "UnsupportedCommandException", "the name is there, and no operation"


def test_the_presigned_question_of_kubernetes_is_answered(gallery: Gallery) -> None:
    """``aws eks get-token`` signs this URL with a header of its own, and the cluster asks it."""
    url = f"{gallery.url}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": "cluster"})
    SigV4QueryAuth(gallery.key("stranger").credentials, "sts", REGION, expires=60).add_auth(request)
    assert ask(str(request.url), **{"x-k8s-aws-id": "cluster"}).status == 200
    assert ask(str(request.url), **{"x-k8s-aws-id": "another"}).status == 403


def test_the_port_of_its_own_stays_when_workers_are_replaced(gallery: Gallery) -> None:
    before = gallery.mirror.processes["worker 1"]
    gallery.mirror.kill("supervisor", signal.SIGHUP)
    wait_until(lambda: gallery.mirror.processes.get("worker 1") not in (None, before))
    client = gallery.client("owner", attempts=5)
    for _ in range(10):
        assert client.describe_registries()["registries"]


def test_the_introduction_says_where_the_api_is(gallery: Gallery) -> None:
    assert f"--endpoint-url {gallery.url}" in gallery.mirror.stderr
    assert gallery.mirror.facts["api_urls"] == [gallery.url]
