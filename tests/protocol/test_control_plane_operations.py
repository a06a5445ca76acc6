"""Registries, repositories and what belongs to them, as boto3 and the real aws CLI ask ECR Public for them."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.gallery import ACCOUNT, ALIAS, EVERYTHING, OTHER, OTHER_ALIAS, Gallery, running_gallery
from tests.mirror import wait_until
from tests.pictures import png
from tests.tools import tool

CATALOG: dict[str, Any] = {
    "description": "Things – für alle",
    "architectures": ["ARM 64", "x86-64", "riscv"],
    "operatingSystems": ["Linux"],
    "aboutText": "# About\n\nIt *works*.",
    "usageText": "## Usage",
}
LOCKOUT = json.dumps(
    {"Version": "2008-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr-public:SetRepositoryPolicy"}]}
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    users = {
        "owner": EVERYTHING,
        "other/rival": EVERYTHING,
        "only-password": [{"Effect": "Allow", "Action": "ecr-public:GetAuthorizationToken", "Resource": "*"}],
        "no-tagging": [{"Effect": "Allow", "NotAction": "ecr-public:TagResource", "Resource": "*"}],
    }
    with running_gallery(tmp_path_factory.mktemp("operations"), users=users, arguments=["--workers", "2"]) as gallery:
        yield gallery


@pytest.fixture(scope="module")
def ecr(gallery: Gallery) -> Any:
    return gallery.client("owner")


@pytest.fixture(scope="module")
def rival(gallery: Gallery) -> Any:
    return gallery.client("other/rival")


def test_a_password_holds_for_twelve_hours(ecr: Any) -> None:
    data = ecr.get_authorization_token()["authorizationData"]
    user, colon, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert (user, colon) == ("AWS", ":")
    assert ":" not in password
    claims = json.loads(base64.b64decode(password))
    assert claims["expiration"] == data["expiresAt"].timestamp()
    assert abs((data["expiresAt"] - datetime.now(UTC)).total_seconds() - 12 * 3600) < 60


def test_a_password_needs_a_second_permission(gallery: Gallery) -> None:
    client = gallery.client("only-password")
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.get_authorization_token()
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "is not authorized to perform: sts:GetServiceBearerToken on resource: *" in error["Message"]


def test_a_registry_is_an_account(ecr: Any) -> None:
    registry = ecr.describe_registries()["registries"]
    assert len(registry) == 1
    aliases = {alias["name"]: alias for alias in registry[0].pop("aliases")}
    assert registry == [
        {
            "registryId": ACCOUNT,
            "registryArn": f"arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}",
            "registryUri": f"public.ecr.aws/{ALIAS}",
            "verified": False,
        }
    ]
    assert aliases[ALIAS] == {"name": ALIAS, "status": "ACTIVE", "primaryRegistryAlias": True, "defaultRegistryAlias": False}
    assert [alias["defaultRegistryAlias"] for name, alias in aliases.items() if name != ALIAS] == [True]


def test_a_registry_has_a_name_for_people(ecr: Any) -> None:
    assert ecr.put_registry_catalog_data(displayName="Acme Überall")["registryCatalogData"] == {"displayName": "Acme Überall"}
    assert ecr.get_registry_catalog_data()["registryCatalogData"] == {"displayName": "Acme Überall"}
    assert ecr.put_registry_catalog_data()["registryCatalogData"] == {}
    assert ecr.get_registry_catalog_data()["registryCatalogData"] == {}


def test_a_repository_is_made_shown_and_deleted(ecr: Any) -> None:
    before = time.time()
    made = ecr.create_repository(repositoryName="project-a/nginx-web-app")
    repository = made["repository"]
    assert made["catalogData"] == {}
    assert before - 1 < repository["createdAt"].timestamp() < time.time() + 1
    assert {**repository, "createdAt": None} == {
        "repositoryArn": f"arn:aws:ecr-public::{ACCOUNT}:repository/project-a/nginx-web-app",
        "registryId": ACCOUNT,
        "repositoryName": "project-a/nginx-web-app",
        "repositoryUri": f"public.ecr.aws/{ALIAS}/project-a/nginx-web-app",
        "createdAt": None,
    }
    with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="project-a/nginx-web-app")
    assert ecr.describe_repositories(repositoryNames=["project-a/nginx-web-app"])["repositories"] == [repository]
    assert ecr.delete_repository(repositoryName="project-a/nginx-web-app")["repository"] == repository
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException) as caught:
        ecr.delete_repository(repositoryName="project-a/nginx-web-app")
    message = caught.value.response["Error"]["Message"]
    assert message == f"The repository with name 'project-a/nginx-web-app' does not exist in the registry with id '{ACCOUNT}'"


def test_of_many_who_make_one_repository_one_does(ecr: Any) -> None:
    def make(_: int) -> str:
        try:
            ecr.create_repository(repositoryName="contended")
        except ecr.exceptions.RepositoryAlreadyExistsException:
            return "there"
        return "made"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(16))) == ["made"] + ["there"] * 15


def test_repositories_are_listed_page_by_page(ecr: Any) -> None:
    names = [f"page/{number:02}" for number in range(23)]
    for name in reversed(names):
        ecr.create_repository(repositoryName=name)
    paginator = ecr.get_paginator("describe_repositories")
    for size in (1, 7, 23, 1000):
        pages = list(paginator.paginate(PaginationConfig={"PageSize": size}))
        found = [row["repositoryName"] for page in pages for row in page["repositories"]]
        assert [name for name in found if name.startswith("page/")] == names
        assert found == sorted(found)
        assert all(len(page["repositories"]) == size for page in pages[:-1])
        assert "nextToken" not in pages[-1]
    items = list(paginator.paginate(PaginationConfig={"PageSize": 5, "MaxItems": 12}))
    assert sum(len(page["repositories"]) for page in items) == 12


def test_a_page_that_was_begun_goes_on_though_repositories_come_and_go(ecr: Any) -> None:
    for name in ("walk/a", "walk/b", "walk/c"):
        ecr.create_repository(repositoryName=name)
    first = ecr.describe_repositories(maxResults=1000)["repositories"]
    place = [row["repositoryName"] for row in first].index("walk/b")
    page = ecr.describe_repositories(maxResults=place + 1)
    ecr.delete_repository(repositoryName="walk/b")
    ecr.create_repository(repositoryName="walk/bb")
    rest = [row["repositoryName"] for row in ecr.describe_repositories(maxResults=1000, nextToken=page["nextToken"])["repositories"]]
    assert rest[:2] == ["walk/bb", "walk/c"]


def test_the_registries_are_paginated_too(ecr: Any) -> None:
    pages = list(ecr.get_paginator("describe_registries").paginate(PaginationConfig={"PageSize": 1}))
    assert [len(page["registries"]) for page in pages] == [1]


def test_the_catalog_data_of_a_repository(ecr: Any) -> None:
    made = ecr.create_repository(repositoryName="shown", catalogData=CATALOG)
    assert made["catalogData"] == CATALOG
    assert ecr.get_repository_catalog_data(repositoryName="shown")["catalogData"] == CATALOG
    less = {"description": "less"}
    assert ecr.put_repository_catalog_data(repositoryName="shown", catalogData=less)["catalogData"] == less
    assert ecr.get_repository_catalog_data(repositoryName="shown")["catalogData"] == less, "what is not said any more is gone"
    ecr.create_repository(repositoryName="plain")
    with pytest.raises(ecr.exceptions.RepositoryCatalogDataNotFoundException):
        ecr.get_repository_catalog_data(repositoryName="plain")
    ecr.put_repository_catalog_data(repositoryName="plain", catalogData={})
    assert ecr.get_repository_catalog_data(repositoryName="plain")["catalogData"] == {}


def test_a_logo_is_had_where_the_api_says(gallery: Gallery, ecr: Any) -> None:
    logo = png(60, 2048)
    made = ecr.create_repository(repositoryName="with/logo", catalogData={"logoImageBlob": logo})
    url = made["catalogData"]["logoUrl"]
    assert url.startswith("https://public.ecr.aws/logo/")
    path = url.removeprefix("https://public.ecr.aws")
    said = gallery.mirror.get(path)
    assert (said.status, said.headers["content-type"], said.body) == (200, "image/png", logo)
    assert said.headers["x-content-type-options"] == "nosniff"
    head = gallery.mirror.get(path, "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(logo)), b"")
    assert ecr.get_repository_catalog_data(repositoryName="with/logo")["catalogData"] == {"logoUrl": url}
    assert hashlib.sha256(logo).hexdigest() in url
    ecr.put_repository_catalog_data(repositoryName="with/logo", catalogData={"logoImageBlob": png(61, 61)})
    assert gallery.mirror.get(path).status == 404
    assert gallery.mirror.get("/logo/../../etc/passwd").status == 404


@pytest.mark.parametrize(
    ("logo", "says"),
    [
        (b"GIF89a" + b"\0" * 60, "must be a PNG image"),
        (png(60, 60)[:20], "must be a PNG image"),
        (png(60, 60).replace(b"IHDR\0\0\0<", b"IHDR\0\0\0="), "must be a PNG image"),
        (png(59, 60), "must be between 60 and 2048 pixels wide and high, not 59 x 60"),
        (png(60, 2049), "must be between 60 and 2048 pixels wide and high, not 60 x 2049"),
    ],
    ids=["gif", "cut", "wrong checksum", "narrow", "tall"],
)
def test_a_logo_is_a_png_of_a_certain_size(ecr: Any, logo: bytes, says: str) -> None:
    with pytest.raises(ecr.exceptions.InvalidParameterException) as caught:
        ecr.create_repository(repositoryName="no/logo", catalogData={"logoImageBlob": logo})
    assert says in caught.value.response["Error"]["Message"]
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.get_repository_policy(repositoryName="no/logo")


def test_resource_tags(ecr: Any) -> None:
    made = ecr.create_repository(repositoryName="tagged", tags=[{"Key": "team", "Value": "web"}, {"Key": "empty", "Value": ""}])
    arn = made["repository"]["repositoryArn"]
    assert tags_of(ecr, arn) == {"team": "web", "empty": ""}
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "ops"}, {"Key": "Straße", "Value": "1"}])
    assert tags_of(ecr, arn) == {"team": "ops", "empty": "", "Straße": "1"}
    ecr.untag_resource(resourceArn=arn, tagKeys=["empty", "was never there"])
    assert tags_of(ecr, arn) == {"team": "ops", "Straße": "1"}
    with pytest.raises(ecr.exceptions.TooManyTagsException):
        ecr.tag_resource(resourceArn=arn, tags=[{"Key": f"key{number}", "Value": "v"} for number in range(49)])
    assert tags_of(ecr, arn) == {"team": "ops", "Straße": "1"}, "all or none"
    ecr.delete_repository(repositoryName="tagged")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.list_tags_for_resource(resourceArn=arn)


def tags_of(ecr: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"]}


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ({"Value": "v"}, "a tag has no key"),
        ({"Key": "AWS:mine", "Value": "v"}, "are reserved"),
        ({"Key": "a;b", "Value": "v"}, "may hold letters, digits, white space"),
        ({"Key": "twice", "Value": "v"}, "is there twice"),
    ],
)
def test_a_tag_that_is_none(ecr: Any, gallery: Gallery, tag: dict[str, str], says: str) -> None:
    said = gallery.ask("owner", "CreateRepository", {"repositoryName": "badly/tagged", "tags": [{"Key": "twice", "Value": "v"}, tag]})
    assert said.json["__type"] == "InvalidTagParameterException"
    assert says in said.json["message"]
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=["badly/tagged"])


def test_making_a_repository_with_tags_needs_the_right_to_tag(gallery: Gallery) -> None:
    client = gallery.client("no-tagging")
    client.create_repository(repositoryName="untagged/one")
    with pytest.raises(client.exceptions.ClientError, match="ecr-public:TagResource"):
        client.create_repository(repositoryName="untagged/two", tags=[{"Key": "team", "Value": "web"}])
    with pytest.raises(client.exceptions.RepositoryNotFoundException):
        client.describe_repositories(repositoryNames=["untagged/two"])


def test_a_policy_is_kept_byte_for_byte(ecr: Any) -> None:
    ecr.create_repository(repositoryName="policed")
    text = ' {"Version":"2008-10-17",\n"Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr-public:DescribeImages"}]}\n'
    answer = {"registryId": ACCOUNT, "repositoryName": "policed", "policyText": text}
    assert without_metadata(ecr.set_repository_policy(repositoryName="policed", policyText=text)) == answer
    assert without_metadata(ecr.get_repository_policy(repositoryName="policed")) == answer
    assert without_metadata(ecr.delete_repository_policy(repositoryName="policed")) == answer
    for ask in (ecr.get_repository_policy, ecr.delete_repository_policy):
        with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
            ask(repositoryName="policed")


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("", "line 1"),
        ("{}", "has no Statement"),
        ('{"Statement": []}', "the list of statements is empty"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Principal": "*", "Effekt": 1}}', "Effekt"),
        ('{"Statement": {"Effect": "Allow", "Action": "ecr-public:*"}}', "Principal"),
    ],
)
def test_a_policy_that_is_none(ecr: Any, policy: str, says: str) -> None:
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.set_repository_policy(repositoryName="nowhere", policyText=policy)
    if "policed/badly" not in [row["repositoryName"] for row in ecr.describe_repositories(maxResults=1000)["repositories"]]:
        ecr.create_repository(repositoryName="policed/badly")
    with pytest.raises(ecr.exceptions.InvalidParameterException) as caught:
        ecr.set_repository_policy(repositoryName="policed/badly", policyText=policy, force=True)
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
    assert says in message


def test_a_policy_that_locks_its_author_out_must_be_forced(ecr: Any) -> None:
    ecr.create_repository(repositoryName="locked")
    with pytest.raises(ecr.exceptions.InvalidParameterException, match="prevent you from setting another one"):
        ecr.set_repository_policy(repositoryName="locked", policyText=LOCKOUT)
    with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
        ecr.get_repository_policy(repositoryName="locked")
    ecr.set_repository_policy(repositoryName="locked", policyText=LOCKOUT, force=True)
    with pytest.raises(ecr.exceptions.ClientError, match="with an explicit deny in a resource-based policy"):
        ecr.set_repository_policy(repositoryName="locked", policyText=LOCKOUT, force=True)
    ecr.delete_repository_policy(repositoryName="locked")


def test_another_account_is_let_in_by_both_sides_only(ecr: Any, rival: Any) -> None:
    ecr.create_repository(repositoryName="lent", catalogData={"description": "lent"})
    denied = r"no resource-based policy allows the ecr-public:GetRepositoryCatalogData action"
    with pytest.raises(rival.exceptions.ClientError, match=denied):
        rival.get_repository_catalog_data(registryId=ACCOUNT, repositoryName="lent")
    with pytest.raises(rival.exceptions.ClientError, match=denied):
        rival.get_repository_catalog_data(registryId=ACCOUNT, repositoryName="is-not-there-at-all")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
                "Action": ["ecr-public:GetRepositoryCatalogData", "ecr-public:PutRepositoryCatalogData"],
            }
        ],
    }
    ecr.set_repository_policy(repositoryName="lent", policyText=json.dumps(policy))
    assert rival.get_repository_catalog_data(registryId=ACCOUNT, repositoryName="lent")["catalogData"] == {"description": "lent"}
    rival.put_repository_catalog_data(registryId=ACCOUNT, repositoryName="lent", catalogData={"description": "theirs"})
    assert ecr.get_repository_catalog_data(repositoryName="lent")["catalogData"] == {"description": "theirs"}
    with pytest.raises(rival.exceptions.ClientError, match="no resource-based policy allows the ecr-public:DeleteRepository action"):
        rival.delete_repository(registryId=ACCOUNT, repositoryName="lent")


def test_repositories_of_one_name_in_two_accounts_are_two(ecr: Any, rival: Any) -> None:
    ours = ecr.create_repository(repositoryName="same/name")["repository"]
    theirs = rival.create_repository(repositoryName="same/name")["repository"]
    assert (ours["registryId"], theirs["registryId"]) == (ACCOUNT, OTHER)
    assert theirs["repositoryUri"] == f"public.ecr.aws/{OTHER_ALIAS}/same/name"
    rival.delete_repository(repositoryName="same/name")
    assert ecr.describe_repositories(repositoryNames=["same/name"], registryId=ACCOUNT)["repositories"] == [ours]


def test_an_alias_stands_for_a_registry_where_the_model_says_so(ecr: Any) -> None:
    ecr.create_repository(repositoryName="by/alias")
    found = ecr.batch_check_layer_availability(registryId=ALIAS, repositoryName="by/alias", layerDigests=["sha256:" + "0" * 64])
    assert found["layers"][0]["layerAvailability"] == "UNAVAILABLE"
    with pytest.raises(ecr.exceptions.RegistryNotFoundException):
        ecr.initiate_layer_upload(registryId="nobody", repositoryName="by/alias")
    with pytest.raises(ecr.exceptions.InvalidParameterException, match="must satisfy regular expression"):
        ecr.get_repository_policy(registryId=ALIAS, repositoryName="by/alias")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException, match="in the registry with id 'nobody'"):
        ecr.batch_delete_image(registryId="nobody", repositoryName="by/alias", imageIds=[{"imageTag": "1"}])


def test_a_registry_has_several_aliases_and_shows_the_newest_primary_one(gallery: Gallery) -> None:
    client = gallery.client("other/rival")
    token = {"Authorization": f"Bearer {gallery.mirror.token}", "Content-Type": "application/json"}
    body = json.dumps({"account": OTHER, "alias": "rival-two"}).encode()
    assert gallery.mirror.get("/_unhub/admin/account/alias", "POST", body=body, **token).status == 200
    wait_until(lambda: client.describe_registries()["registries"][0]["registryUri"] == "public.ecr.aws/rival-two", 2)
    aliases = client.describe_registries()["registries"][0]["aliases"]
    assert [alias["name"] for alias in aliases if alias["primaryRegistryAlias"]] == ["rival-two"]
    assert OTHER_ALIAS in [alias["name"] for alias in aliases]
    client.create_repository(repositoryName="moved")
    for alias in (OTHER_ALIAS, "rival-two"):
        client.batch_check_layer_availability(registryId=alias, repositoryName="moved", layerDigests=["sha256:" + "0" * 64])


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["ecr-public", "describe-registries"], f"public.ecr.aws/{ALIAS}"),
        (["ecr-public", "create-repository", "--repository-name", "cli/app", "--tags", "Key=a,Value=b"], f"public.ecr.aws/{ALIAS}/cli/app"),
        (["ecr-public", "describe-repositories", "--repository-names", "cli/app"], "repository/cli/app"),
        (["ecr-public", "put-repository-catalog-data", "--repository-name", "cli/app", "--catalog-data", "description=hello"], "hello"),
        (["ecr-public", "get-repository-catalog-data", "--repository-name", "cli/app"], "hello"),
        (["ecr-public", "list-tags-for-resource", "--resource-arn", f"arn:aws:ecr-public::{ACCOUNT}:repository/cli/app"], '"Value": "b"'),
        (
            ["ecr-public", "set-repository-policy", "--repository-name", "cli/app", "--policy-text", LOCKOUT, "--force"],
            "SetRepositoryPolicy",
        ),
        (["ecr-public", "get-authorization-token", "--region", "us-west-2"], "expiresAt"),
        (["ecr-public", "get-login-password"], "eyJ"),
        (["ecr-public", "delete-repository", "--repository-name", "cli/app"], "cli/app"),
        (["sts", "get-caller-identity"], f"arn:aws:iam::{ACCOUNT}:user/owner"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_the_real_aws_cli_is_answered(gallery: Gallery, arguments: list[str], shown: str) -> None:
    done = subprocess.run([tool("aws"), *arguments], capture_output=True, text=True, env=gallery.environment("owner"), check=False)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_the_real_aws_cli_tells_an_error_as_it_does_at_aws(gallery: Gallery) -> None:
    command = [tool("aws"), "ecr-public", "describe-repositories", "--repository-names", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, env=gallery.environment("owner"), check=False)
    assert done.returncode in (254, 255)
    text = f"The repository with name 'nowhere' does not exist in the registry with id '{ACCOUNT}'"
    assert f"An error occurred (RepositoryNotFoundException) when calling the DescribeRepositories operation: {text}" in done.stderr


def test_what_one_worker_makes_the_other_shows_at_once(gallery: Gallery) -> None:
    for number in range(20):
        name = f"workers/{number}"
        assert gallery.ask("owner", "CreateRepository", {"repositoryName": name}).status == 200
        assert gallery.ask("owner", "DescribeRepositories", {"repositoryNames": [name]}).status == 200, "each has a connection of its own"


def test_everything_is_there_after_a_restart_of_the_workers(gallery: Gallery, ecr: Any) -> None:
    ecr.create_repository(repositoryName="lasting", catalogData=CATALOG, tags=[{"Key": "a", "Value": "b"}])
    before = ecr.describe_repositories(repositoryNames=["lasting"])["repositories"]
    old = gallery.mirror.processes
    for name in ("worker 1", "worker 2"):
        gallery.mirror.kill(name)
    wait_until(lambda: all(gallery.mirror.processes.get(name) not in (None, old[name]) for name in ("worker 1", "worker 2")))
    again = gallery.client("owner", attempts=5)
    assert again.describe_repositories(repositoryNames=["lasting"])["repositories"] == before
    assert again.get_repository_catalog_data(repositoryName="lasting")["catalogData"] == CATALOG
