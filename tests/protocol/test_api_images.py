"""Layers and images through ECR Public's API, by the real boto3 and the real aws CLI: every operation and every error."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from tests.api_images import MIB, PART, ApiImage, digest_of, fresh, image, index, push, put_part, upload
from tests.gallery import ACCOUNT, ALIAS, EVERYTHING, Gallery, running_gallery
from tests.mirror import wait_until
from tests.tools import tool

ONLY_READS = ({"Effect": "Allow", "Action": "ecr-public:Describe*", "Resource": "*"},)
USERS = {"owner": EVERYTHING, "colleague": EVERYTHING, "reader": ONLY_READS, "other/rival": EVERYTHING}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gallery]:
    with running_gallery(tmp_path_factory.mktemp("gallery"), users=USERS, arguments=["--workers", "2"]) as found:
        yield found


@pytest.fixture(scope="module")
def ecr(gallery: Gallery) -> Any:
    return gallery.client("owner")


@pytest.fixture
def repository(ecr: Any, request: pytest.FixtureRequest) -> str:
    """A new repository for each test."""
    name = f"team/{request.node.name.partition('[')[0].removeprefix('test_').replace('_', '-')[:60]}-{time.monotonic_ns()}"
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture(scope="module")
def held(ecr: Any) -> tuple[str, ApiImage]:
    """A repository with one image under the tag ``1`` in it, which no test changes."""
    ecr.create_repository(repositoryName="team/held")
    one = image()
    push(ecr, "team/held", one, "1")
    return "team/held", one


def code_of(call: Callable[..., Any], **given: Any) -> str:
    """The code of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"]


# ------------------------------------------------------------------ a push


def test_an_image_is_pushed_whole_by_the_api_and_described(ecr: Any, repository: str) -> None:
    large, small = fresh(2 * PART + 17), fresh(10)
    pushed = image(large, small)

    push(ecr, repository, pushed, "1", "latest")

    (found,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert found.pop("imagePushedAt").timestamp() == pytest.approx(time.time(), abs=60)
    assert found == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageDigest": pushed.digest,
        "imageTags": ["1", "latest"],
        "imageSizeInBytes": sum(map(len, pushed.blobs)),
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
    }
    tags = ecr.describe_image_tags(repositoryName=repository)["imageTagDetails"]
    assert [row["imageTag"] for row in tags] == ["1", "latest"]
    assert tags[0]["imageDetail"]["imageDigest"] == pushed.digest
    assert tags[0]["createdAt"] <= tags[1]["createdAt"]
    layers = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest_of(large)])["layers"]
    assert layers == [
        {
            "layerDigest": digest_of(large),
            "layerAvailability": "AVAILABLE",
            "layerSize": len(large),
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
        }
    ]


def test_the_registry_may_be_named_by_its_account_or_its_alias(gallery: Gallery, ecr: Any, repository: str) -> None:
    for named in (ACCOUNT, ALIAS):
        assert ecr.initiate_layer_upload(repositoryName=repository, registryId=named)["partSize"] == 10 * MIB
    assert code_of(ecr.initiate_layer_upload, repositoryName=repository, registryId="nobody") == "RegistryNotFoundException"
    assert code_of(ecr.initiate_layer_upload, repositoryName="team/none") == "RepositoryNotFoundException"
    assert (
        code_of(gallery.client("other/rival").initiate_layer_upload, repositoryName=repository, registryId=ACCOUNT)
        == "AccessDeniedException"
    )


def test_a_part_of_the_largest_size_is_taken_and_a_larger_one_is_not(ecr: Any, repository: str) -> None:
    data = fresh(10 * MIB + 1)
    begun = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    with pytest.raises(ecr.exceptions.InvalidLayerPartException) as caught:
        put_part(ecr, repository, begun, 0, data)
    assert "lastValidByteReceived" not in caught.value.response
    assert put_part(ecr, repository, begun, 0, data[:-1]) == 10 * MIB - 1
    assert put_part(ecr, repository, begun, 10 * MIB, data[-1:]) == 10 * MIB
    ecr.complete_layer_upload(repositoryName=repository, uploadId=begun, layerDigests=[digest_of(data)])


# ------------------------------------------------------------------ every error


