"""`unhub doctor --codebuild`: a project read through boto3, whose answers are stubbed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from unhub.aws.session import Boto
from unhub.data.facts import builtin
from unhub.doctor.codebuild.looking import Surroundings, look
from unhub.doctor.codebuild.project import Project
from unhub.doctor.log.targets import target_by
from unhub.doctor.verdict import Status, Verdict
from unhub.image.errors import AwsError, UsageError
from unhub.migrate.mapping import Mapper, MappingOptions

ROLE = "codebuild-shop-service-role"
LOGIN = "aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws"
SPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - {command}\n"
ALLOW = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"], "Resource": "*"},
}


class Account:
    """An account with one project and one role; boto3's own clients, with stubbed answers."""

    def __init__(self) -> None:
        self.environment: dict[str, Any] = {
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL", "privilegedMode": True,
        }  # fmt: skip
        self.buildspec = ""
        self.inline: dict[str, Any] = {"login": ALLOW}
        self.attached: dict[str, Any] = {}
        self.boundary: dict[str, Any] | None = None
        self.refused: str | None = None
        self.session = Boto(region="eu-west-1")

    def look(self, name: str = "shop") -> dict[str, Verdict]:
        clients = {service: boto3.client(service, region_name="eu-west-1", **KEYS) for service in ("codebuild", "iam")}
        stubs = {service: Stubber(client) for service, client in clients.items()}
        self.session._clients.update(clients)  # pyright: ignore
        self._answers(stubs["codebuild"], stubs["iam"], name)
        for stub in stubs.values():
            stub.activate()
        target = target_by(Mapper(MappingOptions(short_names="docker.io"), builtin()))
        return {one.name: one.verdict for one in look(name, Surroundings(self.session, target))}

    def _answers(self, codebuild: Stubber, iam: Stubber, name: str) -> None:
        project = {
            "name": "shop", "environment": self.environment, "serviceRole": f"arn:aws:iam::123456789012:role/service-role/{ROLE}",
            "source": {"type": "GITHUB", "buildspec": self.buildspec},
        }  # fmt: skip
        codebuild.add_response("batch_get_projects", {"projects": [project] if name == "shop" else []}, {"names": [name]})
        if self.refused:
            iam.add_client_error(
                "get_role", self.refused, "User: arn:aws:iam::123456789012:user/x is not authorized to perform: iam:GetRole"
            )
            return
        role: dict[str, Any] = {"RoleName": ROLE, "Path": "/", "RoleId": "AROA0123456789ABCDEF", "CreateDate": "2026-01-01"}
        role["Arn"] = f"arn:aws:iam::123456789012:role/service-role/{ROLE}"
        if self.boundary:
            role["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": BOUNDARY}
        iam.add_response("get_role", {"Role": role}, {"RoleName": ROLE})
        rows = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in self.attached]
        iam.add_response("list_attached_role_policies", {"AttachedPolicies": rows, "IsTruncated": False}, {"RoleName": ROLE})
        self._inline(iam)
        policies = dict(self.attached) | ({BOUNDARY: self.boundary} if self.boundary else {})
        for arn in sorted(policies):
            iam.add_response("get_policy", {"Policy": {"PolicyName": arn.rpartition("/")[2], "Arn": arn, "DefaultVersionId": "v3"}})
            answer = {"PolicyVersion": {"Document": json.dumps(policies[arn]), "VersionId": "v3", "IsDefaultVersion": True}}
            iam.add_response("get_policy_version", answer, {"PolicyArn": arn, "VersionId": "v3"})

    def _inline(self, iam: Stubber) -> None:
        names = list(self.inline)
        first, rest = names[:1], names[1:]
        page: dict[str, Any] = {"PolicyNames": first, "IsTruncated": bool(rest)}
        iam.add_response("list_role_policies", page | ({"Marker": "next"} if rest else {}), {"RoleName": ROLE})
        if rest:
            iam.add_response("list_role_policies", {"PolicyNames": rest, "IsTruncated": False}, {"RoleName": ROLE, "Marker": "next"})
        for name in names:
            answer = {"RoleName": ROLE, "PolicyName": name, "PolicyDocument": json.dumps(self.inline[name])}
            iam.add_response("get_role_policy", answer, {"RoleName": ROLE, "PolicyName": name})


KEYS: dict[str, Any] = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x"}
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    return Account()


def commands(verdict: Verdict) -> list[str | None]:
    return [remedy.run for remedy in verdict.remedies]


def test_a_project_where_all_is_well(account: Account) -> None:
    account.buildspec = SPEC.format(command="docker build -t app .").replace(
        "  build:", f"  pre_build:\n    commands:\n      - {LOGIN}\n  build:"
    )
    found = account.look()
    assert {name: verdict.status for name, verdict in found.items()} == dict.fromkeys(found, Status.OK)
    assert list(found) == ["environment-image", "registry-credential", "privileged-mode", "service-role", "buildspec"]


def test_an_image_at_docker_hub_has_the_command_that_moves_it(account: Account) -> None:
    account.environment["image"] = "node:20-bookworm"
    found = account.look()
    image = found["environment-image"]
    assert image.status is Status.WARNING
    assert "node:20-bookworm -> public.ecr.aws/docker/library/node:20-bookworm" in image.remedies[0].do
    assert found["registry-credential"].status is Status.WARNING
    account.environment["image"] = "acme/builder:1"
    assert "has no copy" in account.look()["environment-image"].remedies[0].do


