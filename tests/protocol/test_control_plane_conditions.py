"""What policies can see of a request to ECR Public's API: tags of the repository and of the request, address, region and client."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.gallery import ACCOUNT, EVERYTHING, Gallery, Key, Statement, running_gallery
from tests.hub import Said, ask
from tests.mirror import wait_until


def allowed(condition: dict[str, dict[str, Any]]) -> list[Statement]:
    return [{"Effect": "Allow", "Action": "ecr-public:*", "Resource": "*", "Condition": condition}]


USERS: dict[str, Any] = {
    "owner": EVERYTHING,
    "web-team": allowed({"StringEquals": {"ecr-public:ResourceTag/team": "web"}}),
    "web-team-global": allowed({"StringEquals": {"aws:ResourceTag/team": "web"}}),
    "must-tag": allowed({"StringLike": {"aws:RequestTag/team": "w*"}}),
    "two-keys": allowed({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]}, "Null": {"aws:TagKeys": "false"}}),
    "from-here": allowed({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
    "from-elsewhere": allowed({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
    "only-tls": allowed({"Bool": {"aws:SecureTransport": "true"}}),
    "only-west": allowed({"StringEquals": {"aws:RequestedRegion": "us-west-2"}}),
    "only-boto": allowed({"StringLike": {"aws:UserAgent": "Boto3/*"}}),
    "own-name": allowed({"StringEquals": {"aws:username": "own-name"}}),
    "own-repositories": [{"Effect": "Allow", "Action": "ecr-public:*", "Resource": "arn:aws:ecr-public::*:repository/${aws:username}/*"}],
    "some-repositories": [
        {"Effect": "Allow", "Action": "ecr-public:Describe*", "Resource": f"arn:aws:ecr-public::{ACCOUNT}:repository/open/*"}
    ],
}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    with running_gallery(tmp_path_factory.mktemp("conditions"), users=USERS, arguments=["--workers", "2"]) as gallery:
        ecr = gallery.client("owner")
        ecr.create_repository(repositoryName="web/shop", tags=[{"Key": "team", "Value": "web"}])
        ecr.create_repository(repositoryName="ops/tool", tags=[{"Key": "team", "Value": "ops"}])
        ecr.create_repository(repositoryName="open/one")
        ecr.create_repository(repositoryName="own-repositories/mine")
        yield gallery


def code(said: Said) -> str:
    return "" if said.status == 200 else said.json["__type"]


def of(name: str) -> str:
    return f"arn:aws:ecr-public::{ACCOUNT}:repository/{name}"


@pytest.mark.parametrize("who", ["web-team", "web-team-global"])
def test_tags_of_a_repository_decide(gallery: Gallery, who: str) -> None:
    assert code(gallery.ask(who, "ListTagsForResource", {"resourceArn": of("web/shop")})) == ""
    assert code(gallery.ask(who, "ListTagsForResource", {"resourceArn": of("ops/tool")})) == "AccessDeniedException"
    assert code(gallery.ask(who, "DescribeRepositories", {"repositoryNames": ["web/shop"]})) == ""
    both = gallery.ask(who, "DescribeRepositories", {"repositoryNames": ["web/shop", "ops/tool"]})
    assert code(both) == "AccessDeniedException"
    assert both.json["message"].endswith("because no identity-based policy allows the ecr-public:DescribeRepositories action")
    assert of("ops/tool") in both.json["message"]


def test_a_tag_that_was_changed_decides_at_once(gallery: Gallery) -> None:
    ecr = gallery.client("owner")
    ecr.create_repository(repositoryName="moving")
    question = {"repositoryName": "moving"}
    for _ in range(5):
        assert code(gallery.ask("web-team", "GetRepositoryPolicy", question)) == "AccessDeniedException"
        ecr.tag_resource(resourceArn=of("moving"), tags=[{"Key": "team", "Value": "web"}])
        assert code(gallery.ask("web-team", "GetRepositoryPolicy", question)) == "RepositoryPolicyNotFoundException"
        ecr.untag_resource(resourceArn=of("moving"), tagKeys=["team"])


def test_tags_of_a_request_decide(gallery: Gallery) -> None:
    def make(name: str, *tags: str) -> str:
        given = [{"Key": "team", "Value": tag} for tag in tags]
        return code(gallery.ask("must-tag", "CreateRepository", {"repositoryName": name, "tags": given}))

    assert make("tagged/right", "web") == ""
    assert make("tagged/wrong", "ops") == "AccessDeniedException"
    assert make("tagged/none") == "AccessDeniedException"


def test_keys_of_tags_decide_also_where_they_are_taken_away(gallery: Gallery) -> None:
    def untag(*keys: str) -> str:
        return code(gallery.ask("two-keys", "UntagResource", {"resourceArn": of("open/one"), "tagKeys": list(keys)}))

    assert untag("team", "stage") == ""
    assert untag("team", "cost") == "AccessDeniedException"
    assert untag() == "AccessDeniedException", "no key at all is no key"


@pytest.mark.parametrize(
    ("who", "may"),
    [("from-here", True), ("from-elsewhere", False), ("only-tls", False), ("only-west", False), ("only-boto", False), ("own-name", True)],
)
def test_where_a_request_comes_from_decides(gallery: Gallery, who: str, may: bool) -> None:
    assert code(gallery.ask(who, "GetRegistryCatalogData", {})) == ("" if may else "AccessDeniedException")


def test_the_client_decides_as_far_as_it_says_so(gallery: Gallery) -> None:
    assert gallery.client("only-boto").get_registry_catalog_data()["registryCatalogData"] == {}


def test_an_address_that_a_stranger_claims_is_not_believed(gallery: Gallery) -> None:
    said = gallery.ask("from-elsewhere", "GetRegistryCatalogData", {}, X_Forwarded_For="192.0.2.7", Forwarded="for=192.0.2.7")
    assert code(said) == "AccessDeniedException"


def test_names_of_repositories_decide_with_variables(gallery: Gallery) -> None:
    assert (
        code(gallery.ask("own-repositories", "GetRepositoryPolicy", {"repositoryName": "own-repositories/mine"}))
        == "RepositoryPolicyNotFoundException"
    )
    assert code(gallery.ask("own-repositories", "GetRepositoryPolicy", {"repositoryName": "open/one"})) == "AccessDeniedException"


def test_a_list_of_all_needs_the_right_to_all(gallery: Gallery) -> None:
    assert code(gallery.ask("some-repositories", "DescribeRepositories", {"repositoryNames": ["open/one"]})) == ""
    said = gallery.ask("some-repositories", "DescribeRepositories", {})
    assert code(said) == "AccessDeniedException"
    assert f"on resource: {of('*')} " in said.json["message"]


def test_a_password_ends_with_the_session_that_asked_for_it(gallery: Gallery) -> None:
    headers = {"Authorization": f"Bearer {gallery.mirror.token}"}
    body = json.dumps({"kind": "user", "name": "owner", "session": "short", "seconds": 900}).encode()
    made = ask(f"{gallery.mirror.url}/_unhub/admin/key/create", "POST", body=body, **headers).json["access_key"]
    session = Key(made["id"], made["secret"], made["session_token"])
    data = gallery.client(session).get_authorization_token()["authorizationData"]
    assert 800 < data["expiresAt"].timestamp() - time.time() <= 900
    password = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
    assert json.loads(base64.b64decode(password))["expiration"] == int(data["expiresAt"].timestamp())


def test_a_repository_that_is_deleted_is_gone_from_every_door(gallery: Gallery) -> None:
    ecr = gallery.client("owner")
    index = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
    token = ecr.get_authorization_token()["authorizationData"]["authorizationToken"]

    def pulled() -> int:
        path = "/v2/acme/short/lived/manifests/1"
        return ask(gallery.mirror.url + path, Authorization=f"Bearer {token}").status

    ecr.create_repository(repositoryName="short/lived")
    ecr.put_image(repositoryName="short/lived", imageManifest=index, imageTag="1")
    assert {pulled() for _ in range(10)} == {200}, "both workers remember it now"
    with pytest.raises(ecr.exceptions.RepositoryNotEmptyException):
        ecr.delete_repository(repositoryName="short/lived")
    ecr.delete_repository(repositoryName="short/lived", force=True)
    began = time.monotonic()
    wait_until(lambda: {pulled() for _ in range(8)} == {404}, 5)
    assert time.monotonic() - began < 1.5
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_images(repositoryName="short/lived")
    ecr.create_repository(repositoryName="short/lived")
    assert ecr.describe_images(repositoryName="short/lived")["imageDetails"] == [], "a new one begins empty"
    assert {pulled() for _ in range(8)} == {404}
    with pytest.raises(ecr.exceptions.RepositoryCatalogDataNotFoundException):
        ecr.get_repository_catalog_data(repositoryName="short/lived")
