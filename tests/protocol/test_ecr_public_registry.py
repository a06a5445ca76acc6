"""The registry in mode ecr-public as its clients meet it: one name for one repository, ECR Public's words, tokens that end."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_images import image, push
from tests.command_line import unhub
from tests.gallery import ACCOUNT, ALIAS, EVERYTHING, Gallery, running_gallery
from tests.hub import Said, docker_hub
from tests.mirror import running_mirror, wait_until
from unhub.demo.handles import Hub

CHALLENGE = b'{"errors":[{"code":"DENIED","message":"Not Authorized"}]}\n'
INVALID = b'{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}\n'


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with docker_hub() as running:
        yield running


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Gallery]:
    folder = tmp_path_factory.mktemp("gallery")
    with running_gallery(folder, hub, users={"owner": EVERYTHING}, arguments=("--workers", "2", "--own", "second")) as running:
        yield running


def anonymous(gallery: Gallery) -> str:
    return f"Bearer {gallery.mirror.get('/token/').json['token']}"


def raw_token(gallery: Gallery, who: str = "owner") -> str:
    return str(gallery.client(who).get_authorization_token()["authorizationData"]["authorizationToken"])


def logged_in(gallery: Gallery, who: str = "owner") -> str:
    return f"Bearer {gallery.mirror.get('/token/', Authorization=f'Basic {raw_token(gallery, who)}').json['token']}"


def message(said: Said) -> tuple[int, str, str]:
    error = said.json["errors"][0]
    return said.status, error["code"], error["message"]


# ---------------------------------------------------------------- the manners of the door


def test_the_challenge_to_the_byte(gallery: Gallery) -> None:
    said = gallery.mirror.get("/v2/")
    assert (said.status, said.body, said.headers["content-length"]) == (401, CHALLENGE, "58")
    assert said.headers["www-authenticate"] == f'Bearer realm="{gallery.mirror.url}/token/",service="public.ecr.aws",scope="aws"'
    assert said.headers["content-type"] == "application/json; charset=utf-8"
    assert said.headers["docker-distribution-api-version"] == "registry/2.0"


@pytest.mark.parametrize("path", ["/v2/", "/v2/docker/library/alpine/manifests/3.19", "/v2/nobody/x/tags/list", "/v2/_catalog"])
@pytest.mark.parametrize("said", ["Bearer nonsense", "Basic QVdTOnBhc3N3b3Jk"])
def test_what_is_no_token_is_no_reason_for_a_challenge(gallery: Gallery, path: str, said: str) -> None:
    answer = gallery.mirror.get(path, Authorization=said)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (400, INVALID, "80")
    assert "www-authenticate" not in answer.headers


def test_the_challenge_names_the_host_that_was_asked(gallery: Gallery) -> None:
    said = gallery.mirror.get("/v2/", Host="public.ecr.aws")
    assert 'realm="http://public.ecr.aws/token/"' in said.headers["www-authenticate"]


# ---------------------------------------------------------------- names


def test_every_alias_names_the_same_repository(gallery: Gallery) -> None:
    owner = gallery.client("owner")
    owner.create_repository(repositoryName="one/app")
    made = image(b"a layer of the only image")
    push(owner, "one/app", made, "1")
    (registry,) = owner.describe_registries()["registries"]
    aliases = [row["name"] for row in registry["aliases"]]
    assert {ALIAS, "second"} < set(aliases)
    assert len(aliases) == 3, "the default one, that of the settings, and that of --own"
    for alias in aliases:
        said = gallery.mirror.get(f"/v2/{alias}/one/app/manifests/1", Authorization=anonymous(gallery))
        assert (said.status, said.body) == (200, made.manifest.encode())


def test_an_alias_that_is_given_later_counts_within_a_second(gallery: Gallery, tmp_path: Path) -> None:
    gallery.client("owner").create_repository(repositoryName="later")
    environment = {"UNHUB_TOKEN": gallery.mirror.token}
    given = unhub("admin", "account", "alias", "third", "--server", gallery.mirror.url, cwd=tmp_path, env=environment)
    assert given.status == 0, given.text
    began = time.monotonic()
    asked = anonymous(gallery)
    wait_until(lambda: gallery.mirror.get("/v2/third/later/tags/list", Authorization=asked).status == 200)
    assert time.monotonic() - began < 1.5


def test_official_images_need_their_library(gallery: Gallery) -> None:
    asked = anonymous(gallery)
    assert gallery.mirror.get("/v2/docker/library/alpine/manifests/3.19", Authorization=asked).status == 200
    said = gallery.mirror.get("/v2/docker/alpine/manifests/3.19", Authorization=asked)
    status, code, text = message(said)
    assert (status, code) == (404, "NAME_UNKNOWN")
    assert text.startswith("The repository with name 'alpine' does not exist in the registry with id 'docker'")
    assert "docker/library/alpine" in text


@pytest.mark.parametrize(
    "path", ["/v2/library/alpine/manifests/3.19", "/v2/library/alpine/manifests/3.19?ns=docker.io", "/v2/alpine/manifests/3.19"]
)
def test_the_doors_of_mode_open_are_closed(gallery: Gallery, path: str) -> None:
    assert gallery.mirror.get(path, Authorization=anonymous(gallery)).status == 404


def test_the_words_for_what_is_not_there(gallery: Gallery) -> None:
    gallery.client("owner").create_repository(repositoryName="empty")
    asked = anonymous(gallery)
    assert message(gallery.mirror.get(f"/v2/{ALIAS}/none/manifests/1", Authorization=asked)) == (
        404,
        "NAME_UNKNOWN",
        f"The repository with name 'none' does not exist in the registry with id '{ALIAS}'",
    )
    assert message(gallery.mirror.get(f"/v2/{ALIAS}/empty/manifests/1", Authorization=asked)) == (
        404,
        "MANIFEST_UNKNOWN",
        "Requested image not found",
    )
    assert gallery.mirror.get(f"/v2/{ALIAS}/empty/tags/list", Authorization=asked).json == {"name": f"{ALIAS}/empty", "tags": []}
    assert gallery.mirror.get("/v2/_catalog", Authorization=asked).status == 404


def test_pages_of_tags(gallery: Gallery) -> None:
    owner = gallery.client("owner")
    owner.create_repository(repositoryName="paged")
    push(owner, "paged", image(b"tagged often"), *(f"t{number}" for number in range(5)))
    asked = anonymous(gallery)
    path = f"/v2/{ALIAS}/paged/tags/list"
    first = gallery.mirror.get(f"{path}?n=3", Authorization=asked)
    assert first.json["tags"] == ["t0", "t1", "t2"]
    assert first.headers["link"] == f'<{path}?n=3&last=t2>; rel="next"'
    status, code, text = message(gallery.mirror.get(f"{path}?n=1001", Authorization=asked))
    assert (status, code, "less than or equal to 1000" in text) == (405, "UNSUPPORTED", True)


# ---------------------------------------------------------------- tokens


def test_the_raw_authorization_token_is_a_bearer_too(gallery: Gallery) -> None:
    assert gallery.mirror.get("/v2/", Authorization=f"Bearer {raw_token(gallery)}").status == 200


def test_a_password_outlives_a_reload_and_a_restart(tmp_path: Path) -> None:
    with running_gallery(tmp_path, users={"owner": EVERYTHING}) as gallery:
        raw = raw_token(gallery)
        gallery.mirror.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "being replaced" in gallery.mirror.stderr)
    with running_gallery(tmp_path, users={"owner": EVERYTHING}) as gallery:
        assert gallery.mirror.get("/v2/", Authorization=f"Bearer {raw}").status == 200


def test_what_is_revoked_counts_at_no_worker_within_a_second(tmp_path: Path, hub: Hub) -> None:
    """Also where the answer itself is ready, and the token was believed a moment ago."""
    path = "/v2/docker/library/alpine/manifests/3.19"
    with running_gallery(tmp_path, hub, users={"owner": EVERYTHING}, arguments=("--workers", "2")) as gallery:
        raw, stranger = raw_token(gallery), anonymous(gallery)
        mine = logged_in(gallery)
        assert {gallery.mirror.get(path, Authorization=mine).status for _ in range(20)} == {200}
        environment = {"UNHUB_TOKEN": gallery.mirror.token}
        done = unhub("admin", "revoke", "--user", "owner", "--server", gallery.mirror.url, cwd=tmp_path, env=environment)
        assert done.status == 0, done.text
        time.sleep(1.0)
        assert {gallery.mirror.get(path, Authorization=mine).status for _ in range(20)} == {400}
        assert gallery.mirror.get("/token/", Authorization=f"Basic {raw}").status == 400
        assert gallery.mirror.get(path, Authorization=stranger).status == 200
        assert gallery.mirror.get(path, Authorization=logged_in(gallery)).status == 200, "a fresh login helps"


def test_a_token_of_a_user_who_is_gone_pushes_nothing(tmp_path: Path) -> None:
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, arguments=("--workers", "2")) as gallery:
        gallery.client("owner").create_repository(repositoryName="app")
        mine = logged_in(gallery)
        environment = {"UNHUB_TOKEN": gallery.mirror.token}
        done = unhub("admin", "user", "delete", "owner", "--server", gallery.mirror.url, cwd=tmp_path, env=environment)
        assert done.status == 0, done.text
        time.sleep(1.0)
        assert {gallery.mirror.get(f"/v2/{ALIAS}/app/blobs/uploads/", "POST", Authorization=mine).status for _ in range(10)} == {400}


# ---------------------------------------------------------------- pushes


def test_a_push_by_chunks_is_seen_by_the_api(gallery: Gallery) -> None:
    owner = gallery.client("owner")
    owner.create_repository(repositoryName="pushed")
    mine, data = logged_in(gallery), b"0123456789" * 1000
    made = image(data)
    for blob in made.blobs:
        begun = gallery.mirror.get(f"/v2/{ALIAS}/pushed/blobs/uploads/", "POST", Authorization=mine)
        place = begun.headers["location"]
        half = gallery.mirror.get(place, "PATCH", body=blob[:10], Authorization=mine)
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        ended = gallery.mirror.get(f"{half.headers['location']}?digest={digest}", "PUT", body=blob[10:], Authorization=mine)
        assert ended.status == 201, ended.body
    media_type = json.loads(made.manifest)["mediaType"]
    path = f"/v2/{ALIAS}/pushed/manifests/1"
    assert gallery.mirror.get(path, "PUT", body=made.manifest.encode(), Authorization=mine, **{"Content-Type": media_type}).status == 201
    (detail,) = owner.describe_images(repositoryName="pushed")["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (made.digest, ["1"])


def test_an_upload_is_nobody_elses(tmp_path: Path) -> None:
    users = {"owner": EVERYTHING, "colleague": EVERYTHING}
    with running_gallery(tmp_path, users=users) as gallery:
        gallery.client("owner").create_repository(repositoryName="app")
        begun = gallery.mirror.get(f"/v2/{ALIAS}/app/blobs/uploads/", "POST", Authorization=logged_in(gallery))
        for method in ("GET", "PATCH", "DELETE"):
            said = gallery.mirror.get(begun.headers["location"], method, body=b"x", Authorization=logged_in(gallery, "colleague"))
            assert said.status == 404, method


def test_a_blob_is_had_only_through_a_repository_that_has_it(gallery: Gallery) -> None:
    owner, data = gallery.client("owner"), b"a layer that only one repository has"
    for name in ("has", "lacks"):
        owner.create_repository(repositoryName=name)
    push(owner, "has", image(data), "1")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    asked = anonymous(gallery)
    for method, part in (("GET", "bytes=0-"), ("HEAD", "bytes=0-"), ("GET", "bytes=0-3")):
        assert gallery.mirror.get(f"/v2/{ALIAS}/has/blobs/{digest}", method, Authorization=asked, Range=part).status in (200, 206)
        assert gallery.mirror.get(f"/v2/{ALIAS}/lacks/blobs/{digest}", method, Authorization=asked, Range=part).status == 404
    mount = f"/v2/{ALIAS}/lacks/blobs/uploads/?mount={digest}&from={ALIAS}/"
    mine = logged_in(gallery)
    assert gallery.mirror.get(f"{mount}lacks", "POST", Authorization=mine).status == 202, "an upload is begun in its place"
    assert gallery.mirror.get(f"{mount}none", "POST", Authorization=mine).status == 202
    unnamed = f"/v2/{ALIAS}/lacks/blobs/uploads/?mount={digest}"
    assert gallery.mirror.get(unnamed, "POST", Authorization=mine).status == 202, "nobody has said which repository has it"
    assert gallery.mirror.get(f"/v2/{ALIAS}/lacks/blobs/{digest}", Authorization=mine).status == 404
    assert gallery.mirror.get(f"{mount}has", "POST", Authorization=mine).status == 201


# ---------------------------------------------------------------- modes and settings


def test_from_mode_open_and_back_with_the_same_data(tmp_path: Path, hub: Hub) -> None:
    """What was pulled through is there in both; what was pushed in one is no part of the other."""
    data = tmp_path / "data"
    blob = b"pushed in mode open"
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    with running_mirror(tmp_path, hub, data=data) as mirror:
        assert mirror.get("/v2/library/alpine/manifests/3.19").status == 200
        assert mirror.get(f"/v2/local/app/blobs/uploads/?digest={digest}", "POST", body=blob).status == 201
    counted = hub.counts.total
    with running_gallery(tmp_path, hub, users={"owner": EVERYTHING}, data=data) as gallery:
        asked = anonymous(gallery)
        assert gallery.mirror.get("/v2/docker/library/alpine/manifests/3.19", Authorization=asked).status == 200
        assert gallery.mirror.get(f"/v2/local/app/blobs/{digest}", Authorization=asked).status == 404
        gallery.client("owner").create_repository(repositoryName="app")
        mount = f"/v2/{ALIAS}/app/blobs/uploads/?mount={digest}"
        for source in ("", "&from=local/app"):
            assert gallery.mirror.get(f"{mount}{source}", "POST", Authorization=logged_in(gallery)).status == 202
        assert gallery.mirror.get(f"/v2/{ALIAS}/app/blobs/{digest}", Authorization=asked).status == 404
        gallery.client("owner").create_repository(repositoryName="own")
    assert hub.counts.total == counted, "nothing was pulled again"
    with running_mirror(tmp_path, hub, data=data) as mirror:
        assert mirror.get(f"/v2/local/app/blobs/{digest}").body == blob
        assert mirror.get(f"/v2/{ALIAS}/own/tags/list").status == 404


def test_a_data_file_says_it_otherwise(tmp_path: Path) -> None:
    row = {
        "id": "invalid-bearer",
        "status": 403,
        "code": "DENIED",
        "message": "Seen otherwise",
        "source": "us",
        "confidence": "issue report",
    }
    lines = ["[[registry_refusal]]", "date = 2026-11-26", *(f"{name} = {json.dumps(value)}" for name, value in row.items())]
    (tmp_path / "facts.toml").write_text("\n".join(lines))
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, settings='[data]\nfile = "facts.toml"') as gallery:
        assert message(gallery.mirror.get("/v2/", Authorization="Bearer x")) == (403, "DENIED", "Seen otherwise")


def test_no_account_is_needed_to_begin(tmp_path: Path, hub: Hub) -> None:
    """A fresh mirror: the first user is made by unhub admin, and pushes."""
    arguments = ("--mode", "ecr-public", "--api-listen", "127.0.0.1:0", "--own", "team")
    with running_mirror(tmp_path, hub, arguments=arguments) as mirror:
        environment = {"UNHUB_TOKEN": mirror.token}
        server = ("--server", mirror.url)
        made = unhub("admin", "user", "create", "ci", "--json", *server, cwd=tmp_path, env=environment)
        assert made.status == 0, made.text
        token = mirror.get("/token/").json["token"]
        assert mirror.get("/v2/docker/library/alpine/manifests/3.19", Authorization=f"Bearer {token}").status == 200
        assert message(mirror.get("/v2/team/app/manifests/1", Authorization=f"Bearer {token}"))[1] == "NAME_UNKNOWN"
        assert str(ACCOUNT) not in made.text, "no account number is built in"
