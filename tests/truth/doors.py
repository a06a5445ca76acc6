"""The doors of one gallery, as their clients use them: ECR Public's API by boto3, and the registry as docker speaks to it.

Each request has a connection of its own, so that any worker may get it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from botocore.exceptions import ClientError

from tests.api_images import ApiImage, digest_of, upload
from tests.gallery import ALIAS, Gallery
from tests.hub import Said, ask
from unhub.image.manifest import OCI_INDEX, OCI_MANIFEST

ACCEPT = f"{OCI_MANIFEST}, {OCI_INDEX}"


def media_type_of(image: ApiImage) -> str:
    return str(json.loads(image.manifest)["mediaType"])


class Api:
    """ECR Public's API."""

    def __init__(self, gallery: Gallery, who: str) -> None:
        self.ecr: Any = gallery.client(who)

    def refusal(self, operation: str, **given: Any) -> str:
        """The code of the error of an operation; empty where it is done."""
        try:
            getattr(self.ecr, operation)(**given)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def push(self, name: str, image: ApiImage, tag: str | None) -> str:
        """Push an image whole; the code of PutImage's error, empty where there is none."""
        for blob in image.blobs:
            if not self.has_blob(name, digest_of(blob)):
                upload(self.ecr, name, blob)
        return self.refusal("put_image", repositoryName=name, imageManifest=image.manifest, **({"imageTag": tag} if tag else {}))

    def has_blob(self, name: str, digest: str) -> bool:
        (layer,) = self.ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest])["layers"]
        return layer["layerAvailability"] == "AVAILABLE"

    def images(self, name: str) -> dict[str, dict[str, Any]]:
        """Every image by digest, read in small pages."""
        pages = self.ecr.get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 2})
        return {row["imageDigest"]: row for page in pages for row in page["imageDetails"]}

    def tags(self, name: str) -> dict[str, str]:
        """Every tag with its digest, read in small pages."""
        pages = self.ecr.get_paginator("describe_image_tags").paginate(repositoryName=name, PaginationConfig={"PageSize": 2})
        return {row["imageTag"]: row["imageDetail"]["imageDigest"] for page in pages for row in page["imageTagDetails"]}

    def delete(self, name: str, **image: str) -> str:
        """Delete an image or tag; the failure's code, empty where there is none."""
        failures = self.ecr.batch_delete_image(repositoryName=name, imageIds=[image])["failures"]
        return str(failures[0]["failureCode"]) if failures else ""

    def catalog(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self.ecr.get_repository_catalog_data(repositoryName=name)["catalogData"])
        except self.ecr.exceptions.RepositoryCatalogDataNotFoundException:
            return None

    def policy(self, name: str) -> str | None:
        try:
            return str(self.ecr.get_repository_policy(repositoryName=name)["policyText"])
        except self.ecr.exceptions.RepositoryPolicyNotFoundException:
            return None

    def resource_tags(self, name: str) -> dict[str, str]:
        (row,) = self.ecr.describe_repositories(repositoryNames=[name])["repositories"]
        return {tag["Key"]: tag["Value"] for tag in self.ecr.list_tags_for_resource(resourceArn=row["repositoryArn"])["tags"]}


@dataclass
class Registry:
    """The registry. Reads are anybody's, with an anonymous token; writes are of whoever has the password."""

    url: str
    password: str
    anonymous: str = ""
    token: str = ""

    def log_in(self) -> None:
        """What ``docker login`` and a first pull do."""
        basic = base64.b64encode(f"AWS:{self.password}".encode()).decode()
        self.token = str(ask(f"{self.url}/token/?service=public.ecr.aws&scope=aws", authorization=f"Basic {basic}").json["token"])
        self.anonymous = str(ask(f"{self.url}/token/?service=public.ecr.aws&scope=aws").json["token"])

    def read(self, path: str, method: str = "GET", **headers: str) -> Said:
        return ask(f"{self.url}/v2/{ALIAS}/{path}", method, authorization=f"Bearer {self.anonymous}", **headers)

    def write(self, method: str, path: str, body: bytes = b"", **headers: str) -> Said:
        url = path if path.startswith("http") else urljoin(self.url, path)
        return ask(url, method, body=body, authorization=f"Bearer {self.token}", **headers)

    def push(self, name: str, image: ApiImage, tag: str | None, *, mount_from: str | None = None) -> Said:
        """Push an image whole, as docker does: what is there is not sent again, what another repository has is mounted."""
        for number, blob in enumerate(image.blobs):
            if not self.has_blob(name, digest_of(blob)):
                self.push_blob(name, blob, mount_from=mount_from, at_once=number % 2 == 0)
        path = f"/v2/{ALIAS}/{name}/manifests/{tag or image.digest}"
        return self.write("PUT", path, image.manifest.encode(), content_type=media_type_of(image))

    def push_blob(self, name: str, blob: bytes, *, mount_from: str | None, at_once: bool) -> None:
        digest = digest_of(blob)
        mount = f"?mount={digest}&from={ALIAS}/{mount_from}" if mount_from else ""
        begun = self.write("POST", f"/v2/{ALIAS}/{name}/blobs/uploads/{mount}")
        if mount and begun.status == 201:
            return
        assert begun.status == 202, begun.body
        place = begun.headers["location"]
        if not at_once:
            said = self.write("PATCH", place, blob, content_type="application/octet-stream")
            assert said.status == 202, said.body
            place, blob = said.headers["location"], b""
        query = urlsplit(place).query
        said = self.write("PUT", f"{place}{'&' if query else '?'}digest={digest}", blob, content_type="application/octet-stream")
        assert said.status == 201, said.body

    def has_blob(self, name: str, digest: str) -> bool:
        return self.read(f"{name}/blobs/{digest}", "HEAD").status == 200

    def tags(self, name: str) -> list[str] | None:
        """Every tag in the registry's order, read in pages of two; ``None`` where there is no such repository."""
        found: list[str] = []
        path = f"{name}/tags/list?n=2"
        while path:
            said = self.read(path)
            if said.status == 404:
                assert said.json["errors"][0]["code"] == "NAME_UNKNOWN"
                return None
            assert said.status == 200, said.body
            found += said.json["tags"] or []
            link = said.headers.get("link", "")
            path = link[1:].partition(">")[0].partition(f"/v2/{ALIAS}/")[2]
        return found

    def manifest(self, name: str, reference: str) -> Said:
        return self.read(f"{name}/manifests/{reference}", accept=ACCEPT)


def everything_of(images: Sequence[ApiImage]) -> dict[str, bytes]:
    """Every blob of some images by digest."""
    return {digest_of(blob): blob for image in images for blob in image.blobs}