def test_the_command_changes_one_field_and_keeps_the_others(tmp_path: Path) -> None:
    log, environment = (
        tmp_path / "log",
        {"image": "node:20", "privilegedMode": False, "environmentVariables": [{"name": "A", "value": "b c"}]},
    )
    (tmp_path / "environment.json").write_text(json.dumps(environment, indent=4), "utf-8")
    aws = tmp_path / "aws"
    text = f'[ "$2" = batch-get-projects ] && cat {tmp_path}/environment.json\n[ "$2" = update-project ] && printf %s "$6" > {log}\n'
    aws.write_text(f"#!/bin/sh\n{text}:\n", "utf-8")
    aws.chmod(0o755)
    project = Project(name="shop's", image="node:20", privileged=False, role_arn="")
    for before, after in (
        ('"image": "node:20"', '"image": "public.ecr.aws/docker/library/node:20"'),
        ('"privilegedMode": false', '"privilegedMode": true'),
    ):
        done = subprocess.run(["sh", "-c", project.changed(before, after)], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
        assert done.returncode == 0
        field, value = json.loads(f"{{{after}}}").popitem()
        assert json.loads(log.read_text("utf-8")) == environment | {field: value}


@pytest.mark.parametrize(
    ("image", "status"),
    [
        ("public.ecr.aws/docker/library/node:20", Status.OK),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1", Status.OK),
        ("Not An Image", Status.FAILED),
    ],
)
def test_images_elsewhere(account: Account, image: str, status: Status) -> None:
    account.environment["image"] = image
    assert account.look()["environment-image"].status is status


@pytest.mark.parametrize(
    ("image", "kind", "status"),
    [
        ("node:20", "SERVICE_ROLE", Status.OK),
        ("node:20", "CODEBUILD", Status.FAILED),
        ("aws/codebuild/standard:7.0", "SERVICE_ROLE", Status.FAILED),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:1", "SERVICE_ROLE", Status.FAILED),
    ],
)
def test_a_registry_credential_must_fit(account: Account, image: str, kind: str, status: Status) -> None:
    secret = {"credential": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub", "credentialProvider": "SECRETS_MANAGER"}
    account.environment |= {"image": image, "imagePullCredentialsType": kind, "registryCredential": secret}
    assert account.look()["registry-credential"].status is status


@pytest.mark.parametrize(
    ("spec", "status"),
    [("", Status.WARNING), (SPEC.format(command="docker build ."), Status.FAILED), (SPEC.format(command="npm test"), Status.OK)],
)
def test_privileged_mode_is_needed_where_docker_is_called(account: Account, spec: str, status: Status) -> None:
    account.environment["privilegedMode"] = False
    account.buildspec = spec
    assert account.look()["privileged-mode"].status is status


def test_a_role_without_the_permissions(account: Account) -> None:
    account.inline = {}
    role = account.look()["service-role"]
    assert role.status is Status.FAILED
    assert commands(role) == [f"unhub iam-policy --role {ROLE}"]


def test_permissions_may_come_from_any_policy_on_any_page(account: Account) -> None:
    first = {**ALLOW, "Statement": {**ALLOW["Statement"], "Action": "ecr-public:*"}}  # type: ignore[dict-item]
    second = {**ALLOW, "Statement": {**ALLOW["Statement"], "Action": "sts:GetServiceBearerToken"}}  # type: ignore[dict-item]
    account.inline = {"a": first, "b": second}
    assert account.look()["service-role"].status is Status.OK
    account.inline, account.attached = {"a": first}, {"arn:aws:iam::123456789012:policy/b": second}
    assert account.look()["service-role"].status is Status.OK


def test_a_deny_or_a_boundary_decides_against_it(account: Account) -> None:
    account.inline["no"] = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "sts:*", "Resource": "*"}}
    denied = account.look()["service-role"]
    assert denied.status is Status.FAILED
    assert "denies" in denied.says
    del account.inline["no"]
    account.boundary = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    bounded = account.look()["service-role"]
    assert bounded.status is Status.FAILED
    assert "boundary" in repr(bounded.evidence)


def test_a_role_that_cannot_be_read_is_skipped_and_the_rest_goes_on(account: Account) -> None:
    account.refused = "AccessDenied"
    found = account.look()
    assert found["service-role"].status is Status.SKIPPED
    assert "iam:GetRole" in found["service-role"].says
    assert found["environment-image"].status is Status.OK


def test_the_buildspec_is_read_where_it_is_in_the_project(account: Account) -> None:
    account.buildspec = SPEC.format(command="docker run node:20 npm test")
    found = account.look()["buildspec"]
    assert found.status is Status.WARNING
    assert found.says == "it takes an image from Docker Hub, and it pulls or builds without a login to ECR Public"
    assert found.evidence == ("node:20 -> public.ecr.aws/docker/library/node:20",)
    account.buildspec = "ci/buildspec.yml"
    assert "ci/buildspec.yml" in account.look()["buildspec"].says
    account.buildspec = "version: 0.2\n\t- broken: ["
    assert account.look()["buildspec"].status is Status.WARNING


def test_a_project_that_there_is_not(account: Account) -> None:
    with pytest.raises(UsageError, match="there is none of that name"):
        account.look("other")


def test_what_aws_refuses_is_told_in_words(account: Account) -> None:
    client = boto3.client("codebuild", region_name="eu-west-1", **KEYS)
    account.session._clients["codebuild"] = client  # pyright: ignore
    with Stubber(client) as stub:
        stub.add_client_error(
            "batch_get_projects", "AccessDeniedException", "User: x is not authorized to perform: codebuild:BatchGetProjects"
        )
        with pytest.raises(AwsError, match="codebuild:BatchGetProjects"):
            look("shop", Surroundings(account.session, target_by(Mapper(MappingOptions(), builtin()))))