def test_every_error_of_layers_is_reached(gallery: Gallery, ecr: Any, repository: str) -> None:
    data = fresh(30)
    begun = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    complete = {"repositoryName": repository, "uploadId": begun, "layerDigests": [digest_of(data)]}
    assert code_of(ecr.complete_layer_upload, **complete) == "EmptyUploadException"
    put_part(ecr, repository, begun, 0, data[:20])
    with pytest.raises(ecr.exceptions.InvalidLayerPartException) as caught:
        put_part(ecr, repository, begun, 5, data[:20])
    response = caught.value.response
    assert (response["registryId"], response["repositoryName"], response["uploadId"]) == (ACCOUNT, repository, begun)
    assert response["lastValidByteReceived"] == 19
    for who in ("colleague", "other/rival"):
        someone = gallery.client(who)
        given = {"registryId": ACCOUNT, "repositoryName": repository, "uploadId": begun}
        assert code_of(someone.complete_layer_upload, **given, layerDigests=["sha256:00"]) in {
            "InvalidParameterException",
            "AccessDeniedException",
        }
        assert code_of(someone.complete_layer_upload, **given, layerDigests=[digest_of(data)]) in {
            "UploadNotFoundException",
            "AccessDeniedException",
        }
    put_part(ecr, repository, begun, 20, data[20:])
    assert code_of(ecr.complete_layer_upload, **complete) == "LayerPartTooSmallException"
    nothing = {**complete, "uploadId": "00000000-0000-4000-8000-000000000000"}
    assert code_of(ecr.complete_layer_upload, **nothing) == "UploadNotFoundException"
    assert code_of(ecr.complete_layer_upload, **{**complete, "uploadId": "../../etc/passwd"}) == "InvalidParameterException"
    upload(ecr, repository, data)
    again = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    put_part(ecr, repository, again, 0, data)
    assert code_of(ecr.complete_layer_upload, **{**complete, "uploadId": again}) == "LayerAlreadyExistsException"
    wrong = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    put_part(ecr, repository, wrong, 0, b"something else")
    assert code_of(ecr.complete_layer_upload, **{**complete, "uploadId": wrong}) == "InvalidLayerException"


def test_every_error_of_images_is_reached(ecr: Any, repository: str) -> None:
    one, child = image(), image()
    given = {"repositoryName": repository, "imageManifest": one.manifest}
    assert code_of(ecr.put_image, **given, imageTag="1") == "LayersNotFoundException"
    push(ecr, repository, one, "1")
    assert code_of(ecr.put_image, **given, imageTag="1") == "ImageAlreadyExistsException"
    assert code_of(ecr.put_image, **given, imageDigest=child.digest) == "ImageDigestDoesNotMatchException"
    assert code_of(ecr.put_image, repositoryName=repository, imageManifest=index(child).manifest) == "ReferencedImagesNotFoundException"
    assert code_of(ecr.put_image, repositoryName=repository, imageManifest="{}") == "InvalidParameterException"
    assert code_of(ecr.put_image, **given, imageTag="no/tag") == "InvalidParameterException"
    assert code_of(ecr.put_image, **{**given, "repositoryName": "team/none"}) == "RepositoryNotFoundException"
    assert code_of(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "none"}]) == "ImageNotFoundException"
    assert (
        code_of(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "1"}], maxResults=5) == "InvalidParameterException"
    )
    assert code_of(ecr.describe_images, repositoryName=repository, nextToken="forged") == "InvalidParameterException"
    assert code_of(ecr.describe_image_tags, repositoryName="team/none") == "RepositoryNotFoundException"
    assert code_of(ecr.batch_delete_image, repositoryName="team/none", imageIds=[{"imageTag": "1"}]) == "RepositoryNotFoundException"


def test_quotas_are_said_as_limits(tmp_path: Path) -> None:
    rows = "".join(
        f'[[quota]]\nid = "aws-2026-11.{name}"\nprofile = "aws-2026-11"\nname = "a test\'s"\namount = {amount}\nunit = "x"\n'
        'date = 2026-11-26\nsource = "a test"\nconfidence = "unverified"\n'
        for name, amount in (
            ("images-per-repository", 2),
            ("tags-per-image", 2),
            ("layer-parts", 2),
            ("layer-maximum", 1000),
            ("layer-part-minimum", 1),
        )
    )
    (tmp_path / "own.toml").write_text(rows)
    settings = '[data]\nfile = "own.toml"'
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, settings=settings) as gallery:
        ecr = gallery.client("owner")
        ecr.create_repository(repositoryName="app")
        begun = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
        assert code_of(put_part_of(ecr, begun, 0, 1001)) == "LimitExceededException"
        for start in (0, 10):
            put_part(ecr, "app", begun, start, b"0123456789")
        assert code_of(put_part_of(ecr, begun, 20, 10)) == "LimitExceededException"
        layer = b"0123456789" * 2
        ecr.complete_layer_upload(repositoryName="app", uploadId=begun, layerDigests=[digest_of(layer)])
        images = [image(layer, annotations={"number": str(number)}) for number in range(3)]
        for number in range(2):
            push(ecr, "app", images[number], f"{number}a", f"{number}b")
        for blob in images[2].blobs[:1]:
            upload(ecr, "app", blob)
        assert code_of(ecr.put_image, repositoryName="app", imageManifest=images[2].manifest, imageTag="2") == "LimitExceededException"
        assert code_of(ecr.put_image, repositoryName="app", imageManifest=images[0].manifest, imageTag="0c") == "LimitExceededException"


