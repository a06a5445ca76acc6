"""The stand-in of ECR Public answers as ecr-public.md says that ECR Public does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.hub import ask, aws_endpoint, basic, bearer, docker_hub, ecr_public, manifest, small_image
from unhub.demo.running import Hub
from unhub.demo.tokens import authorization_token

NODE = "docker/library/node:20-alpine"
PATH = "/v2/docker/library/node/manifests/20-alpine"


@pytest.fixture(scope="module")
def shared() -> Iterator[Hub]:
    with ecr_public() as hub:
        yield hub


@pytest.fixture
def ecr(shared: Hub) -> Iterator[Hub]:
    yield shared
    shared.refill()
    shared.forget()


def anonymous(ecr: Hub) -> str:
    return f"Bearer {ask(ecr.token_url).json['token']}"


def test_the_challenge_is_the_peculiar_one(ecr: Hub) -> None:
    said = ask(f"{ecr.url}/v2/")
    assert said.status == 401
    assert said.headers["www-authenticate"] == f'Bearer realm="{ecr.url}/token/",service="public.ecr.aws",scope="aws"'
    assert said.headers["content-type"] == "application/json; charset=utf-8"
    assert said.headers["docker-distribution-api-version"] == "registry/2.0"
    assert said.headers["content-length"] == "58"
    assert said.body == b'{"errors":[{"code":"DENIED","message":"Not Authorized"}]}\n'


@pytest.mark.parametrize("query", ["", "?service=public.ecr.aws&scope=aws", "?scope=repository:docker/library/node:pull"])
def test_a_token_without_a_login_holds_an_hour_whatever_the_scope(ecr: Hub, query: str) -> None:
    said = ask(f"{ecr.token_url}{query}")
    assert (said.status, list(said.json)) == (200, ["token"])
    record = ecr.requests[-1]
    assert json.loads(base64.b64decode(said.json["token"]))["expiration"] == pytest.approx(record.time + 3600, abs=2)
    assert ask(ecr.url + PATH, Authorization=f"Bearer {said.json['token']}").status == 200


@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Bearer ", "Bearer eyJhIjoxfQ==", basic("AWS", "anything"), "Negotiate abc"])
def test_anything_but_a_good_bearer_is_400_without_a_challenge(ecr: Hub, authorization: str) -> None:
    said = ask(ecr.url + PATH, Authorization=authorization)
    assert said.status == 400
    assert "www-authenticate" not in said.headers
    assert said.headers["content-length"] == "80"
    assert said.body == b'{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}\n'


def test_an_expired_bearer_is_400_too() -> None:
    with ecr_public() as ecr:
        token = anonymous(ecr)
        ecr.advance(3601)
        assert ask(ecr.url + PATH, Authorization=token).status == 400


def test_a_login_opens_token_and_its_token_the_registry(ecr: Hub) -> None:
    said = ask(ecr.token_url, Authorization=basic("AWS", ecr.password()))
    assert said.status == 200
    assert ask(ecr.url + PATH, Authorization=f"Bearer {said.json['token']}").status == 200
    assert ecr.requests[-1].caller == "account 123456789012"


def test_an_authorization_token_is_a_bearer_as_it_is(ecr: Hub) -> None:
    token = authorization_token(ecr.password())
    assert token.startswith("QVdTOmV5Sndha"[:11])
    assert ask(ecr.url + PATH, Authorization=f"Bearer {token}").status == 200


def test_an_expired_login_is_refused_although_nobody_would_be_let_in(ecr: Hub) -> None:
    said = ask(ecr.token_url, Authorization=basic("AWS", ecr.password(seconds=-1)))
    assert (said.status, said.code) == (403, "DENIED")
    assert said.message == "Your authorization token has expired. Reauthenticate and try again."
    assert ask(ecr.token_url).status == 200


@pytest.mark.parametrize("authorization", [basic("AWS", "wrong"), basic("me", "wrong"), "Basic ???", "Bearer abc"])
def test_a_login_that_is_none_is_refused(ecr: Hub, authorization: str) -> None:
    assert ask(ecr.token_url, Authorization=authorization).status == 400


def test_the_password_has_the_documented_shape(ecr: Hub) -> None:
    password = ecr.password()
    assert ":" not in password
    content = json.loads(base64.b64decode(password))
    assert list(content) == ["payload", "datakey", "version", "type", "expiration"]
    assert content["type"] == "DATA_KEY"
    assert 2500 < len(authorization_token(password)) < 4000


def test_only_docker_library_is_there(ecr: Hub) -> None:
    token = anonymous(ecr)
    said = ask(f"{ecr.url}/v2/docker/node/manifests/20-alpine", Authorization=token)
    assert (said.status, said.code) == (404, "NAME_UNKNOWN")
    assert said.message == "The repository with name 'node' does not exist in the registry with id 'docker'"
    assert ask(f"{ecr.url}/v2/docker/dockerfile/manifests/1", Authorization=token).status == 404
    said = ask(f"{ecr.url}/v2/docker/library/node/manifests/99", Authorization=token)
    assert (said.status, said.code, said.message) == (404, "MANIFEST_UNKNOWN", "Requested image not found")


def test_its_images_are_docker_hubs(ecr: Hub) -> None:
    with docker_hub() as hub:
        assert ecr.digest(NODE) == hub.digest("library/node:20-alpine")
        assert manifest(ecr, NODE, "HEAD").headers["docker-content-digest"] == hub.digest("library/node:20-alpine")


def test_it_says_nothing_of_its_limits(ecr: Hub) -> None:
    assert not [name for name in manifest(ecr, NODE).headers if "ratelimit" in name]


def test_the_rate_is_felt_by_address_and_by_account() -> None:
    with ecr_public(rate=1, account_rate=10, burst=2) as ecr:
        token, login = bearer(ecr), bearer(ecr, authorization=basic("AWS", ecr.password()))
        statuses = [ask(ecr.url + PATH, method, Authorization=token).status for method in ("GET", "HEAD", "GET")]
        assert statuses == [200, 200, 429]
        said = ask(ecr.url + PATH, Authorization=token)
        assert (said.status, said.code, said.message) == (429, "TOOMANYREQUESTS", "Rate exceeded")
        assert ask(ecr.url + PATH, source="127.0.0.9", Authorization=token).status == 200
        assert [ask(ecr.url + PATH, Authorization=login).status for _ in range(10)] == [200] * 10
        assert ask(f"{ecr.url}/v2/docker/library/node/tags/list", Authorization=token).status == 200
        ecr.advance(1)
        assert ask(ecr.url + PATH, Authorization=token).status == 200


def test_whether_head_counts_can_be_set() -> None:
    with ecr_public(rate=1, burst=1, head_counts=False) as ecr:
        token = bearer(ecr)
        assert [ask(ecr.url + PATH, "HEAD", Authorization=token).status for _ in range(5)] == [200] * 5
        assert [ask(ecr.url + PATH, Authorization=token).status for _ in range(2)] == [200, 429]


def test_the_bytes_of_a_month_run_out_without_a_login_only() -> None:
    with ecr_public(data_limit=1) as ecr:
        token, login = bearer(ecr), bearer(ecr, authorization=basic("AWS", ecr.password()))
        index = ask(ecr.url + PATH, Authorization=token).json
        child = ask(f"{ecr.url}/v2/docker/library/node/manifests/{index['manifests'][0]['digest']}", Authorization=token).json
        layer = f"{ecr.url}/v2/docker/library/node/blobs/{child['layers'][0]['digest']}"
        assert ask(layer, Authorization=token).status == 307
        said = ask(ecr.url + PATH, Authorization=token)
        assert (said.status, said.code, said.message) == (429, "TOOMANYREQUESTS", "Data limit exceeded")
        assert ask(layer, Authorization=token).status == 429
        assert ask(ecr.url + PATH, Authorization=login).status == 200
        ecr.advance(31 * 86400)
        assert ask(ecr.url + PATH, Authorization=bearer(ecr)).status == 200


@pytest.mark.parametrize(("kind", "text"), [(None, "Data limit exceeded"), ("data", "Data limit exceeded"), ("rate", "Rate exceeded")])
def test_limits_are_reached_on_command(ecr: Hub, kind: str | None, text: str) -> None:
    ecr.exhaust(kind)
    assert manifest(ecr, NODE).message == text
    ecr.refill()
    assert manifest(ecr, NODE).status == 200


def test_it_may_lag_lack_tags_and_lack_layers() -> None:
    with (
        docker_hub() as hub,
        ecr_public({"library/node:20-alpine": "lag", "library/golang:1.22-alpine": "missing", "library/nginx": "no-layers"}) as ecr,
    ):
        older = ecr.digest(NODE)
        assert older != hub.digest("library/node:20-alpine")
        assert manifest(hub, f"library/node@{older}", "HEAD").status == 200
        assert manifest(ecr, "docker/library/golang:1.22-alpine").code == "MANIFEST_UNKNOWN"
        assert manifest(ecr, "docker/library/golang:1.22.1-alpine3.19").status == 200
        token = bearer(ecr)
        child = manifest(ecr, "docker/library/nginx:1.25-alpine").json["manifests"][0]["digest"]
        layers = manifest(ecr, f"docker/library/nginx@{child}").json["layers"]
        for layer in layers:
            assert ask(f"{ecr.url}/v2/docker/library/nginx/blobs/{layer['digest']}", "HEAD", Authorization=token).status == 404


def test_passwords_of_the_aws_endpoint_open_it(ecr: Hub) -> None:
    with aws_endpoint() as aws:
        signed = (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261125/us-east-1/ecr-public/aws4_request, SignedHeaders=host, Signature=0"
        )
        dated = "20991125T000000Z"
        aws.set(skew=10**10)
        target = "SpencerFrontendService.GetAuthorizationToken"
        said = ask(f"{aws.url}/", "POST", body=b"{}", Authorization=signed, X_Amz_Target=target, X_Amz_Date=dated)
        token = said.json["authorizationData"]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    assert ask(ecr.token_url, Authorization=basic("AWS", password)).status == 200
    assert ecr.requests[-1].caller == "account AKIAIOSFODNN7EXAMPLE"


def test_the_status_of_an_expired_login_can_be_set() -> None:
    with ecr_public(expired_status=400) as ecr:
        assert ask(ecr.token_url, Authorization=basic("AWS", ecr.password(seconds=-1))).status == 400


def test_images_can_be_added(ecr: Hub) -> None:
    made = small_image("mine")
    assert ecr.add(made, "amazonlinux/amazonlinux:2023") == made.digest
    assert manifest(ecr, "amazonlinux/amazonlinux:2023").status == 200
