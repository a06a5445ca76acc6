"""The stand-in of Docker Hub answers as docker-hub.md says that Docker Hub does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.hub import ask, basic, bearer, docker_hub, manifest, small_image, small_index
from unhub.demo.catalogue import Entry
from unhub.demo.running import Hub
from unhub.demo.settings import Account
from unhub.image.manifest import ACCEPTED, DOCKER_MANIFEST, OCI_MANIFEST

ACCOUNTS = (Account(name="ci", password="secret-of-ci", private=("shop/*",)), Account(name="paid", password="secret-of-paid", limit=None))
CI, PAID = basic("ci", "secret-of-ci"), basic("paid", "secret-of-paid")
NODE = "library/node:20-alpine"


@pytest.fixture(scope="module")
def shared() -> Iterator[Hub]:
    with docker_hub(accounts=ACCOUNTS) as hub:
        hub.add(small_image("private"), "shop/web:1", private=True)
        yield hub


@pytest.fixture
def hub(shared: Hub) -> Iterator[Hub]:
    yield shared
    shared.refill()
    shared.forget()


def test_the_challenge_names_the_token_service_on_another_port(hub: Hub) -> None:
    said = ask(f"{hub.url}/v2/")
    assert said.status == 401
    assert said.headers["docker-distribution-api-version"] == "registry/2.0"
    assert said.headers["www-authenticate"] == f'Bearer realm="{hub.token_url}",service="registry.docker.io"'
    assert said.code == "UNAUTHORIZED"
    assert hub.token_url.removesuffix("/token") != hub.url

    said = ask(f"{hub.url}/v2/library/node/manifests/20-alpine", "HEAD")
    assert said.headers["www-authenticate"].endswith(',scope="repository:library/node:pull"')


def test_a_token_has_both_names_and_an_expiry(hub: Hub) -> None:
    said = ask(f"{hub.token_url}?service=registry.docker.io&scope=repository:library/node:pull")
    assert said.status == 200
    assert said.json["token"] == said.json["access_token"]
    assert said.json["expires_in"] == 300
    assert said.json["issued_at"].endswith("Z")
    assert ask(f"{hub.url}/v2/", Authorization=f"Bearer {said.json['token']}").status == 200


def test_a_manifest_comes_with_its_digest_type_and_length_by_head_too(hub: Hub) -> None:
    head, got = manifest(hub, NODE, "HEAD"), manifest(hub, NODE)
    assert (head.status, got.status, head.body) == (200, 200, b"")
    assert head.headers["docker-content-digest"] == got.headers["docker-content-digest"] == hub.digest(NODE)
    assert head.headers["etag"] == f'"{hub.digest(NODE)}"'
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
    assert head.headers["content-type"] == got.json["mediaType"]
    assert manifest(hub, f"library/node@{hub.digest(NODE)}").body == got.body


def test_a_token_opens_only_what_it_was_made_for(hub: Hub) -> None:
    token = bearer(hub, "library/alpine")
    said = ask(f"{hub.url}/v2/library/node/manifests/20-alpine", Authorization=token)
    assert (said.status, said.code) == (401, "DENIED")
    assert 'error="insufficient_scope"' in said.headers["www-authenticate"]
    both = ask(f"{hub.token_url}?scope=repository:library/node:pull&scope=repository:library/alpine:pull,push").json["token"]
    assert ask(f"{hub.url}/v2/library/node/manifests/20-alpine", Authorization=f"Bearer {both}").status == 200
    assert ask(f"{hub.url}/v2/library/alpine/manifests/3.19", Authorization=f"Bearer {both}").status == 200


@pytest.mark.parametrize("authorization", ["Bearer made.up.token", "Bearer ", CI, "Bearer \u00e9.\u00e9.\u00e9"])
def test_nothing_but_a_good_token_opens_the_registry(hub: Hub, authorization: str) -> None:
    said = ask(f"{hub.url}/v2/library/node/manifests/20-alpine", Authorization=authorization.encode("utf-8").decode("latin-1"))
    assert (said.status, said.code) == (401, "UNAUTHORIZED")


def test_a_token_expires() -> None:
    with docker_hub() as hub:
        token = bearer(hub)
        hub.advance(299)
        assert ask(f"{hub.url}/v2/", Authorization=token).status == 200
        hub.advance(2)
        said = ask(f"{hub.url}/v2/", Authorization=token)
        assert said.status == 401
        assert 'error="invalid_token"' in said.headers["www-authenticate"]


def test_private_and_unknown_repositories_are_refused_alike(hub: Hub) -> None:
    for name in ("shop/web:1", "shop/nothing:1", "library/nothing:1"):
        said = manifest(hub, name)
        assert (said.status, said.code, said.message) == (401, "DENIED", "requested access to the resource is denied")
    assert manifest(hub, "shop/web:1", login=PAID).status == 401
    assert manifest(hub, "shop/web:1", login=CI).status == 200


def test_what_is_not_there_is_said(hub: Hub) -> None:
    said = manifest(hub, "library/node:99")
    assert (said.status, said.code, said.message) == (404, "MANIFEST_UNKNOWN", "manifest unknown")
    said = ask(f"{hub.url}/v2/library/node/blobs/sha256:{'0' * 64}", Authorization=bearer(hub))
    assert (said.status, said.code) == (404, "BLOB_UNKNOWN")
    assert ask(f"{hub.url}/v2/library/node/referrers/{hub.digest(NODE)}", Authorization=bearer(hub)).status == 404
    assert ask(f"{hub.url}/v1/").status == 404
    assert ask(f"{hub.url}/v2/library/node/manifests/1", "PUT", body=b"{}", Authorization=bearer(hub)).status == 405


def test_a_wrong_password_is_refused_and_the_right_one_known(hub: Hub) -> None:
    said = ask(hub.token_url, Authorization=basic("ci", "wrong"))
    assert (said.status, said.json) == (401, {"details": "incorrect username or password"})
    assert ask(hub.token_url, Authorization="Basic !!!").status == 401
    assert ask(hub.token_url, Authorization=CI).status == 200


def test_oauth_clients_post_their_password_and_refresh(hub: Hub) -> None:
    scope = {"service": "registry.docker.io", "scope": "repository:shop/web:pull", "client_id": "test"}
    login = {"grant_type": "password", "username": "ci", "password": "secret-of-ci", "access_type": "offline"}
    said = ask(hub.token_url, "POST", body=urlencode({**scope, **login}).encode())
    assert ask(f"{hub.url}/v2/shop/web/manifests/1", Authorization=f"Bearer {said.json['access_token']}").status == 200
    again = {"grant_type": "refresh_token", "refresh_token": said.json["refresh_token"]}
    said = ask(hub.token_url, "POST", body=urlencode({**scope, **again}).encode())
    assert ask(f"{hub.url}/v2/shop/web/manifests/1", Authorization=f"Bearer {said.json['access_token']}").status == 200
    assert ask(hub.token_url, "POST", body=urlencode({**login, "password": "no"}).encode()).status == 401


def test_tags_come_in_pages_in_their_order() -> None:
    tags = [f"{number}" for number in (1, 10, 2, 20, 3)]
    with docker_hub(images=[Entry("a/b", tag, small_image(tag)) for tag in tags]) as hub:
        token, url, seen = bearer(hub, "a/b"), f"{hub.url}/v2/a/b/tags/list?n=2", list[str]()
        while True:
            said = ask(url, Authorization=token)
            seen += said.json["tags"]
            if "link" not in said.headers:
                break
            path, _, rest = said.headers["link"].removeprefix("<").partition(">")
            assert rest == '; rel="next"'
            url = hub.url + path
        assert seen == sorted(tags)
        assert ask(f"{hub.url}/v2/a/b/tags/list?n=0", Authorization=token).json["tags"] == []
        assert ask(f"{hub.url}/v2/a/b/tags/list?n=-1", Authorization=token).code == "PAGINATION_NUMBER_INVALID"
        assert ask(f"{hub.url}/v2/a/b/tags/list?last=zzz&n=99999999999", Authorization=token).json["tags"] == []


def test_a_client_that_accepts_no_index_gets_an_image_or_nothing(hub: Hub) -> None:
    listed = small_index(style="docker")
    hub.add(listed, "library/old:1")
    hub.add(small_index("oci"), "library/new:1")
    assert manifest(hub, "library/old:1", Accept=DOCKER_MANIFEST).headers["docker-content-digest"] == listed.platform("linux/amd64").digest
    assert manifest(hub, "library/new:1", Accept=OCI_MANIFEST).status == 404
    for accept in (",".join(ACCEPTED), "*/*"):
        assert manifest(hub, "library/old:1", Accept=accept).headers["docker-content-digest"] == listed.digest
    assert manifest(hub, f"library/old@{listed.digest}", Accept=DOCKER_MANIFEST).headers["docker-content-digest"] == listed.digest


def test_several_accept_lines_count_together(hub: Hub) -> None:
    import http.client

    token = bearer(hub)
    connection = http.client.HTTPConnection(hub.address, timeout=20)
    connection.putrequest("HEAD", "/v2/library/node/manifests/20-alpine")
    for accept in ACCEPTED[::-1]:
        connection.putheader("Accept", accept)
    connection.putheader("Authorization", token)
    connection.endheaders()
    assert connection.getresponse().getheader("Docker-Content-Digest") == hub.digest(NODE)
    connection.close()


def test_requests_are_in_the_log_and_secrets_are_not(hub: Hub) -> None:
    manifest(hub, NODE, "HEAD", login=CI)
    ask(f"{hub.url}/v2/", Authorization="Bearer a.b.c")
    [login] = hub.asked(kind="token")
    [head] = hub.asked(kind="manifest", method="HEAD")
    assert (login.authorization, login.caller, head.caller, head.status) == ("basic", "account ci", "account ci", 200)
    assert "scope=repository:library/node:pull" in login.query
    text = repr(hub.requests) + repr(hub.settings)
    assert "secret-of" not in text
    assert "a.b.c" not in text


def test_the_api_of_the_web_site_lists_tags(hub: Hub) -> None:
    assert hub.api_url is not None
    said = ask(f"{hub.api_url}/v2/repositories/library/alpine/tags?page_size=2")
    assert (said.json["count"], [row["name"] for row in said.json["results"]]) == (3, ["3.19", "3.19.1"])
    said = ask(hub.api_url + said.json["next"])
    assert [row["name"] for row in said.json["results"]] == ["latest"]
    one = ask(f"{hub.api_url}/v2/namespaces/library/repositories/node/tags/20-alpine")
    assert one.json["digest"] == hub.digest(NODE)
    assert ask(f"{hub.api_url}/v2/repositories/shop/web/tags").status == 404
    assert ask(f"{hub.api_url}/v2/repositories/library/node/tags/nothing").status == 404


def test_tags_move_and_the_old_image_stays_to_be_had_by_digest(hub: Hub) -> None:
    first, second = small_image("first"), small_image("second")
    hub.add(first, "library/moving:1")
    hub.add(second, "library/moving:1")
    assert manifest(hub, "library/moving:1", "HEAD").headers["docker-content-digest"] == second.digest
    assert manifest(hub, f"library/moving@{first.digest}", "HEAD").status == 200
    hub.remove("library/moving:1")
    assert manifest(hub, "library/moving:1", "HEAD").status == 404


def test_unsettled_things_can_be_set() -> None:
    with docker_hub(token_names=("access_token",), say_expiry=False, realm="https://auth.example/token", redirect_status=302) as hub:
        assert list(ask(f"{hub.token_url}?scope=repository:library/node:pull").json) == ["access_token"]
        assert 'realm="https://auth.example/token"' in ask(f"{hub.url}/v2/").headers["www-authenticate"]
        token = ask(f"{hub.token_url}?scope=repository:library/alpine:pull").json["access_token"]
        layer = json.loads(
            ask(f"{hub.url}/v2/library/alpine/manifests/3.19", Accept=DOCKER_MANIFEST, Authorization=f"Bearer {token}").body
        )["layers"][0]
        assert ask(f"{hub.url}/v2/library/alpine/blobs/{layer['digest']}", Authorization=f"Bearer {token}").status == 302