def put_part_of(ecr: Any, upload_id: str, start: int, size: int) -> Callable[[], Any]:
    return lambda: put_part(ecr, "app", upload_id, start, b"x" * size)


OPERATIONS: dict[str, dict[str, Any]] = {
    "batch_check_layer_availability": {"layerDigests": [digest_of(b"")]},
    "initiate_layer_upload": {},
    "upload_layer_part": {"uploadId": "00000000-0000-4000-8000-000000000000", "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"1"},
    "complete_layer_upload": {"uploadId": "00000000-0000-4000-8000-000000000000", "layerDigests": [digest_of(b"")]},
    "put_image": {"imageManifest": "{}"},
    "batch_delete_image": {"imageIds": [{"imageTag": "1"}]},
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_may_not_is_told_the_action_and_the_repository(gallery: Gallery, held: tuple[str, ApiImage], operation: str) -> None:
    for who, registry in (("reader", {}), ("other/rival", {"registryId": ACCOUNT})):
        with pytest.raises(ClientError) as caught:
            getattr(gallery.client(who), operation)(repositoryName=held[0], **registry, **OPERATIONS[operation])
        error = caught.value.response["Error"]
        assert error["Code"] == "AccessDeniedException"
        action = "ecr-public:" + "".join(part.capitalize() for part in operation.split("_"))
        assert action in error["Message"]
        assert f"arn:aws:ecr-public::{ACCOUNT}:repository/{held[0]}" in error["Message"]
    assert gallery.client("reader").describe_images(repositoryName=held[0])["imageDetails"]


# ------------------------------------------------------------------ pages


def test_paginators_go_through_250_images_and_tags(ecr: Any, repository: str) -> None:
    layer = fresh()
    pushed = [image(layer, annotations={"number": str(number)}) for number in range(250)]
    config = pushed[0].blobs[0]
    texts = [one.manifest.replace(digest_of(one.blobs[0]), digest_of(config)) for one in pushed]
    for blob in (layer, config):
        upload(ecr, repository, blob)
    for number, text in enumerate(texts):
        ecr.put_image(repositoryName=repository, imageManifest=text, imageTag=f"v{number}")

    for size in (None, 1000, 250, 99):
        paging = {"PageSize": size} if size else {}
        pages = list(ecr.get_paginator("describe_images").paginate(repositoryName=repository, PaginationConfig=paging))
        assert [len(page["imageDetails"]) for page in pages] == [min(size or 100, 250 - start) for start in range(0, 250, size or 100)]
        assert [row["imageDigest"] for page in pages for row in page["imageDetails"]] == sorted(map(digest_of, texts))
        assert "nextToken" not in pages[-1]
        tags = ecr.get_paginator("describe_image_tags").paginate(repositoryName=repository, PaginationConfig=paging).build_full_result()
        assert [row["imageTag"] for row in tags["imageTagDetails"]] == sorted(f"v{number}" for number in range(250))
    first = ecr.describe_images(repositoryName=repository, maxResults=100)
    assert code_of(ecr.describe_image_tags, repositoryName=repository, nextToken=first["nextToken"]) == "InvalidParameterException"
    hundred = [{"imageTag": f"v{number}"} for number in range(100)]
    found = ecr.describe_images(repositoryName=repository, imageIds=hundred)["imageDetails"]
    assert [row["imageTags"] for row in found] == [[one["imageTag"]] for one in hundred]
    done = ecr.batch_delete_image(repositoryName=repository, imageIds=hundred)
    assert (len(done["imageIds"]), done["failures"]) == (100, [])
    assert code_of(ecr.describe_images, repositoryName=repository, imageIds=[*hundred, *hundred]) == "InvalidParameterException"


# ------------------------------------------------------------------ several clients, kills


def test_of_clients_that_complete_the_same_layer_one_did_it(gallery: Gallery, ecr: Any, repository: str) -> None:
    data, codes = fresh(1000), list[str]()

    def client() -> None:
        mine = gallery.client("owner")
        begun = mine.initiate_layer_upload(repositoryName=repository)["uploadId"]
        put_part(mine, repository, begun, 0, data)
        barrier.wait()
        try:
            mine.complete_layer_upload(repositoryName=repository, uploadId=begun, layerDigests=[digest_of(data)])
            codes.append("done")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])

    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == ["LayerAlreadyExistsException"] * 3 + ["done"]
    assert ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest_of(data)])["layers"][0]["layerSize"] == 1000


