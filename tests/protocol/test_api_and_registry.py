"""One store behind both doors of mode ecr-public: what the API writes the registry shows, byte for byte, and the other way round."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.api_images import MIB, ApiImage, digest_of, fresh, image, index, push, put_part, upload
from tests.gallery import ACCOUNT, ALIAS, EVERYTHING, Gallery, running_gallery
from tests.hub import Said
from tests.mirror import Mirror, wait_until
from tests.tools import tool
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST

DELETE_SECONDS = 1.0
"""A deletion must be felt everywhere within this time."""


@dataclass(frozen=True)
class Registry:
    """The registry's door for one repository and one caller."""

    mirror: Mirror
    name: str
    token: str

    def ask(self, kind: str, reference: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Said:
        path = f"/v2/{ALIAS}/{self.name}/{kind}/{reference}"
        return self.mirror.get(path, method, body=body, Authorization=f"Bearer {self.token}", **headers)

    def put(self, reference: str, pushed: ApiImage, media_type: str = OCI_MANIFEST) -> Said:
        return self.ask("manifests", reference, "PUT", pushed.manifest.encode(), **{"Content-Type": media_type})

    def push_blob(self, data: bytes) -> None:
        said = self.ask("blobs", f"uploads/?digest={digest_of(data)}", "POST", data)
        assert said.status == 201, said.body

    def push(self, pushed: ApiImage, *references: str) -> None:
        for blob in pushed.blobs:
            self.push_blob(blob)
        for reference in references:
            assert self.put(reference, pushed).status == 201

    def errors(self, said: Said) -> list[tuple[str, str]]:
        return [(row["code"], row["message"]) for row in said.json["errors"]]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    settings = '[serve]\nimmutable-tags = ["team/*:v*"]\n'
    with running_gallery(
        tmp_path_factory.mktemp("both"), users={"owner": EVERYTHING}, settings=settings, arguments=["--workers", "2"]
    ) as found:
        yield found


@pytest.fixture(scope="module")
def ecr(gallery: Gallery) -> Any:
    return gallery.client("owner")


@pytest.fixture(scope="module")
def tokens(gallery: Gallery, ecr: Any) -> dict[str, str]:
    """Bearer tokens of the owner and of a stranger."""
    raw = ecr.get_authorization_token()["authorizationData"]["authorizationToken"]
    return {
        "owner": gallery.mirror.get("/token/", Authorization=f"Basic {raw}").json["token"],
        "anybody": gallery.mirror.get("/token/").json["token"],
        "password": base64.b64decode(raw).decode().partition(":")[2],
    }


@pytest.fixture
def owner(gallery: Gallery, ecr: Any, tokens: dict[str, str]) -> Registry:
    """A new repository at the registry's door, with the rights of its owner."""
    name = f"team/app-{time.monotonic_ns()}"
    ecr.create_repository(repositoryName=name)
    return Registry(gallery.mirror, name, tokens["owner"])


@pytest.fixture
def anybody(owner: Registry, tokens: dict[str, str]) -> Registry:
    """The same repository for a stranger."""
    return Registry(owner.mirror, owner.name, tokens["anybody"])


def described(ecr: Any, name: str) -> dict[str, tuple[str, ...]]:
    """Digests with their tags, as the API has them."""
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
    return {row["imageDigest"]: tuple(row.get("imageTags", ())) for page in pages for row in page["imageDetails"]}


# ------------------------------------------------------------------ what one door writes, the other shows


def test_an_image_of_the_api_is_pulled_from_the_registry_byte_for_byte(ecr: Any, owner: Registry, anybody: Registry) -> None:
    one, two = image(fresh(6 * MIB)), image()
    push(ecr, owner.name, one, "1", "latest")
    push(ecr, owner.name, two)
    both = index(one, two)
    push(ecr, owner.name, both, "all")

    for reference in ("1", "latest", one.digest):
        got = anybody.ask("manifests", reference)
        assert (got.status, got.body) == (200, one.manifest.encode())
        assert got.headers["docker-content-digest"] == one.digest
    for blob in (*one.blobs, *two.blobs):
        assert anybody.ask("blobs", digest_of(blob)).body == blob
    assert anybody.ask("manifests", "all").body == both.manifest.encode()
    assert anybody.ask("manifests", "all").headers["content-type"] == OCI_INDEX
    assert anybody.ask("tags", "list").json["tags"] == ["1", "all", "latest"]


def test_an_image_of_the_registry_is_described_by_the_api(ecr: Any, owner: Registry) -> None:
    pushed = image(fresh(5000))
    owner.push(pushed, "1", pushed.digest, "two")

    assert described(ecr, owner.name) == {pushed.digest: ("1", "two")}
    (found,) = ecr.describe_images(repositoryName=owner.name, imageIds=[{"imageTag": "two"}])["imageDetails"]
    assert found["imageSizeInBytes"] == sum(map(len, pushed.blobs))
    assert found["imageManifestMediaType"] == OCI_MANIFEST
    layers = ecr.batch_check_layer_availability(repositoryName=owner.name, layerDigests=[digest_of(one) for one in pushed.blobs])["layers"]
    assert [row["layerSize"] for row in layers] == [len(one) for one in pushed.blobs]
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(repositoryName=owner.name, imageManifest=pushed.manifest, imageTag="1")


def test_the_same_push_again_is_taken_and_makes_nothing_younger(ecr: Any, owner: Registry) -> None:
    pushed = image()
    owner.push(pushed, "1")
    before = ecr.describe_image_tags(repositoryName=owner.name)["imageTagDetails"]
    time.sleep(0.05)
    owner.push(pushed, "1", pushed.digest)
    assert ecr.describe_image_tags(repositoryName=owner.name)["imageTagDetails"] == before


def test_layers_of_one_door_make_an_image_of_the_other(ecr: Any, owner: Registry, anybody: Registry) -> None:
    pushed = image(fresh(100), fresh(200))
    owner.push_blob(pushed.blobs[0])
    owner.push_blob(pushed.blobs[1])
    upload(ecr, owner.name, pushed.blobs[2])
    assert owner.put("1", pushed).status == 201
    ecr.put_image(repositoryName=owner.name, imageManifest=pushed.manifest, imageTag="2")
    assert anybody.ask("manifests", "2").body == pushed.manifest.encode()


def test_what_is_attached_by_the_api_is_listed_by_the_registry(ecr: Any, owner: Registry, anybody: Registry) -> None:
    base = image()
    push(ecr, owner.name, base, "1")
    subject = {"mediaType": OCI_MANIFEST, "digest": base.digest, "size": len(base.manifest)}
    signature = image(artifactType="application/vnd.example.signature", subject=subject)
    push(ecr, owner.name, signature)
    listed = anybody.ask("referrers", base.digest).json["manifests"]
    assert [(row["digest"], row["artifactType"]) for row in listed] == [(signature.digest, "application/vnd.example.signature")]
    (found,) = ecr.describe_images(repositoryName=owner.name, imageIds=[{"imageDigest": signature.digest}])["imageDetails"]
    assert found["artifactMediaType"] == "application/vnd.example.signature"
    assert "imageTags" not in found


# ------------------------------------------------------------------ what one door refuses, the other does


def test_a_push_without_its_layers_or_images_is_refused_at_both_doors_in_the_same_words(ecr: Any, owner: Registry) -> None:
    lacking = image()
    said = owner.put("1", lacking)
    assert said.status == 404
    code, message = owner.errors(said)[0]
    assert code == "BLOB_UPLOAD_UNKNOWN"
    for blob in lacking.blobs:
        assert digest_of(blob) in message
    with pytest.raises(ecr.exceptions.LayersNotFoundException) as caught:
        ecr.put_image(repositoryName=owner.name, imageManifest=lacking.manifest)
    said_by_api = caught.value.response["Error"]["Message"]
    assert said_by_api.partition(f"registry with id '{ACCOUNT}'")[0] == message.partition("registry with id")[0]
    said = owner.put("all", index(lacking), OCI_INDEX)
    assert (said.status, owner.errors(said)[0][0]) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert described(ecr, owner.name) == {}


def test_a_manifest_that_the_api_could_not_take_is_too_large_for_the_registry(owner: Registry) -> None:
    """It is refused before it is read."""
    address = urlsplit(owner.mirror.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = f"PUT /v2/{ALIAS}/{owner.name}/manifests/large HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {OCI_MANIFEST}\r\n"
        connection.sendall(f"{head}Authorization: Bearer {owner.token}\r\nContent-Length: {4 * MIB + 1}\r\n\r\n".encode())
        assert b" 413 " in connection.recv(4096).partition(b"\r\n")[0]


def test_a_digest_that_does_not_match_is_refused_in_the_registrys_form(owner: Registry) -> None:
    pushed, other = image(), image()
    owner.push(pushed)
    said = owner.put(other.digest, pushed)
    assert said.status == 400
    assert "does not match the image digest that Amazon ECR has calculated" in owner.errors(said)[0][1]


def test_a_tag_that_never_moves_moves_through_no_door(ecr: Any, owner: Registry, anybody: Registry) -> None:
    one, two = image(), image()
    owner.push(one, "v1", "latest")
    owner.push(two, "latest")
    said = owner.put("v1", two)
    assert (said.status, owner.errors(said)[0][0]) == (400, "TAG_INVALID")
    said = owner.put(f"{two.digest}?tag=new&tag=v1", two)
    assert said.status == 400
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(repositoryName=owner.name, imageManifest=two.manifest, imageTag="v1")
    assert owner.put("v1", one).status == 201
    assert anybody.ask("manifests", "v1").body == one.manifest.encode()
    assert anybody.ask("tags", "list").json["tags"] == ["latest", "v1"]


def test_an_upload_of_one_door_is_unknown_at_the_other(ecr: Any, owner: Registry) -> None:
    upload_id = ecr.initiate_layer_upload(repositoryName=owner.name)["uploadId"]
    for session in (upload_id, upload_id.replace("-", "")):
        for method in ("GET", "PATCH", "DELETE"):
            assert owner.ask("blobs", f"uploads/{session}", method, b"x" if method == "PATCH" else None).status == 404
    session = owner.ask("blobs", "uploads/", "POST").headers["location"].rpartition("/")[2]
    with pytest.raises(ClientError) as caught:
        put_part(ecr, owner.name, f"{session[:8]}-{session[8:12]}-{session[12:16]}-{session[16:20]}-{session[20:]}", 0, b"x")
    assert caught.value.response["Error"]["Code"] == "UploadNotFoundException"


# ------------------------------------------------------------------ deletions


def missed(anybody: Registry, *references: str) -> bool:
    """Whether no worker answers: each request has a connection of its own, so that both are asked."""
    return all(anybody.ask("manifests", reference).status == 404 for reference in references for _ in range(8))


def test_what_the_api_deletes_all_workers_miss_within_a_second(ecr: Any, owner: Registry, anybody: Registry) -> None:
    pushed = image()
    push(ecr, owner.name, pushed, "1", "2")
    for _ in range(8):
        for reference in ("1", "2", pushed.digest):
            assert anybody.ask("manifests", reference).status == 200

    ecr.batch_delete_image(repositoryName=owner.name, imageIds=[{"imageTag": "1"}])
    wait_until(lambda: missed(anybody, "1"), DELETE_SECONDS, "the tag is still answered")
    assert anybody.ask("manifests", pushed.digest).status == 200
    ecr.batch_delete_image(repositoryName=owner.name, imageIds=[{"imageTag": "2"}])
    wait_until(lambda: missed(anybody, "2", pushed.digest), DELETE_SECONDS, "the image is still answered")
    assert anybody.ask("tags", "list").json["tags"] in ([], None)
    assert described(ecr, owner.name) == {}


def test_what_the_registry_deletes_the_api_misses(ecr: Any, owner: Registry) -> None:
    one, two, child = image(), image(), image()
    owner.push(one, "a", "b")
    owner.push(two, "c")
    owner.push(child, child.digest)
    assert owner.put("all", index(child), OCI_INDEX).status == 201

    assert owner.ask("manifests", "a", "DELETE").status == 202
    assert described(ecr, owner.name)[one.digest] == ("b",)
    assert owner.ask("manifests", "c", "DELETE").status == 202, "its last tag: the image goes, too"
    assert owner.ask("manifests", one.digest, "DELETE").status == 202
    said = owner.ask("manifests", child.digest, "DELETE")
    assert (said.status, owner.errors(said)[0][0]) == (400, "DENIED")
    assert index(child).digest in owner.errors(said)[0][1]
    assert described(ecr, owner.name) == {child.digest: (), index(child).digest: ("all",)}
    assert owner.ask("manifests", "none", "DELETE").status == 404


def test_a_pull_that_has_begun_ends_whole_although_its_image_is_deleted(ecr: Any, owner: Registry, anybody: Registry) -> None:
    layer = os.urandom(24 * MIB)
    pushed = image(layer)
    owner.push(pushed, "1")
    address = urlsplit(anybody.mirror.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = f"GET /v2/{ALIAS}/{owner.name}/blobs/{digest_of(layer)} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        connection.sendall(f"{head}Authorization: Bearer {anybody.token}\r\nConnection: close\r\n\r\n".encode())
        received = connection.recv(4096)
        assert b" 200 " in received.partition(b"\r\n")[0]
        ecr.batch_delete_image(repositoryName=owner.name, imageIds=[{"imageDigest": pushed.digest}])
        ecr.delete_repository(repositoryName=owner.name, force=True)
        wait_until(lambda: missed(anybody, "1"), DELETE_SECONDS, "the image is still answered")
        while piece := connection.recv(MIB):
            received += piece
    assert digest_of(received.partition(b"\r\n\r\n")[2]) == digest_of(layer)


def test_a_deleted_repository_is_not_made_again_by_a_push(ecr: Any, owner: Registry) -> None:
    pushed = image()
    owner.push(pushed, "1")
    session = owner.ask("blobs", "uploads/", "POST").headers["location"]
    ecr.delete_repository(repositoryName=owner.name, force=True)
    reference = session.rpartition("/")[2]
    assert owner.ask("blobs", f"uploads/{reference}?digest={digest_of(b'x')}", "PUT", b"x").status == 404
    assert owner.put("1", pushed).status == 404
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.put_image(repositoryName=owner.name, imageManifest=pushed.manifest)
    ecr.create_repository(repositoryName=owner.name)
    assert described(ecr, owner.name) == {}


# ------------------------------------------------------------------ skopeo


def test_skopeo_pulls_what_the_api_pushed_and_the_api_shows_what_skopeo_pushed(
    ecr: Any, owner: Registry, tokens: dict[str, str], tmp_path: Path
) -> None:
    layer = subprocess.run(["tar", "-c", "-C", str(tmp_path), "--files-from", "/dev/null"], capture_output=True, check=True).stdout
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}
    made = image(layer)
    blob = json.dumps(config).encode()
    text = made.manifest.replace(digest_of(made.blobs[0]), digest_of(blob)).replace(f'"size": {len(made.blobs[0])}', f'"size": {len(blob)}')
    pushed = ApiImage(text, (blob, layer))
    push(ecr, owner.name, pushed, "api")
    address = f"docker://{owner.mirror.address}/{ALIAS}/{owner.name}"
    login = ["--authfile", str(tmp_path / "auth.json")]
    skopeo(
        *["login", *login, "--tls-verify=false", "--username", "AWS", "--password-stdin", owner.mirror.address], stdin=tokens["password"]
    )

    skopeo("copy", "--preserve-digests", "--src-tls-verify=false", *login, f"{address}:api", f"dir:{tmp_path / 'image'}")
    assert (tmp_path / "image" / "manifest.json").read_bytes() == pushed.manifest.encode()
    for one in pushed.blobs:
        assert (tmp_path / "image" / digest_of(one).removeprefix("sha256:")).read_bytes() == one
    skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", *login, f"dir:{tmp_path / 'image'}", f"{address}:skopeo")
    assert described(ecr, owner.name) == {pushed.digest: ("api", "skopeo")}
    skopeo("delete", "--tls-verify=false", *login, f"{address}:skopeo")
    assert described(ecr, owner.name) == {}, "skopeo deletes by digest"


def skopeo(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run([tool("skopeo"), *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
