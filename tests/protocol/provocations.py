"""How each error that an operation of ECR Public declares is provoked, and each operation answered, without any SDK between.

A row is a function that brings it about and returns the answer. Rows about layers and images are in
``provocations_images``.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.gallery import ACCOUNT, ALIAS, Gallery
from tests.hub import Said
from unhub.aws.arns import repository_arn

HERE: Final = "here"
"""A repository that is there."""

MISSING: Final = "team/missing"

DATA: Final = """
[[api_support]]
id = "us-west-2"
operations = []
says = "nothing, so that even passwords are refused"
date = 2026-11-26
source = "these tests"
confidence = "source"

[[quota]]
id = "aws-2026-11.repositories"
profile = "aws-2026-11"
name = "Registered repositories"
amount = 60
unit = "repositories"
date = 2026-11-26
source = "these tests"
confidence = "source"
"""
"""What a data file says so that limits are within reach."""


@dataclass
class World:
    """A gallery with one repository, in which everything may be provoked; names are never used twice."""

    gallery: Gallery
    numbers: Generator[int] = field(default_factory=lambda: (number for number in itertools.count()))

    def ask(self, operation: str, given: Any, *, who: str = "owner", region: str = "us-east-1") -> Said:
        return self.gallery.ask(who, operation, given, region=region)

    def fresh(self, **more: Any) -> str:
        """The name of a new repository."""
        name = f"fresh/{next(self.numbers)}"
        said = self.ask("CreateRepository", {"repositoryName": name, **more})
        assert said.status == 200, said.body
        return name

    @contextmanager
    def broken(self) -> Generator[None]:
        """The database knows no access keys while the body runs."""
        self._rename("access_key", "lost")
        try:
            yield
        finally:
            self._rename("lost", "access_key")

    def _rename(self, old: str, new: str) -> None:
        with closing(sqlite3.connect(self.gallery.mirror.data / "unhub.db", timeout=20)) as database:
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")
            database.commit()


Provoke = Callable[[World], Said]


def arn(name: str) -> str:
    return repository_arn(ACCOUNT, name)


def tags(number: int, prefix: str = "key") -> list[dict[str, str]]:
    return [{"Key": f"{prefix}{one}", "Value": "v"} for one in range(number)]


DENY_POLICY: Final = json.dumps(
    {"Version": "2008-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr-public:PutImage"}]}
)
UUID: Final = "12345678-1234-1234-1234-123456789012"
DIGEST: Final = "sha256:" + "0" * 64

GIVEN: Final[dict[str, dict[str, Any]]] = {
    "BatchCheckLayerAvailability": {"layerDigests": [DIGEST]},
    "BatchDeleteImage": {"imageIds": [{"imageTag": "1"}]},
    "CompleteLayerUpload": {"uploadId": UUID, "layerDigests": [DIGEST]},
    "DeleteRepository": {},
    "DeleteRepositoryPolicy": {},
    "DescribeImageTags": {},
    "DescribeImages": {},
    "GetRepositoryCatalogData": {},
    "GetRepositoryPolicy": {},
    "InitiateLayerUpload": {},
    "PutImage": {"imageManifest": "{}"},
    "PutRepositoryCatalogData": {"catalogData": {}},
    "SetRepositoryPolicy": {"policyText": DENY_POLICY},
    "UploadLayerPart": {"uploadId": UUID, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "AA=="},
    "CreateRepository": {},
}
"""What an operation on one repository wants beside its name."""

BY_ARN: Final[dict[str, dict[str, Any]]] = {
    "ListTagsForResource": {},
    "TagResource": {"tags": tags(1)},
    "UntagResource": {"tagKeys": ["key0"]},
}


def sensible(operation: str, name: str = HERE) -> dict[str, Any]:
    """An input that nothing is wrong with."""
    if operation in GIVEN:
        return {"repositoryName": name, **GIVEN[operation]}
    if operation in BY_ARN:
        return {"resourceArn": arn(name), **BY_ARN[operation]}
    return {"repositoryNames": [name]} if operation == "DescribeRepositories" else {}


def wrong(operation: str) -> dict[str, Any]:
    """An input that breaks the model."""
    if operation in GIVEN:
        return {**sensible(operation), "repositoryName": "UPPER"}
    if operation in BY_ARN:
        return {**sensible(operation), "resourceArn": "arn:aws:s3:::bucket"}
    return {"displayName": "x" * 101} if operation == "PutRegistryCatalogData" else {"maxResults": 1001}


def generic(operation: str, error: str) -> Provoke | None:
    """The errors that any operation may have."""

    def fault(world: World) -> Said:
        with world.broken():
            return _unremembered(world, operation)

    rows: dict[str, Provoke] = {
        "ServerException": fault,
        "UnsupportedCommandException": lambda world: world.ask(operation, sensible(operation), region="us-west-2"),
        "InvalidParameterException": lambda world: world.ask(operation, wrong(operation)),
        "RepositoryNotFoundException": lambda world: world.ask(operation, sensible(operation, MISSING)),
        "RegistryNotFoundException": lambda world: world.ask(operation, {**sensible(operation), "registryId": "nobody"}),
    }
    return rows.get(error)


def _unremembered(world: World, operation: str) -> Said:
    """Asked until what was known of the key a moment ago is known no more."""
    until = time.monotonic() + 5
    while (said := world.ask(operation, sensible(operation), who="fault")).status != 500 and time.monotonic() < until:
        time.sleep(0.05)
    return said


def too_many_repositories(world: World) -> Said:
    for _ in range(100):
        said = world.ask("CreateRepository", {"repositoryName": f"full/{next(world.numbers)}"})
        if said.status != 200:
            for page in world.gallery.client("owner").get_paginator("describe_repositories").paginate():
                for row in page["repositories"]:
                    if row["repositoryName"].startswith("full/"):
                        world.ask("DeleteRepository", {"repositoryName": row["repositoryName"]})
            return said
    raise AssertionError("there is no end to repositories")


def not_empty(world: World) -> Said:
    name = world.fresh()
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []})
    assert world.ask("PutImage", {"repositoryName": name, "imageManifest": manifest, "imageTag": "1"}).status == 200
    return world.ask("DeleteRepository", {"repositoryName": name})


PROVOKED: Final[dict[tuple[str, str], Provoke]] = {
    ("CreateRepository", "InvalidTagParameterException"): lambda world: world.ask(
        "CreateRepository", {"repositoryName": "x/y", "tags": [{"Key": "aws:mine", "Value": "v"}]}
    ),
    ("CreateRepository", "TooManyTagsException"): lambda world: world.ask("CreateRepository", {"repositoryName": "x/y", "tags": tags(51)}),
    ("CreateRepository", "RepositoryAlreadyExistsException"): lambda world: world.ask("CreateRepository", {"repositoryName": HERE}),
    ("CreateRepository", "LimitExceededException"): too_many_repositories,
    ("DeleteRepository", "RepositoryNotEmptyException"): not_empty,
    ("DeleteRepositoryPolicy", "RepositoryPolicyNotFoundException"): lambda world: world.ask(
        "DeleteRepositoryPolicy", {"repositoryName": world.fresh()}
    ),
    ("GetRepositoryPolicy", "RepositoryPolicyNotFoundException"): lambda world: world.ask(
        "GetRepositoryPolicy", {"repositoryName": world.fresh()}
    ),
    ("GetRepositoryCatalogData", "RepositoryCatalogDataNotFoundException"): lambda world: world.ask(
        "GetRepositoryCatalogData", {"repositoryName": world.fresh()}
    ),
    ("TagResource", "InvalidTagParameterException"): lambda world: world.ask(
        "TagResource", {"resourceArn": arn(HERE), "tags": [{"Value": "v"}]}
    ),
    ("TagResource", "TooManyTagsException"): lambda world: world.ask(
        "TagResource", {"resourceArn": arn(world.fresh(tags=tags(50))), "tags": tags(1, "one-more")}
    ),
    ("UntagResource", "InvalidTagParameterException"): lambda world: world.ask(
        "UntagResource", {"resourceArn": arn(HERE), "tagKeys": ["aws:mine"]}
    ),
    ("UntagResource", "TooManyTagsException"): lambda world: world.ask(
        "UntagResource", {"resourceArn": arn(HERE), "tagKeys": [f"key{one}" for one in range(51)]}
    ),
}
"""The errors that only some operations have."""

UNREACHABLE: Final = {
    ("GetAuthorizationToken", "InvalidParameterException"): "it has no parameter",
}
"""Errors that are declared, and that nothing can bring about."""


def policy_deleted(world: World) -> Said:
    name = world.fresh()
    assert world.ask("SetRepositoryPolicy", {"repositoryName": name, "policyText": DENY_POLICY}).status == 200
    return world.ask("DeleteRepositoryPolicy", {"repositoryName": name})


def policy_shown(world: World) -> Said:
    name = world.fresh()
    assert world.ask("SetRepositoryPolicy", {"repositoryName": name, "policyText": DENY_POLICY}).status == 200
    return world.ask("GetRepositoryPolicy", {"repositoryName": name})


CATALOG: Final = {
    "description": "d",
    "architectures": ["ARM 64"],
    "operatingSystems": ["Linux"],
    "aboutText": "# About",
    "usageText": "# Usage",
}

ANSWERED: Final[dict[str, Provoke]] = {
    "CreateRepository": lambda world: world.ask(
        "CreateRepository", {"repositoryName": f"made/{next(world.numbers)}", "catalogData": CATALOG, "tags": tags(2)}
    ),
    "DeleteRepository": lambda world: world.ask("DeleteRepository", {"repositoryName": world.fresh()}),
    "DeleteRepositoryPolicy": policy_deleted,
    "DescribeRegistries": lambda world: world.ask("DescribeRegistries", {}),
    "DescribeRepositories": lambda world: world.ask("DescribeRepositories", {"registryId": ACCOUNT, "maxResults": 1}),
    "GetAuthorizationToken": lambda world: world.ask("GetAuthorizationToken", {}),
    "GetRegistryCatalogData": lambda world: world.ask("GetRegistryCatalogData", {}),
    "GetRepositoryCatalogData": lambda world: world.ask("GetRepositoryCatalogData", {"repositoryName": world.fresh(catalogData=CATALOG)}),
    "GetRepositoryPolicy": policy_shown,
    "ListTagsForResource": lambda world: world.ask("ListTagsForResource", {"resourceArn": arn(world.fresh(tags=tags(2)))}),
    "PutRegistryCatalogData": lambda world: world.ask("PutRegistryCatalogData", {"displayName": ALIAS.title()}),
    "PutRepositoryCatalogData": lambda world: world.ask("PutRepositoryCatalogData", {"repositoryName": HERE, "catalogData": CATALOG}),
    "SetRepositoryPolicy": lambda world: world.ask("SetRepositoryPolicy", {"repositoryName": world.fresh(), "policyText": DENY_POLICY}),
    "TagResource": lambda world: world.ask("TagResource", {"resourceArn": arn(HERE), "tags": tags(1)}),
    "UntagResource": lambda world: world.ask("UntagResource", {"resourceArn": arn(HERE), "tagKeys": ["key0"]}),
}
"""One success of each operation."""