def test_an_upload_goes_on_after_its_worker_was_killed_in_the_middle(tmp_path: Path) -> None:
    """Kill -9 at many moments of many parts: what was acknowledged is there, and the client goes on behind it."""
    with running_gallery(tmp_path, users={"owner": EVERYTHING}, arguments=["--workers", "2"]) as gallery:
        ecr = gallery.client("owner")
        ecr.create_repository(repositoryName="app")
        data = b"".join(fresh(PART) for _ in range(12))
        begun = ecr.initiate_layer_upload(repositoryName="app")["uploadId"]
        ended, kills = threading.Event(), 0

        def killer() -> None:
            nonlocal kills
            while not ended.wait(0.4):
                with contextlib.suppress(OSError, KeyError, ValueError):
                    gallery.mirror.kill(f"worker {kills % 2 + 1}")
                    kills += 1

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            resumed = send_all(ecr, begun, data)
        finally:
            ended.set()
            thread.join()
        assert kills >= 2
        assert resumed, "the kills hit no part: they came too late or too early"
        wait_until(lambda: gallery.mirror.get("/readyz").status == 200)
        done = ecr.complete_layer_upload(repositoryName="app", uploadId=begun, layerDigests=[digest_of(data)])
        assert done["layerDigest"] == digest_of(data)
        found = ecr.batch_check_layer_availability(repositoryName="app", layerDigests=[digest_of(data)])["layers"]
        assert found[0]["layerSize"] == len(data)


def send_all(ecr: Any, upload_id: str, data: bytes) -> int:
    """Every part; after a failure from where the server says that it is. How often that was needed."""
    start = resumed = 0
    until = time.monotonic() + 90
    while start < len(data):
        assert time.monotonic() < until, "it does not go on"
        try:
            start = put_part(ecr, "app", upload_id, start, data[start : start + PART]) + 1
            time.sleep(0.05)
        except (EndpointConnectionError, HTTPClientError):
            resumed += 1
            time.sleep(0.05)
        except ecr.exceptions.InvalidLayerPartException as error:
            start = error.response.get("lastValidByteReceived", -1) + 1
    return resumed


# ------------------------------------------------------------------ the aws CLI


def test_the_aws_cli_pushes_describes_and_deletes(gallery: Gallery, repository: str, tmp_path: Path) -> None:
    program = tool("aws")
    pushed = image(fresh(500))

    def aws(*arguments: str) -> Any:
        command = [program, "ecr-public", *arguments, "--repository-name", repository, "--output", "json"]
        done = subprocess.run(command, env=gallery.environment("owner"), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    for number, blob in enumerate(pushed.blobs):
        (tmp_path / f"{number}").write_bytes(blob)
        begun = aws("initiate-layer-upload")["uploadId"]
        part = ["--upload-id", begun, "--part-first-byte", "0", "--part-last-byte", f"{len(blob) - 1}"]
        assert aws("upload-layer-part", *part, "--layer-part-blob", f"fileb://{tmp_path}/{number}")["lastByteReceived"] == len(blob) - 1
        assert aws("complete-layer-upload", "--upload-id", begun, "--layer-digests", digest_of(blob))["layerDigest"] == digest_of(blob)
    (tmp_path / "manifest.json").write_text(pushed.manifest)
    put = aws("put-image", "--image-tag", "1", "--image-manifest", f"file://{tmp_path}/manifest.json")
    assert put["image"]["imageId"] == {"imageDigest": pushed.digest, "imageTag": "1"}
    assert aws("describe-images")["imageDetails"][0]["imageTags"] == ["1"]
    assert aws("describe-image-tags")["imageTagDetails"][0]["imageDetail"]["imageDigest"] == pushed.digest
    deleted = aws("batch-delete-image", "--image-ids", "imageTag=1", "imageTag=2")
    assert deleted["imageIds"] == [{"imageDigest": pushed.digest, "imageTag": "1"}]
    assert deleted["failures"][0]["failureCode"] == "ImageNotFound"
    assert aws("describe-images")["imageDetails"] == []
